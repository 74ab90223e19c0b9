"""``backcourt convert``: writes the files of a feed as raw files."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from python_workers.errors import BackcourtError
from python_workers.feeds.feed import SHIPPED, Feed
from python_workers.feeds.fitting import read_fitting_sources
from python_workers.feeds.output import check_output, drop_former, write_table
from python_workers.feeds.sources import NOTHING_CONVERTED
from python_workers.raw.agreement import check_franchises
from python_workers.raw.relation_checks import Relation, Wrong, first_wrong, wrong_teams
from python_workers.raw.rules import games_unknown, has_teams
from python_workers.raw.schema import (
    GAMES,
    PLAYER_BOX_SCORES,
    PLAYERS,
    SEASON_TYPES,
    SHOTS,
    RawTable,
)
from python_workers.raw.selects import check_columns
from python_workers.runtime.scratch import scratch_folder
from python_workers.warehouse.duckdb.dialect import SQL_TYPES, translate_parameters
from python_workers.warehouse.duckdb.file import NO_DOWNLOADS
from python_workers.wording import counted, some

# Columns of a SELECT that say which of several rows with one key counts: the highest rank, and of
# equal ranks the later file.
_ORDER = ("rank", "file_number")
# A SELECT may read the tables before it: the team of a shot is that of the player's box score.
_IN_ORDER = (GAMES, PLAYER_BOX_SCORES, PLAYERS, SHOTS)
# Kinds of games that count for no season: values of `season_type` that a conversion leaves out.
OTHER_KINDS = ("preseason", "All-Star", "Cup final", "other")
_OTHER_FORM = "A value has another form than the feed expects."
# Beginnings of DuckDB's types of single values.
_VALUES = (
    *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"),
    *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
    *("FLOAT", "DOUBLE", "DECIMAL", "VARCHAR", "BOOLEAN", "DATE", "TIMESTAMP"),
)
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
        If a file is damaged or lacks a column, if a load would refuse the rows, or if the files
        hold none; with exit code 2, if `out` is not a folder for them.
    """
    check_output(out, feed.name, directory)
    with scratch_folder() as scratch, _database(scratch) as connection:
        files = read_fitting_sources(connection, feed, directory, only)
        warnings = list(files.warnings)
        tables = []
        for schema in _IN_ORDER:
            with _errors_of(feed, schema):
                _select(connection, feed, schema, files.labels)
                warnings += _keep_one_row_per_key(connection, schema, files.labels)
                if schema is GAMES:
                    excluded = _exclude_games(connection, files.labels, warnings)
                elif "game_id" in schema.key:
                    _exclude_rows(connection, feed, schema, warnings)
                _check(connection, feed, schema, files.labels, warnings)
            filled_rows = ", ".join(f'count("{column.name}")' for column in schema.columns)
            counts = connection.execute(
                f"select count(*), {filled_rows} from {schema.name}"  # noqa: S608 our own names
            ).fetchone()
            rows, *filled = counts or (0,)
            if rows:
                names = [column.name for column in schema.columns]
                empty = [name for name, count in zip(names, filled, strict=True) if not count]
                tables.append(Converted(schema.name, rows, tuple(empty)))
        if not tables:
            left_out = ", ".join(f"{count} {kind}" for kind, count in excluded.items())
            raise BackcourtError(
                f"no row in {counted(len(files.labels), 'file')} counts for a season",
                [*([f"Left out: {left_out}."] if left_out else []), *warnings, NOTHING_CONVERTED],
            )
        for table in tables:
            schema = next(schema for schema in _IN_ORDER if schema.name == table.table)
            write_table(connection, schema, table.empty_columns, feed.name, out)
        drop_former(out, feed.name, [table.table for table in tables])
        return Conversion(len(files.labels), tuple(tables), excluded, tuple(warnings))


