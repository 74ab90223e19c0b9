"""``backcourt adopt``: views over tables that are already in the warehouse stand for raw tables.

The rows stay where they are. What changes below a view changes the state of the raw table, so the
next backfill sees it.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from python_workers.errors import BackcourtError, ExitCode
from python_workers.raw.player_registry import register_players
from python_workers.raw.schema import (
    CHANGED_GAMES,
    GAME_STATUSES,
    LOADS,
    PLAYER_REGISTRY,
    RAW_TABLES,
    SEASON_TYPES,
    ZONE_LABELS,
    RawColumn,
    RawTable,
)
from python_workers.warehouse.base import TableChange, Warehouse

# Values that a text column admits, as in the parsers of raw files.
_ADMITTED = {
    "season_type": SEASON_TYPES,
    "status": GAME_STATUSES,
    "zone_basic": (*ZONE_LABELS, ""),
}
_EXAMPLES = 3


@dataclass(frozen=True)
class Adoption:
    """The result of an adoption.

    Parameters
    ----------
    rows
        Rows of each adopted table.
    new_players
        Number of players who got a lookup.
    """

    rows: Mapping[str, int]
    new_players: int


def read_selects(directory: Path) -> dict[str, str]:
    """Return the SELECT of each raw table that a folder has a ``<table>.sql`` for.

    Raises
    ------
    BackcourtError
        If there is none.
    """
    found = {
        schema.name: path.read_text("utf-8").strip().rstrip(";")
        for schema in RAW_TABLES
        if (path := directory / f"{schema.name}.sql").is_file()
    }
    if not found:
        raise BackcourtError(
            f"{directory} has no SELECT for a raw table",
            f"It needs some of {', '.join(f'{schema.name}.sql' for schema in RAW_TABLES)}.",
            ExitCode.ENVIRONMENT,
        )
    return found


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
        If a column is missing, a row has no key or shares it, a value is not admitted, or the raw
        table exists and holds loaded rows. Then no view is created.
    """
    chosen = [schema for schema in RAW_TABLES if schema.name in selects]
    for schema in chosen:
        if warehouse.has_table(schema.spec.name) and not warehouse.is_view(schema.spec.name):
            raise BackcourtError(
                f"{schema.spec.name} is a table with loaded rows",
                "Adopt into a warehouse of its own, or drop that table first.",
                ExitCode.USAGE,
            )
    views, rows = {}, {}
    for schema in chosen:
        with _errors_of(schema):
            views[schema.name] = _view(warehouse, schema, selects[schema.name])
            rows[schema.name] = _check(warehouse, schema, views[schema.name])
    warehouse.ensure_tables((PLAYER_REGISTRY, LOADS, CHANGED_GAMES))
    for schema in chosen:
        warehouse.execute(f"create or replace view {schema.spec.name} as {views[schema.name]}")
    missing = [schema.spec for schema in RAW_TABLES if not warehouse.has_table(schema.spec.name)]
    warehouse.ensure_tables(missing)
    new_players = register_players(warehouse)
    warehouse.commit([_note(rows)])
    return Adoption(rows, new_players)


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


def _view(warehouse: Warehouse, schema: RawTable, select: str) -> str:
    """Return the SELECT with exactly the raw table's columns and types."""
    present = set(warehouse.query(f"select * from ({select}) as given limit 0").column_names)  # noqa: S608 the user's own SQL
    missing = [
        column.name
        for column in schema.columns
        if column.is_required and column.name not in present
    ]
    if missing:
        raise BackcourtError(
            f"{schema.name}.sql gives no column {', '.join(missing)}",
            f"It gives: {', '.join(sorted(present))}.",
        )
    columns = ", ".join(
        f"{_cast(column, f'given.{column.name}' if column.name in present else 'null')} "
        f"as {column.name}"
        for column in schema.columns
    )
    return f"select {columns} from ({select}) as given"  # noqa: S608 as above


def _cast(column: RawColumn, value: str) -> str:
    # The engines have no name for a double in common, and read 1e0 as one.
    return f"1e0 * {value}" if column.type == "float64" else f"cast({value} as {column.type})"


def _check(warehouse: Warehouse, schema: RawTable, view: str) -> int:
    """Check the rows of a view and return their number."""
    key = ", ".join(schema.key)
    needed = [
        column.name
        for column in schema.columns
        if not column.is_nullable and column.zero_where is None
    ]
    counts = ", ".join(f"countif({name} is null) as {name}" for name in needed)
    (found,) = warehouse.query(
        f"select count(*) as all_rows, {counts} from ({view}) as rows_of_view"  # noqa: S608 as above
    ).to_pylist()
    total = found.pop("all_rows")
    for name, count in found.items():
        if count:
            raise _refusal(schema, f"column {name} must not be empty", f"rows without it: {count}")
    twice = warehouse.query(
        f"select {key}, count(*) as times from ({view}) as rows_of_view "  # noqa: S608 as above
        f"group by {key} having count(*) > 1 order by {key} limit {_EXAMPLES}"
    ).to_pylist()
    if twice:
        shown = "; ".join(", ".join(str(row[name]) for name in schema.key) for row in twice)
        raise _refusal(schema, f"rows share their key ({key})", f"first: {shown}")
    for name, admitted in _ADMITTED.items():
        if name not in schema.spec.column_names:
            continue
        values = ", ".join(f"'{value}'" for value in admitted)
        other = warehouse.query(
            f"select {name} as given, count(*) as times from ({view}) as rows_of_view "  # noqa: S608 as above
            f"where {name} is not null and {name} not in ({values}) "
            f"group by {name} order by {name} limit {_EXAMPLES}"
        ).to_pylist()
        if other:
            shown = ", ".join(f"{row['given']!r}" for row in other)
            advice = f"found: {shown}; admitted: {', '.join(filter(None, admitted))}"
            raise _refusal(schema, f"column {name} has unknown values", advice)
    return int(total)


@contextmanager
def _errors_of(schema: RawTable) -> Iterator[None]:
    """Say whose SELECT the warehouse refuses to run."""
    try:
        yield
    except duckdb.Error as error:
        raise BackcourtError(
            f"{schema.name}.sql fails: {str(error).splitlines()[0]}",
            [
                "Correct the SELECT: its columns have the raw types, and minutes is a number.",
                "Nothing was adopted.",
            ],
        ) from error
    except BackcourtError as error:
        if error.message.startswith(f"{schema.name}.sql"):
            raise
        raise BackcourtError(
            f"{schema.name}.sql: {error.message}",
            [*error.hint, "Nothing was adopted."],
            error.exit_code,
        ) from error


def _refusal(schema: RawTable, problem: str, detail: str) -> BackcourtError:
    return BackcourtError(f"{schema.name}.sql: {problem}", [f"{detail}.", "Nothing was adopted."])


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
