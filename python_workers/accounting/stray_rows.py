"""Finds rows that no backfill reaches: of no date, of no processor, or records that stand twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from python_workers import table_names
from python_workers.accounting.schedule import FIRST_DATE, LAST_DATE
from python_workers.processors.catalogue import BY_NAME, PROCESSORS
from python_workers.warehouse.base import TableChange, Warehouse

REPAIR = "backcourt remove --strays"

# Each condition bounds the date, which BigQuery requires; no row satisfies two of them.
_NO_DATE = (
    f"({{day}} is null or {{day}} > date '{LAST_DATE}')",
    f"{{day}} < date '{FIRST_DATE}'",
)
_WITHOUT_DATE = f"without a date between {FIRST_DATE.year} and {LAST_DATE.year}"
_NAMES = ", ".join(f"'{name}'" for name in BY_NAME)
_NO_PROCESSOR = f"(processor_name is null or processor_name not in ({_NAMES}))"

_TWICE = "whose key stands more than once"
_DATE = "analysis_date"


@dataclass(frozen=True)
class Stray:
    """Stray rows of a table.

    Parameters
    ----------
    table
        ``schema.table``.
    problem
        What the rows lack, in words.
    rows
        Their number.
    """

    table: str
    problem: str
    rows: int

    def __str__(self) -> str:
        """Describe the rows, as in ``2 rows of nba_processing.precompute_failures ...``."""
        rows = "row" if self.rows == 1 else "rows"
        return f"{self.rows:,} {rows} of {self.table} {self.problem}"


def find_strays(warehouse: Warehouse) -> list[Stray]:
    """Return the stray rows of the features, failures and records, by table and problem."""
    selects = [
        f"select stray_table, problem, count(*) as n from ("  # noqa: S608 our own names
        f"select '{table}' as stray_table, {problem} as problem from {table} where {condition}"
        ") as strays group by stray_table, problem"
        for table, problem, condition in _conditions(warehouse)
    ]
    selects += [
        f"select '{table}' as stray_table, '{_TWICE}' as problem, "  # noqa: S608 our own names
        f"coalesce(sum(times - 1), 0) as n from ({_repeated_keys(table)}) as repeated"
        for table in table_names.RECORD_KEYS
        if warehouse.has_table(table)
    ]
    if not selects:
        return []
    rows: Counter[tuple[str, str]] = Counter()
    for row in warehouse.query(" union all ".join(selects)).to_pylist():
        rows[row["stray_table"], row["problem"]] += row["n"]
    return [
        Stray(table, problem, count) for (table, problem), count in sorted(rows.items()) if count
    ]


def delete_strays(warehouse: Warehouse) -> list[Stray]:
    """Delete the stray rows, and return what has been deleted; of a repeated key one row stays."""
    found = find_strays(warehouse)
    tables = {stray.table for stray in found}
    for table, _, condition in _conditions(warehouse):
        if table in tables:
            warehouse.execute(f"delete from {table} where {condition}")  # noqa: S608 our own names
    repeated = [stray.table for stray in found if stray.problem == _TWICE]
    if repeated:
        warehouse.commit([_one_of_each_key(warehouse, table) for table in repeated])
    return found


def _repeated_keys(table: str) -> str:
    key = table_names.RECORD_KEYS[table]
    there = " and ".join(f"{name} is not null" for name in key)
    return (
        f"select {', '.join(key)}, count(*) as times from {table} "  # noqa: S608 our own names
        f"where {_dated(table)} and {there} group by {', '.join(key)} having count(*) > 1"
    )


def _dated(table: str) -> str:
    """Return the condition on the partition of a table of records."""
    return _has_date(_DATE) if _DATE in table_names.RECORD_KEYS[table] else "true"


def _has_date(day: str) -> str:
    return f"{day} between date '{FIRST_DATE}' and date '{LAST_DATE}'"


def _one_of_each_key(warehouse: Warehouse, table: str) -> TableChange:
    key = list(table_names.RECORD_KEYS[table])
    rows = warehouse.query(
        f"select stored.* from (select * from {table} where {_dated(table)}) as stored "  # noqa: S608 our own names
        f"inner join ({_repeated_keys(table)}) as repeated on "
        + " and ".join(f"stored.{name} = repeated.{name}" for name in key)
    )
    numbered = rows.select(key).append_column("nth", pa.array(np.arange(rows.num_rows)))
    first = numbered.group_by(key).aggregate([("nth", "min")]).column("nth_min")
    return TableChange(table, tuple(key), rows.take(first))


def _conditions(warehouse: Warehouse) -> Iterator[tuple[str, str, str]]:
    """Yield each table, the SQL expression of the problem, and the condition of stray rows."""
    tables = {processor.table: processor.date_column for processor in PROCESSORS}
    shared = (table_names.PRECOMPUTE_FAILURES, table_names.PROCESSED_DATES)
    for table, day in (tables | dict.fromkeys(shared, _DATE)).items():
        if not warehouse.has_table(table):
            continue
        for condition in _NO_DATE:
            yield table, f"'{_WITHOUT_DATE}'", condition.format(day=day)
        if table in shared:
            problem = "concat('of the unknown processor ', coalesce(processor_name, 'NULL'))"
            yield table, problem, f"{_has_date(day)} and {_NO_PROCESSOR}"
