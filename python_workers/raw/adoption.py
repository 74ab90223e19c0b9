"""``backcourt adopt``: views over tables that are already in the warehouse stand for raw tables.

The rows stay where they are. What changes below a view changes the state of the raw table: the next
backfill checks the view's rows again before it builds from them.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from python_workers.errors import BackcourtError, ExitCode
from python_workers.raw.agreement import check_franchises
from python_workers.raw.player_registry import register_players
from python_workers.raw.relation_checks import Relation, first_wrong, wrong_teams
from python_workers.raw.rules import games_unknown, has_teams
from python_workers.raw.schema import (
    CHANGED_GAMES,
    GAMES,
    LOADS,
    PLAYER_REGISTRY,
    RAW_TABLES,
    RawColumn,
    RawTable,
)
from python_workers.raw.selects import check_columns
from python_workers.runtime.scratch import scratch_folder
from python_workers.table_names import RAW
from python_workers.warehouse.base import TableChange, Warehouse
from python_workers.wording import counted

_NOTHING = "Nothing was adopted."
_NOTHING_BUILT = "The tables below the view have changed since; nothing was built."
_RAW_TABLE = re.compile(
    rf"\b{RAW}[`\"]?\.[`\"]?({'|'.join(schema.name for schema in RAW_TABLES)})\b", re.IGNORECASE
)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class Adoption:
    """The result of an adoption.

    Parameters
    ----------
    rows
        Rows of each adopted table.
    new_players
        Number of players who got a lookup.
    warnings
        Sentences about what the user should check.
    """

    rows: Mapping[str, int]
    new_players: int
    warnings: tuple[str, ...]


def adopt(warehouse: Warehouse, selects: Mapping[str, str]) -> Adoption:
    """Create a view in ``nba_raw`` for each SELECT, after checking its rows as `load` does.

    Parameters
    ----------
    warehouse
        The warehouse that holds the tables.
    selects
        A SELECT of the warehouse's own SQL per raw table. Optional columns may be missing;
        ``minutes`` is a number.

    Raises
    ------
    BackcourtError
        If a SELECT fails, gives no row or lacks a column, if it gives what a load would refuse, or
        if the raw table exists and holds loaded rows. Then no view is created.
    """
    chosen = [schema for schema in RAW_TABLES if schema.name in selects]
    empty_tables = [schema.spec.name for schema in chosen if _is_empty_table(warehouse, schema)]
    with _from_anywhere(warehouse):
        relations, rows = {}, {}
        for schema in chosen:
            with _errors_of(schema):
                relations[schema] = _relation(warehouse, schema, selects[schema.name])
                rows[schema.name] = _check(relations[schema])
        warnings = _check_across_tables(warehouse, relations)
        names = [schema.name for schema in RAW_TABLES if schema not in relations]
        if names:
            warnings.append(f"no SELECT for {', '.join(names)}: these tables stay as they are")
        warehouse.ensure_tables((PLAYER_REGISTRY, LOADS, CHANGED_GAMES))
        for name in empty_tables:
            warehouse.execute(f"drop table {name}")
        for schema, relation in relations.items():
            warehouse.execute(f"create or replace view {schema.spec.name} as {relation.typed}")
        absent = [schema.spec for schema in RAW_TABLES if not warehouse.has_table(schema.spec.name)]
        warehouse.ensure_tables(absent)
        new_players = register_players(warehouse)
        warehouse.commit([_note(rows)])
    return Adoption(rows, new_players, tuple(warnings))


def adopted_tables(warehouse: Warehouse) -> list[RawTable]:
    """Return the raw tables that are views."""
    return [schema for schema in RAW_TABLES if warehouse.is_view(schema.spec.name)]


def check_adopted(warehouse: Warehouse, tables: Sequence[RawTable]) -> None:
    """Check the rows of views that `adopt` has made, as it has checked them.

    The views give the values in the types of the raw tables: a fraction that a view rounds to a
    whole number is not seen.

    Raises
    ------
    BackcourtError
        If a view gives no row or one that a load would refuse; it names the row.
    """
    relations = {schema: _of_view(warehouse, schema) for schema in tables}
    for relation in relations.values():
        _check(relation)
    _check_across_tables(warehouse, relations)


def refuse_adopted(warehouse: Warehouse, tables: list[RawTable]) -> None:
    """Refuse to write to a raw table that is a view.

    Raises
    ------
    BackcourtError
        If one is.
    """
    for schema in tables:
        if warehouse.is_view(schema.spec.name):
            raise BackcourtError(
                f"{schema.spec.name} is a view of an adopted table",
                "Change the rows of that table; nothing was written.",
                ExitCode.USAGE,
            )


def _is_empty_table(warehouse: Warehouse, schema: RawTable) -> bool:
    """Tell whether a raw table is there and empty, as one that no SELECT was for.

    Raises
    ------
    BackcourtError
        If it holds loaded rows.
    """
    name = schema.spec.name
    if not warehouse.has_table(name) or warehouse.is_view(name):
        return False
    if warehouse.query(f"select 1 as one from {name} limit 1").num_rows:  # noqa: S608 our own names
        raise BackcourtError(
            f"{name} is a table with loaded rows",
            "Adopt into a warehouse of its own, or drop that table first.",
            ExitCode.USAGE,
        )
    return True


@contextmanager
def _from_anywhere(warehouse: Warehouse) -> Iterator[None]:
    """Work in an empty folder: a SELECT that reads a relative path fails now, not in a later run.

    DuckDB resolves the path of a file in a view when the view is read.
    """
    if warehouse.kind != "duckdb":
        yield
        return
    with scratch_folder() as folder, chdir(folder):
        yield


def _relation(warehouse: Warehouse, schema: RawTable, select: str) -> Relation:
    """Return the rows of a SELECT as they are, and with exactly the raw table's types."""
    of_views = _RAW_TABLE.search(_COMMENT.sub("", select))
    if of_views:
        raise BackcourtError(
            f"{schema.name}.sql reads {of_views[0]}, and an adoption makes a view of that",
            ["Name the table that holds the rows.", _NOTHING],
            ExitCode.USAGE,
        )
    # A comment at the end of the SELECT ends with its line.
    source = f"({select}\n) as source_rows"
    names = warehouse.query(f"select * from {source} limit 0").column_names  # noqa: S608 the user's own SQL
    # Neither engine distinguishes names by their case.
    present = {name.lower() for name in names}
    check_columns(schema, present)
    given, typed = [], []
    for column in schema.columns:
        value = f"source_rows.{column.name}" if column.name in present else "null"
        # A time of day, and its zone, are lost in a date.
        is_text = column.name not in present or column.type == "date"
        given.append(f"{f'cast({value} as string)' if is_text else value} as {column.name}")
        typed.append(f"{_stored(column, value)} as {column.name}")
    return Relation(
        warehouse.query,
        schema,
        f"(select {', '.join(given)} from {source})",  # noqa: S608 as above
        f"(select {', '.join(typed)} from {source})",  # noqa: S608 as above
        is_stored=True,
    )


