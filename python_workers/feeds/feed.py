"""A feed: a folder with ``feed.toml``, a SELECT per raw table, and a README of what it lacks."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from python_workers.errors import BackcourtError, ExitCode
from python_workers.raw.schema import RAW_TABLES

SHIPPED = Path(__file__).parent
DECLARATION = "feed.toml"
TABLES = tuple(table.name for table in RAW_TABLES)

Kind = Literal["result_set", "json", "table"]


@dataclass(frozen=True)
class Source:
    """A kind of file that a feed reads; its rows are a table of text columns for the SELECTs.

    Parameters
    ----------
    name
        The table's name in the SELECTs.
    kind
        ``result_set``: JSON answers with headers and rows; ``json``: answers with nested objects;
        ``table``: CSV and Parquet files alone. All kinds take CSV and Parquet files with the
        same columns, too.
    path
        The result set's name, or the path that an answer of this source has.
    select
        For ``json``: the SELECT that makes rows of ``answers (content, file_number)``.
    needs, may
        Columns that each file must have, and columns that are NULL where a file lacks them.
    """

    name: str
    kind: Kind
    path: str
    select: str
    needs: tuple[str, ...]
    may: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the table, but for the number of the file."""
        return self.needs + self.may


@dataclass(frozen=True)
class Feed:
    """A feed.

    Parameters
    ----------
    name, title
        The folder's name, and what it reads in a few words.
    has_league_ids
        Whether game ids are those of the league, which say the kind of the game.
    sources
        The kinds of files that it reads.
    selects
        The SELECT of each raw table that the feed can fill.
    """

    name: str
    title: str
    has_league_ids: bool
    sources: tuple[Source, ...]
    selects: Mapping[str, str]


def shipped_feeds() -> list[Feed]:
    """Return the feeds that come with Backcourt."""
    return [_read(path.parent) for path in sorted(SHIPPED.glob(f"*/{DECLARATION}"))]


def find_feed(name_or_path: str) -> Feed:
    """Return a shipped feed by name, or the feed in a folder of the user's own.

    Raises
    ------
    BackcourtError
        If there is neither, or the folder is not a feed.
    """
    for folder in (SHIPPED / name_or_path, Path(name_or_path)):
        if (folder / DECLARATION).is_file():
            return _read(folder)
    names = ", ".join(feed.name for feed in shipped_feeds())
    raise BackcourtError(
        f"{name_or_path!r} is not a feed",
        [f"Known: {names}.", f"A feed of your own is a folder with {DECLARATION}: docs/feeds.md."],
        ExitCode.USAGE,
    )


def _read(folder: Path) -> Feed:
    declaration = folder / DECLARATION
    try:
        given = tomllib.loads(declaration.read_text("utf-8"))
        base = _read(SHIPPED / given["extends"]) if "extends" in given else None
        sources = tuple(_source(name, table) for name, table in given.get("sources", {}).items())
        fills = given.get("fills", TABLES)
        own = {
            table: path.read_text("utf-8")
            for table in TABLES
            if (path := folder / f"{table}.sql").is_file()
        }
        feed = Feed(
            folder.resolve().name,
            given["title"],
            given["ids"] == "nba" if base is None else base.has_league_ids,
            (base.sources if base else ()) + sources,
            {
                table: select
                for table, select in {**(base.selects if base else {}), **own}.items()
                if table in fills
            },
        )
    except KeyError as error:
        raise BackcourtError(f"{declaration}: {error} is missing", "See docs/feeds.md.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, AttributeError) as error:
        raise BackcourtError(f"{declaration} is unusable: {error}", "See docs/feeds.md.") from error
    if not feed.selects:
        raise BackcourtError(
            f"{folder} has no SELECT",
            f"Known names: {', '.join(f'{name}.sql' for name in TABLES)}.",
        )
    return feed


def _source(name: str, given: Mapping[str, Any]) -> Source:
    if "like" in given:
        known = _read(SHIPPED / given["like"]).sources
        return next(source for source in known if source.name == name)
    kind: Kind = "result_set" if "result_set" in given else "json" if "json" in given else "table"
    return Source(
        name,
        kind,
        str(given.get(kind, "")),
        str(given["select"]) if kind == "json" else "",
        tuple(given["needs"]),
        tuple(given.get("may", ())),
    )
