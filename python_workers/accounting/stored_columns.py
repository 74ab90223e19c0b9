"""Compares the columns of the computed rows and records with those that the project declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from python_workers import table_names
from python_workers.accounting.known_gaps import KNOWN_GAPS_TABLE
from python_workers.accounting.seasons import SEASONS_TABLE
from python_workers.errors import BackcourtError, ExitCode
from python_workers.processors.catalogue import PROCESSORS
from python_workers.raw.descriptions import models_folder, read_declarations
from python_workers.raw.schema import CHANGED_GAMES, LOADS, PLAYER_REGISTRY, RAW_TABLES
from python_workers.warehouse.base import Column, TableSpec, Warehouse
from python_workers.warehouse.former_tables import ADDED_COLUMNS

_TABLES = (
    *(processor.table for processor in PROCESSORS),
    table_names.PRECOMPUTE_FAILURES,
    table_names.PROCESSED_DATES,
    table_names.PROCESSOR_RUNS,
    table_names.RECORD_CHANGES,
    table_names.REPROCESS_ATTEMPTS,
    table_names.INPUT_BUILDS,
)
_OTHERS = (PLAYER_REGISTRY, LOADS, CHANGED_GAMES)
_SHOWN = 10


def check_columns(warehouse: Warehouse) -> None:
    """Refuse to read tables whose columns are not those that the project declares.

    Queries fill in the columns that an earlier version did not have.

    Raises
    ------
    BackcourtError
        With exit code 3; it names the columns and the repair.
    """
    lacking = {
        table: [column for column in columns if column.name not in ADDED_COLUMNS.get(table, ())]
        for table, columns in _missing_columns(warehouse).items()
    }
    if any(lacking.values()):
        raise _lacking_error(lacking, "backcourt backfill --all")


def altered_table_error(warehouse: Warehouse) -> BackcourtError | None:
    """Return the error for a raw table, model or view that lacks a column or cannot be read.

    It says why a query of another table than `check_columns` checks has failed; None if none of
    them is altered.
    """
    raw = {schema.spec.name: schema.spec.columns for schema in RAW_TABLES}
    raw |= {spec.name: spec.columns for spec in _OTHERS}
    for table, columns in raw.items():
        problem = _problem_of_view(warehouse, table, columns) if warehouse.is_view(table) else None
        if problem:
            return BackcourtError(
                f"{table} is a view that cannot be read: {problem}",
                "Mend the table or file below it, or adopt it again. Run: backcourt adopt DIR.",
                ExitCode.ENVIRONMENT,
            )
    built = {spec.name: spec.columns for spec in (SEASONS_TABLE, KNOWN_GAPS_TABLE)}
    for declared, command in (
        (raw, "backcourt load DIR"),
        ({**built, **_columns_of_models(warehouse)}, "backcourt backfill --all"),
    ):
        lacking = {
            table: _missing(warehouse, table, columns)
            for table, columns in declared.items()
            if warehouse.has_table(table)
        }
        if any(lacking.values()):
            return _lacking_error(lacking, command)
    return None


def _problem_of_view(warehouse: Warehouse, table: str, columns: Sequence[Column]) -> str | None:
    try:
        warehouse.query(f"select * from {table} limit 0")  # noqa: S608 our own names
    except Exception as error:  # noqa: BLE001 -- whatever the engine says of it
        return str(error).splitlines()[0]
    names = [column.name for column in _missing(warehouse, table, columns)]
    return f"it has no column {', '.join(names)}" if names else None


def _lacking_error(lacking: Mapping[str, Sequence[Column]], command: str) -> BackcourtError:
    named = [
        f"{table} has no column {column.name}"
        for table, columns in lacking.items()
        for column in columns
    ]
    more = f"; and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return BackcourtError(
        "; ".join(named[:_SHOWN]) + more,
        f"Run: {command}. It adds the column and fills it.",
        ExitCode.ENVIRONMENT,
    )


def restore_columns(warehouse: Warehouse) -> None:
    """Add the missing columns, empty: a run then finds that the rows are not as recorded.

    Raises
    ------
    BackcourtError
        With exit code 3 if a column has another type than the project declares.
    """
    lacking = _missing_columns(warehouse)
    if lacking:
        warehouse.ensure_tables(TableSpec(table, names, ()) for table, names in lacking.items())


def _missing_columns(warehouse: Warehouse) -> dict[str, tuple[Column, ...]]:
    """Return the declared columns that tables lack; refuse columns of another type."""
    lacking = {}
    for table, declared in _declared_columns().items():
        if not warehouse.has_table(table):
            continue
        stored = {column.name: column.type for column in warehouse.columns(table)}
        for column in declared:
            found = stored.get(column.name, column.type)
            if found != column.type:
                raise BackcourtError(
                    f"column {column.name} of {table} has the type {found}, not {column.type}",
                    [
                        f"Drop it: alter table {table} drop column {column.name}.",
                        "Then run: backcourt backfill --all. It adds the column and fills it.",
                    ],
                    ExitCode.ENVIRONMENT,
                )
        missing = _missing(warehouse, table, declared)
        if missing:
            lacking[table] = missing
    return lacking


def _missing(warehouse: Warehouse, table: str, declared: Sequence[Column]) -> tuple[Column, ...]:
    stored = {column.name for column in warehouse.columns(table)}
    return tuple(column for column in declared if column.name not in stored)


@cache
def _declared_columns() -> Mapping[str, tuple[Column, ...]]:
    """Return the columns of each table by the files of the models; none without these files."""
    models = models_folder()
    if models is None:
        return {}
    files = {file.stem: file for file in models.rglob("*.yml")}
    return {
        table: _columns_in(files[name]) for table in _TABLES for name in [table.partition(".")[2]]
    }


def _columns_of_models(warehouse: Warehouse) -> Mapping[str, tuple[Column, ...]]:
    """Return the declared columns of each stored model; none without the project's files."""
    models = models_folder()
    if models is None:
        return {}
    stored = {
        table.partition(".")[2]: table
        for table in warehouse.tables()
        if not table.startswith(table_names.RAW)
    }
    return {
        stored[file.stem]: _columns_in(file)
        for file in sorted(models.rglob("*.yml"))
        if file.stem in stored
    }


def _columns_in(file: Path) -> tuple[Column, ...]:
    (model,) = read_declarations(file)["models"]
    return tuple(Column(column["name"], column["data_type"]) for column in model["columns"])
