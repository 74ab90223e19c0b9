"""``backcourt convert``: writes the files of a feed as raw files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from python_workers.errors import BackcourtError
from python_workers.feeds.feed import SHIPPED, Feed
from python_workers.feeds.sources import read_sources
from python_workers.raw.files import scratch_folder
from python_workers.raw.schema import (
    GAMES,
    PLAYER_BOX_SCORES,
    PLAYERS,
    SEASON_TYPES,
    SHOTS,
    RawTable,
)
from python_workers.runtime.writing import replaced
from python_workers.warehouse.base import ColumnType
from python_workers.warehouse.duckdb.file import NO_DOWNLOADS

# Columns of a SELECT that say which of several rows with one key counts: the highest rank, and of
# equal ranks the later file.
_ORDER = ("rank", "file_number")
# A SELECT may read the tables before it: the team of a shot is that of the player's box score.
_IN_ORDER = (GAMES, PLAYER_BOX_SCORES, PLAYERS, SHOTS)
_SHOWN = 3
_TYPES: dict[ColumnType, str] = {
    "int64": "bigint",
    "float64": "double",
    "string": "varchar",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamptz",
}
_MEMORY = "1GB"


@dataclass(frozen=True)
class Converted:
    """A converted raw table.

    Parameters
    ----------
    table
        Its name.
    rows
        Rows written.
    empty_columns
        Columns that are NULL in every row.
    """

    table: str
    rows: int
    empty_columns: tuple[str, ...]


@dataclass(frozen=True)
class Conversion:
    """The result of a conversion.

    Parameters
    ----------
    files
        Number of files read.
    tables
        The tables that the feed could fill.
    excluded
        Number of games that count for no season, by kind.
    warnings
        Sentences about data that the user should check.
    """

    files: int
    tables: tuple[Converted, ...]
    excluded: Mapping[str, int]
    warnings: tuple[str, ...]


def convert(
    feed: Feed, directory: Path, out: Path, only: Collection[Path] | None = None
) -> Conversion:
    """Convert the files of a feed into raw files.

    Parameters
    ----------
    feed
        The feed.
    directory
        The folder with its files.
    out
        The raw folder; each table gets the file ``<table>/<feed>.parquet``, which replaces that
        of an earlier conversion. A conversion that fails writes nothing.
    only
        Read no other files of the folder; all by default.

    Raises
    ------
    BackcourtError
        If a file is damaged or lacks a column, or a value does not fit its column.
    """
    with scratch_folder() as scratch, _database(scratch) as connection:
        files = read_sources(connection, feed, directory, only)
        warnings: list[str] = []
        if files.unknown:
            warnings.append(f"of no kind that {feed.name} reads: {_some(files.unknown)}")
        tables = []
        for schema in _IN_ORDER:
            _select(connection, feed, schema)
            warnings += _keep_one_row_per_key(connection, schema, files.labels)
            if schema is GAMES:
                excluded = _exclude_games(connection, warnings)
            elif "game_id" in schema.key:
                _exclude_rows(connection, feed, schema)
            filled_rows = ", ".join(f'count("{column.name}")' for column in schema.columns)
            counts = connection.execute(
                f"select count(*), {filled_rows} from {schema.name}"  # noqa: S608 our own names
            ).fetchone()
            rows, *filled = counts or (0,)
            if rows:
                names = [column.name for column in schema.columns]
                empty = [name for name, count in zip(names, filled, strict=True) if not count]
                tables.append(Converted(schema.name, rows, tuple(empty)))
        for converted in tables:
            _write(connection, converted, feed, out)
        return Conversion(len(files.labels), tuple(tables), excluded, tuple(warnings))


@contextmanager
def _database(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    config = {**NO_DOWNLOADS, "memory_limit": _MEMORY, "temp_directory": str(scratch)}
    with duckdb.connect(str(scratch / "feed.duckdb"), config=config) as connection:
        connection.execute((SHIPPED / "league.sql").read_text("utf-8"))
        yield connection


def _select(connection: duckdb.DuckDBPyConnection, feed: Feed, schema: RawTable) -> None:
    """Create the table of a raw table's name from the feed's SELECT, with all columns."""
    names = [column.name for column in schema.columns]
    select = feed.selects.get(schema.name)
    if select is None:
        empty = ", ".join(f'"{column.name}" {_TYPES[column.type]}' for column in schema.columns)
        connection.execute(f"create table {schema.name} ({empty}, file_number integer)")
        return
    try:
        connection.execute(f"create temp table selected as {select.strip().rstrip(';')}")
    except duckdb.Error as error:
        raise BackcourtError(
            f"feed {feed.name}: {schema.name}.sql fails: {str(error).splitlines()[0]}",
            "A value has another form than the feed expects. Nothing was converted.",
        ) from error
    present = [row[0] for row in connection.execute("describe selected").fetchall()]
    wrong = [name for name in present if name not in (*names, *_ORDER)]
    if wrong:
        raise BackcourtError(
            f"feed {feed.name}: {schema.name}.sql gives unknown columns: {', '.join(wrong)}",
            f"The columns of {schema.name} are: {', '.join(names)}; and {', '.join(_ORDER)}.",
        )
    columns = ", ".join(
        f'"{name}"' if name in present else f'null as "{name}"' for name in (*names, *_ORDER)
    )
    connection.execute(f"create table {schema.name} as select distinct {columns} from selected")  # noqa: S608 our own names
    connection.execute("drop table selected")


def _keep_one_row_per_key(
    connection: duckdb.DuckDBPyConnection, schema: RawTable, labels: Sequence[str]
) -> list[str]:
    """Keep the row that counts of several with one key; tell where equal ranks contradict."""
    key = ", ".join(schema.key)
    values = ", ".join(column.name for column in schema.columns if column.name not in schema.key)
    has_order = connection.execute(
        "select count(*) from duckdb_columns() where table_name = ? and column_name = 'rank'",
        [schema.name],
    ).fetchone() != (0,)
    if not has_order:
        return []
    contradictions = connection.execute(
        f"select {key}, list(distinct file_number order by file_number) from {schema.name} "  # noqa: S608 as above
        f"group by {key}, rank having count(distinct ({values})) > 1 "
        "and count(distinct file_number) > 1 order by all"
    ).fetchall()
    connection.execute(
        f"create or replace table {schema.name} as select * exclude (rank) "  # noqa: S608 as above
        f"from {schema.name} qualify dense_rank() over (partition by {key} "
        "order by rank desc nulls last, file_number desc nulls last) = 1 order by all"
    )
    if not contradictions:
        return []
    *first, numbers = contradictions[0]
    example = f"{', '.join(map(str, first))}: {_some([labels[n - 1] for n in numbers])}"
    said = f"{schema.name}: rows on which files contradict each other: {len(contradictions)}"
    return [f"{said}; the later file counts ({example})"]


def _exclude_games(connection: duckdb.DuckDBPyConnection, warnings: list[str]) -> dict[str, int]:
    """Drop games that count for no season, or whose teams are not known yet."""
    counted = ", ".join(f"'{kind}'" for kind in SEASON_TYPES)
    other = f"season_type is null or season_type not in ({counted})"
    kinds = connection.execute(
        f"select coalesce(season_type, 'other'), count(*) from games where {other} "  # noqa: S608 as above
        "group by all order by all"
    ).fetchall()
    connection.execute(f"create table excluded as select game_id from games where {other}")  # noqa: S608 as above
    connection.execute("delete from games where game_id in (select game_id from excluded)")
    unknown = connection.execute(
        "delete from games where home_team_abbr is null or away_team_abbr is null returning game_id"
    ).fetchall()
    if unknown:
        games = _some(sorted(game_id for (game_id,) in unknown))
        warnings.append(f"games without teams yet are left out: {games}")
    return dict(kinds)


def _exclude_rows(connection: duckdb.DuckDBPyConnection, feed: Feed, schema: RawTable) -> None:
    """Drop the rows of games that count for no season, on the schedule or not."""
    connection.execute(
        f"delete from {schema.name} where game_id in (select game_id from excluded)"  # noqa: S608 as above
    )
    if feed.has_league_ids:
        counted = ", ".join(f"'{kind}'" for kind in SEASON_TYPES)
        connection.execute(
            f"delete from {schema.name} where nba_season_type(game_id) is null "  # noqa: S608 as above
            f"or nba_season_type(game_id) not in ({counted})"
        )


def _write(
    connection: duckdb.DuckDBPyConnection, converted: Converted, feed: Feed, out: Path
) -> None:
    schema = next(schema for schema in _IN_ORDER if schema.name == converted.table)
    folder = out / schema.name
    folder.mkdir(parents=True, exist_ok=True)
    # Without a value DuckDB does not know a column's type.
    columns = ", ".join(
        f'cast("{column.name}" as {_TYPES[column.type]}) as "{column.name}"'
        if column.name in converted.empty_columns
        else f'"{column.name}"'
        for column in schema.columns
    )
    with replaced(folder / f"{feed.name}.parquet") as path:
        connection.execute(
            f"copy (select {columns} from {schema.name} order by {', '.join(schema.key)}) "  # noqa: S608 as above
            "to $path (format parquet, compression zstd)",
            {"path": str(path)},
        )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