def _of_view(warehouse: Warehouse, schema: RawTable) -> Relation:
    """Return the rows of a raw table that is a view."""
    name = schema.spec.name
    return Relation(warehouse.query, schema, name, name, is_stored=True)


def _stored(column: RawColumn, value: str) -> str:
    """Return the SQL of a value as a load would store it."""
    if column.type == "string":
        return f"nullif(trim(cast({value} as string)), '')"
    # The engines have no name for a double in common, and read 1e0 as one.
    stored = f"1e0 * {value}" if column.type == "float64" else f"cast({value} as {column.type})"
    if column.zero_where is None:
        return stored
    flag = f"cast(source_rows.{column.zero_where} as bool)"
    return f"coalesce({stored}, case when {flag} then 0 end)"


def _check(relation: Relation) -> int:
    """Check the rows and return their number."""
    (found,) = relation.query(
        f"select count(*) as all_rows from {relation.given} as rows_given"  # noqa: S608 as above
    ).to_pylist()
    if not found["all_rows"]:
        raise _refusal(relation, "the SELECT gives no rows", ["Correct it."])
    wrong = first_wrong(relation)
    if wrong is not None:
        raise _refusal(relation, wrong.problem, wrong.lines())
    return int(found["all_rows"])


def _check_across_tables(warehouse: Warehouse, relations: Mapping[RawTable, Relation]) -> list[str]:
    """Check rows against the games, adopted or loaded; return warnings."""
    warnings = []
    games = GAMES.spec.name if warehouse.has_table(GAMES.spec.name) else None
    if GAMES in relations:
        games = relations[GAMES].typed
        teams = warehouse.query(
            "select season, home_team_abbr, away_team_abbr, min(game_id) as game_id "  # noqa: S608 as above
            f"from {games} as games group by season, home_team_abbr, away_team_abbr "
            "order by game_id"
        )
        check_franchises(teams.to_pylist(), end=_end(relations[GAMES]))
    for schema, relation in relations.items():
        if games is None or not has_teams(schema):
            continue
        wrong = wrong_teams(relation, games)
        if wrong is not None:
            raise _refusal(relation, wrong.problem, wrong.lines())
        unknown = warehouse.query(games_unknown(relation.typed, games)).num_rows
        if unknown:
            warnings.append(
                f"{schema.name} has rows of {counted(unknown, 'game')} not in games; they are not "
                "used"
            )
    return warnings


@contextmanager
def _errors_of(schema: RawTable) -> Iterator[None]:
    """Say whose SELECT the warehouse refuses to run."""
    try:
        yield
    except duckdb.Error as error:
        is_of_types = isinstance(error, duckdb.ConversionException) or "cast" in str(error)
        raise BackcourtError(
            f"{schema.name}.sql fails: {str(error).splitlines()[0]}",
            [
                "Correct the SELECT.",
                *(["Its columns have the raw types; minutes is a number."] if is_of_types else []),
                _NOTHING,
            ],
        ) from error
    except BackcourtError as error:
        if error.message.startswith(f"{schema.name}.sql"):
            raise
        raise BackcourtError(
            f"{schema.name}.sql: {error.message}",
            [*error.hint, _NOTHING],
            error.exit_code,
        ) from error


def _refusal(relation: Relation, problem: str, details: Sequence[str]) -> BackcourtError:
    table = relation.schema
    name = table.spec.name if _is_view(relation) else f"{table.name}.sql"
    return BackcourtError(f"{name}: {problem}", [*details, _end(relation)])


def _end(relation: Relation) -> str:
    """Return the last line of a refusal."""
    return _NOTHING_BUILT if _is_view(relation) else _NOTHING


def _is_view(relation: Relation) -> bool:
    """Tell whether a relation is a view already, rather than a SELECT that is to become one."""
    return relation.given == relation.schema.spec.name


def _note(rows: Mapping[str, int]) -> TableChange:
    now, names = dt.datetime.now(dt.UTC), list(rows)
    zeros = [0] * len(names)
    noted = pa.table(
        {
            "load_id": [uuid.uuid4().hex] * len(names),
            "table_name": names,
            "files": zeros,
            "rows_read": [rows[name] for name in names],
            **dict.fromkeys(("inserted", "updated", "unchanged", "deleted"), zeros),
            "loaded_at": pa.array([now] * len(names), pa.timestamp("us", tz="UTC")),
        }
    )
    return TableChange(LOADS.name, LOADS.key, noted)
