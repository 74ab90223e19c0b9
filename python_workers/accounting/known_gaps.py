"""Known gaps: games whose data the source never delivers or corrects, as a file lists them.

A backfill stores the lines of the file that the settings name. `dbt seed` stores those of the
project's own file.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from python_workers import table_names
from python_workers.errors import BackcourtError, ExitCode
from python_workers.raw.descriptions import models_folder, with_descriptions
from python_workers.warehouse.base import Column, TableChange, TableSpec, Warehouse

HEADER = ("game_id", "player_id", "reason", "noted_on")
KNOWN_GAPS_FILE = Path("seeds") / "known_source_gaps.csv"

_SCHEMA = pa.schema(
    [
        ("game_id", pa.string()),
        ("player_id", pa.int64()),
        ("reason", pa.string()),
        ("noted_on", pa.date32()),
    ]
)
KNOWN_GAPS_TABLE = TableSpec(
    table_names.KNOWN_SOURCE_GAPS,
    (
        Column("game_id", "string"),
        Column("player_id", "int64"),
        Column("reason", "string"),
        Column("noted_on", "date"),
    ),
    # All lines of a game are written together; a player may be NULL.
    key=("game_id",),
)
_GAME_ID = re.compile(r"[0-9A-Za-z]{10}")
_PLAYER_ID = re.compile(r"[0-9]{0,15}", re.ASCII)


@dataclass(frozen=True)
class KnownGap:
    """A line of the file.

    Parameters
    ----------
    game_id
        The game, ten digits.
    player_id
        The player whose line or shots are wrong; None for everyone in the game.
    reason
        What is missing or wrong, in words.
    noted_on
        When somebody noted it.
    """

    game_id: str
    player_id: int | None
    reason: str
    noted_on: date


def read_known_gaps(path: Path) -> list[KnownGap]:
    """Read the file and check every line.

    Raises
    ------
    BackcourtError
        With exit code 3, naming the line, if a value is wrong or a game and player is listed twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise _wrong(path, f"cannot be read: {reason}") from error
    lines = csv.reader(io.StringIO(text), strict=True)
    found: dict[tuple[str, int | None], KnownGap] = {}
    try:
        header = next(lines, [])
        if tuple(header) != HEADER:
            raise _wrong(path, f"begins with {','.join(header)!r}, not {','.join(HEADER)!r}")
        for cells in lines:
            if not cells:
                continue
            gap = _gap(path, lines.line_num, cells)
            if (gap.game_id, gap.player_id) in found:
                raise _wrong(path, f"line {lines.line_num}: the game and player is listed twice")
            found[gap.game_id, gap.player_id] = gap
    except csv.Error as error:
        raise _wrong(path, f"line {lines.line_num}: {error}") from error
    return list(found.values())


def known_gap_lines(gaps: Iterable[KnownGap], *, with_header: bool = True) -> list[str]:
    """Return the lines of a file that lists these gaps."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if with_header:
        writer.writerow(HEADER)
    for gap in gaps:
        player = "" if gap.player_id is None else gap.player_id
        writer.writerow([gap.game_id, player, gap.reason, gap.noted_on.isoformat()])
    return buffer.getvalue().splitlines()


def store_known_gaps(warehouse: Warehouse, gaps: Sequence[KnownGap]) -> None:
    """Replace the stored lines by those of the file, in one commit; write nothing if they agree."""
    warehouse.ensure_tables(with_descriptions([KNOWN_GAPS_TABLE], models_folder()))
    wanted = [(gap.game_id, gap.player_id, gap.reason, gap.noted_on) for gap in gaps]
    stored = warehouse.query(f"select {', '.join(HEADER)} from {KNOWN_GAPS_TABLE.name}").to_pylist()  # noqa: S608 our own names
    # Every cell as text: a missing player does not compare with a number.
    if sorted(map(repr, wanted)) == sorted(repr(tuple(row.values())) for row in stored):
        return
    rows = pa.Table.from_pylist([vars(gap) for gap in gaps], _SCHEMA)
    games = pa.table({"game_id": pa.array(sorted({row["game_id"] for row in stored}), pa.string())})
    warehouse.commit(
        [TableChange(KNOWN_GAPS_TABLE.name, KNOWN_GAPS_TABLE.key, rows, delete_keys=games)]
    )


def _gap(path: Path, line: int, cells: list[str]) -> KnownGap:
    if len(cells) != len(HEADER):
        raise _wrong(path, f"line {line} has {len(cells)} values, not {len(HEADER)}")
    game, player, reason, noted = cells
    # dbt reads the same text and converts less of it.
    rules = (
        (_GAME_ID.fullmatch(game), f"game_id {game!r} is not 10 letters or digits"),
        (_PLAYER_ID.fullmatch(player), f"player_id {player!r} is neither an id nor empty"),
        (reason.strip(), "reason is empty"),
        (_is_date(noted), f"noted_on {noted!r} is not a date like 2026-01-31"),
    )
    for holds, problem in rules:
        if not holds:
            raise _wrong(path, f"line {line}: {problem}")
    return KnownGap(game, int(player) if player else None, reason, date.fromisoformat(noted))


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _wrong(path: Path, problem: str) -> BackcourtError:
    return BackcourtError(
        f"known gaps: {path} {problem}",
        [
            f"It is the file of BACKCOURT_KNOWN_GAPS, or else {KNOWN_GAPS_FILE}: what the source",
            "never delivers or corrects.",
            f"Its columns are {', '.join(HEADER)}; player_id is empty for a whole game.",
            "Lines for it come from: backcourt coverage --all --suggest-known-gaps",
        ],
        ExitCode.ENVIRONMENT,
    )
