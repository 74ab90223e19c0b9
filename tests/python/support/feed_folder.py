"""A folder with files of a feed, and what a conversion makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from python_workers.feeds.convert import Conversion, convert
from python_workers.feeds.feed import find_feed
from tests.python.support import raw_factories
from tests.python.support.feed_answers import schedule, scheduled_game, write_json


class Folder:
    """A folder with files of a feed, and the raw files that they are converted to."""

    def __init__(self, path: Path, feed: str = "nba_api") -> None:
        self.files, self.raw, self._feed = path / "files", path / "raw", feed
        self.files.mkdir()

    def convert(self, files: Path | None = None) -> Conversion:
        return convert(find_feed(self._feed), files or self.files, self.raw)

    def rows(self, table: str, columns: str = "*", rest: str = "") -> list[tuple[Any, ...]]:
        path = self.raw / table / f"{Path(self._feed).name}.parquet"
        return duckdb.sql(f"select {columns} from '{path}' {rest}").fetchall()

    def game(self) -> None:
        write_json(self.files / "schedule.json", schedule(scheduled_game("0022100732")))


def refusal(folder: Folder, *, is_first: bool = True) -> str:
    """Return the message of a refused conversion; a first one leaves no raw folder."""
    message = raw_factories.refusal(folder.convert)
    assert not (is_first and folder.raw.exists())
    return message
