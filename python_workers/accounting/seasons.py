"""The seasons and their days: the project's seed, or a file of the user's own in its place."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from python_workers import table_names
from python_workers.errors import BackcourtError, ExitCode
from python_workers.raw.descriptions import models_folder, with_descriptions
from python_workers.raw.values import parse_season
from python_workers.settings import Settings
from python_workers.warehouse.base import Column, TableChange, TableSpec, Warehouse

SEASONS_FILE = Path("seeds") / "seasons.csv"
HEADER = ("season", "season_year", "first_date", "regular_season_end", "last_date")

SEASONS_TABLE = TableSpec(
    table_names.SEASONS,
    (
        Column("season", "string"),
        Column("season_year", "int64"),
        Column("first_date", "date"),
        Column("regular_season_end", "date"),
        Column("last_date", "date"),
    ),
    key=("season",),
)


@dataclass(frozen=True)
class Season:
    """A line of the file: a season and its days, all of them included."""

    season: str
    season_year: int
    first_date: date
    regular_season_end: date
    last_date: date


def seasons_file(settings: Settings, directory: Path) -> Path:
    """Return the file of the settings, else the seed of the project in a folder."""
    named = settings.seasons
    return named.expanduser().absolute() if named else directory / SEASONS_FILE


def read_seasons(path: Path) -> list[Season]:
    """Read the file and check every line.

    Raises
    ------
    BackcourtError
        With exit code 3, naming the line, if a value is wrong or a season is listed twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise _wrong(path, f"cannot be read: {reason}") from error
    lines = csv.reader(io.StringIO(text), strict=True)
    found: dict[str, Season] = {}
    try:
        header = next(lines, [])
        if tuple(header) != HEADER:
            raise _wrong(path, f"begins with {','.join(header)!r}, not {','.join(HEADER)!r}")
        for cells in filter(None, lines):
            season = _season(path, lines.line_num, cells)
            if season.season in found:
                raise _wrong(path, f"line {lines.line_num}: {season.season} is listed twice")
            found[season.season] = season
    except csv.Error as error:
        raise _wrong(path, f"line {lines.line_num}: {error}") from error
    return list(found.values())


def store_seasons(warehouse: Warehouse, seasons: Sequence[Season]) -> None:
    """Make the stored seasons those of the file, in one commit; write nothing if they agree."""
    warehouse.ensure_tables(with_descriptions([SEASONS_TABLE], models_folder()))
    stored = warehouse.query(f"select {', '.join(HEADER)} from {SEASONS_TABLE.name}").to_pylist()  # noqa: S608 our own names
    wanted = [vars(season) for season in seasons]
    if sorted(map(repr, stored)) == sorted(map(repr, wanted)):
        return
    schema = pa.schema(
        [
            ("season", pa.string()),
            ("season_year", pa.int64()),
            *((name, pa.date32()) for name in HEADER[2:]),
        ]
    )
    gone = pa.table({"season": pa.array([row["season"] for row in stored], pa.string())})
    rows = pa.Table.from_pylist(wanted, schema)
    warehouse.commit([TableChange(SEASONS_TABLE.name, SEASONS_TABLE.key, rows, delete_keys=gone)])


def _season(path: Path, line: int, cells: list[str]) -> Season:
    if len(cells) != len(HEADER):
        raise _wrong(path, f"line {line} has {len(cells)} values, not {len(HEADER)}")
    name, year, *days = cells
    try:
        found = Season(parse_season(name), int(year), *map(date.fromisoformat, days))
    except ValueError as error:
        raise _wrong(path, f"line {line}: {error}") from error
    if found.season[:4] != year:
        raise _wrong(
            path, f"line {line}: season_year {year} is not the year in which {name} starts"
        )
    if not found.first_date <= found.regular_season_end <= found.last_date:
        raise _wrong(path, f"line {line}: the days are not in their order")
    return found


def _wrong(path: Path, problem: str) -> BackcourtError:
    return BackcourtError(
        f"seasons: {path} {problem}",
        [
            f"The file of BACKCOURT_SEASONS, or else {SEASONS_FILE}: the days of all seasons.",
            f"Its columns are {', '.join(HEADER)};",
            "a line is: 2021-22,2021,2021-10-19,2022-04-10,2022-06-30",
        ],
        ExitCode.ENVIRONMENT,
    )
