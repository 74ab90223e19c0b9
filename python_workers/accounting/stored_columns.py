"""Compares the columns of the computed rows and records with those that the project declares."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from python_workers import table_names
from python_workers.errors import BackcourtError, ExitCode
from python_workers.processors.catalogue import PROCESSORS
from python_workers.raw.descriptions import models_folder, read_declarations
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
_SHOWN = 10


def check_columns(warehouse: Warehouse) -> None:
    """Refuse to read tables whose columns are not those that the project declares.

    Queries fill in the columns that an earlier version did not have.

    Raises
    ------
    BackcourtError
        With exit code 3; it names the columns and the repair.
    """
    lacking = [
        f"{table} has no column {column.name}"
        for table, columns in _missing_columns(warehouse).items()
        for column in columns
        if column.name not in ADDED_COLUMNS.get(table, ())
    ]
    if lacking:
        more = f"; and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
        raise BackcourtError(
            "; ".join(lacking[:_SHOWN]) + more,
            "Run: backcourt backfill --all. It adds the column and fills it.",
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
        missing = tuple(column for column in declared if column.name not in stored)
        if missing:
            lacking[table] = missing
    return lacking


@cache
def _declared_columns() -> Mapping[str, tuple[Column, ...]]:
    """Return the columns of each table by the files of the models; none without these files."""
    models = models_folder()
    if models is None:
        return {}
    files = {file.stem: file for file in models.rglob("*.yml")}
    declared = {}
    for table in _TABLES:
        name = table.partition(".")[2]
        (model,) = read_declarations(files[name])["models"]
        declared[table] = tuple(
            Column(column["name"], column["data_type"]) for column in model["columns"]
        )
    return declared