@contextmanager
def _database(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    config = {**NO_DOWNLOADS, "memory_limit": _MEMORY, "temp_directory": str(scratch)}
    with duckdb.connect(str(scratch / "feed.duckdb"), config=config) as connection:
        connection.execute((SHIPPED / "league.sql").read_text("utf-8"))
        yield connection


@contextmanager
def _errors_of(feed: Feed, schema: RawTable) -> Iterator[None]:
    """Say whose rows DuckDB, Arrow or Python cannot work with."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OverflowError) as error:
        raise BackcourtError(
            f"{feed.select_name(schema.name)}: its rows cannot be used: "
            f"{str(error).splitlines()[0]}",
            [_correct(feed), NOTHING_CONVERTED],
        ) from error


def _correct(feed: Feed) -> str:
    return "Correct the SELECT." if feed.is_own else _OTHER_FORM


def _select(
    connection: duckdb.DuckDBPyConnection, feed: Feed, schema: RawTable, labels: Sequence[str]
) -> None:
    """Create the table of a raw table's name from the feed's SELECT, with all columns."""
    names = [column.name for column in schema.columns]
    select = feed.selects.get(schema.name)
    if select is None:
        empty = ", ".join(f'"{column.name}" {SQL_TYPES[column.type]}' for column in schema.columns)
        connection.execute(f"create table {schema.name} ({empty}, file_number integer)")
        return
    file = feed.select_name(schema.name)
    try:
        connection.execute(f"create temp table selected as {select}")
    except duckdb.Error as error:
        raise BackcourtError(
            f"{file} fails: {str(error).splitlines()[0]}",
            [
                *_failing_file(connection, feed, select, labels),
                _correct(feed),
                NOTHING_CONVERTED,
            ],
        ) from error
    described = connection.execute("describe selected").fetchall()
    # DuckDB does not distinguish names by their case.
    types = {row[0].lower(): row[1] for row in described}
    wrong = [name for name in types if name not in (*names, *_ORDER)]
    if wrong:
        raise BackcourtError(
            f"{file} gives unknown columns: {', '.join(wrong)}",
            f"The columns of {schema.name} are: {', '.join(names)}; and {', '.join(_ORDER)}.",
        )
    check_columns(schema, types, file)
    cells = []
    for column in schema.columns:
        is_filled = column.name in types and connection.execute(
            f'select count("{column.name}") from selected'  # noqa: S608 our own names
        ).fetchone() != (0,)
        fits = ("VARCHAR",) if column.type == "string" else _VALUES
        is_single = not types.get(column.name, "").endswith("]")
        if is_filled and not (is_single and types[column.name].startswith(fits)):
            wanted = "text" if column.type == "string" else "a number, a flag, a date or text"
            raise BackcourtError(
                f"{file}: column {column.name} is {types[column.name]}, not {wanted}",
                [
                    f"Select it in another type: cast(… as {SQL_TYPES[column.type]}).",
                    NOTHING_CONVERTED,
                ],
            )
        value = f'"{column.name}"' if is_filled else f"cast(null as {SQL_TYPES[column.type]})"
        cells.append(f'{value} as "{column.name}"')
    cells += [name if name in types else f"null::integer as {name}" for name in _ORDER]
    connection.execute(
        f"create table {schema.name} as select distinct {', '.join(cells)} from selected"  # noqa: S608 as above
    )
    connection.execute("drop table selected")
    strange = connection.execute(
        f"select file_number from {schema.name} "  # noqa: S608 as above
        "where try_cast(file_number as integer) not between 1 and ? or "
        "(file_number is not null and try_cast(file_number as integer) is null) limit 1",
        [len(labels)],
    ).fetchone()
    if strange:
        raise BackcourtError(
            f"{file} gives {strange[0]} as file_number, and no file has this number",
            ["Select the file_number of the source's row.", NOTHING_CONVERTED],
        )


def _failing_file(
    connection: duckdb.DuckDBPyConnection, feed: Feed, select: str, labels: Sequence[str]
) -> list[str]:
    """Say with the rows of which file a SELECT fails, if it does not fail without any."""
    (database,) = connection.execute("select current_database()").fetchone() or ("",)

    def fails(files: int) -> bool:
        # The SELECT finds a temporary view before the table of the same name.
        for source in feed.sources:
            connection.execute(
                f'create or replace temp view "{source.name}" as select * '  # noqa: S608 a feed's own names
                f'from {database}.main."{source.name}" where file_number <= {files}'
            )
        try:
            connection.execute(f"create or replace temp table selected as {select}")
        except duckdb.Error:
            return True
        return False

    if fails(0):
        return []
    found = bisect_left(range(len(labels)), 1, key=lambda n: fails(n + 1))
    return [f"It fails with the rows of {labels[found]}."] if found < len(labels) else []


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
    example = f"{', '.join(map(str, first))}: {some([labels[n - 1] for n in numbers])}"
    said = f"{schema.name}: rows on which files contradict each other: {len(contradictions)}"
    return [f"{said}; the later file counts ({example})"]


def _exclude_games(
    connection: duckdb.DuckDBPyConnection, labels: Sequence[str], warnings: list[str]
) -> dict[str, int]:
    """Drop games that count for no season, whose teams are not known, or without a score."""
    other = ", ".join(f"'{kind.lower()}'" for kind in OTHER_KINDS)
    is_other = f"lower(season_type) in ({other})"
    kinds = connection.execute(
        f"select season_type, count(*) from games where {is_other} group by all order by all"  # noqa: S608 as above
    ).fetchall()
    connection.execute(f"create table excluded as select game_id from games where {is_other}")  # noqa: S608 as above
    connection.execute("delete from games where game_id in (select game_id from excluded)")
    for condition, what in (
        (
            "home_team_abbr is null or away_team_abbr is null",
            "games whose home and away teams are in no file",
        ),
        (
            "lower(status) = 'final' and (home_score is null or away_score is null)",
            "final games whose score is in no file",
        ),
    ):
        dropped = connection.execute(
            f"delete from games where {condition} returning game_id, file_number"  # noqa: S608 as above
        ).fetchall()
        if dropped:
            games = some(sorted(f"{game_id}{_of_file(n, labels)}" for game_id, n in dropped))
            warnings.append(f"{what} are left out: {games}")
    return dict(kinds)


def _of_file(number: int | None, labels: Sequence[str]) -> str:
    return "" if number is None else f" ({labels[number - 1]})"


def _check(
    connection: duckdb.DuckDBPyConnection,
    feed: Feed,
    schema: RawTable,
    labels: Sequence[str],
    warnings: list[str],
) -> None:
    """Refuse rows that a load would refuse; tell of rows whose game is in no file."""

    def query(sql: str, params: Mapping[str, object] | None = None) -> pa.Table:
        text, names = translate_parameters(sql)
        given = {name: (params or {})[name] for name in names}
        return connection.execute(text, given).to_arrow_table()

    # A load takes these two in any case.
    in_lower_case = {"season_type": "lower(season_type)", "status": "lower(status)"}
    typed = ", ".join(
        f'try_cast({in_lower_case.get(name, name)} as {SQL_TYPES[column.type]}) as "{name}"'
        for column in schema.columns
        for name in [column.name]
    )
    relation = Relation(
        query,
        schema,
        schema.name,
        f"(select {typed}, file_number from {schema.name})",  # noqa: S608 as above
        also="file_number",
    )
    wrong = first_wrong(relation)
    if wrong is not None:
        raise _refusal(feed, schema, wrong, labels)
    if schema is GAMES:
        teams = "season, home_team_abbr, away_team_abbr"
        found = query(f"select {teams}, min(game_id) as game_id from games group by {teams}")  # noqa: S608 as above
        check_franchises(found.to_pylist(), end=NOTHING_CONVERTED)
    elif has_teams(schema):
        wrong = wrong_teams(relation, GAMES.name)
        if wrong is not None:
            raise _refusal(feed, schema, wrong, labels)
        unknown = query(games_unknown(schema.name, GAMES.name)).column("game_id").to_pylist()
        if unknown and GAMES.name in feed.selects:
            warnings.append(
                f"{schema.name} has rows of {counted(len(unknown), 'game')} that no file has as a "
                f"game: {some(unknown)}"
            )


def _refusal(feed: Feed, schema: RawTable, wrong: Wrong, labels: Sequence[str]) -> BackcourtError:
    number = wrong.rows[0]["file_number"] if wrong.rows else None
    origin = feed.select_name(schema.name) if number is None else labels[number - 1]
    return BackcourtError(
        f"{origin}: {schema.name}: {wrong.problem}", [*wrong.lines(), NOTHING_CONVERTED]
    )


def _exclude_rows(
    connection: duckdb.DuckDBPyConnection, feed: Feed, schema: RawTable, warnings: list[str]
) -> None:
    """Drop the rows of games that count for no season, on the schedule or not."""
    connection.execute(
        f"delete from {schema.name} where game_id in (select game_id from excluded)"  # noqa: S608 as above
    )
    if feed.has_league_ids:
        counted_kinds = ", ".join(f"'{kind}'" for kind in SEASON_TYPES)
        dropped = connection.execute(
            f"delete from {schema.name} where nba_season_type(game_id) not in ({counted_kinds}) "  # noqa: S608 as above
            "returning game_id, nba_season_type(game_id)"
        ).fetchall()
        strange = sorted({game_id for game_id, kind in dropped if kind == "other"})
        if strange:
            warnings.append(
                f"{schema.name}: rows are left out whose game_id is not one of the league: "
                f"{some(strange)}"
            )
