"""Finds rows that belong to no date or to no processor, so that no backfill reaches them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from python_workers import table_names
from python_workers.accounting.schedule import FIRST_DATE, LAST_DATE
from python_workers.processors.catalogue import BY_NAME, PROCESSORS
from python_workers.warehouse.base import Warehouse

REPAIR = "backcourt remove --strays"

_NO_DATE = f"({{day}} is null or {{day}} not between date '{FIRST_DATE}' and date '{LAST_DATE}')"
_WITHOUT_DATE = f"without a date between {FIRST_DATE.year} and {LAST_DATE.year}"
_NAMES = ", ".join(f"'{name}'" for name in BY_NAME)
_NO_PROCESSOR = f"(processor_name is null or processor_name not in ({_NAMES}))"


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
    """Return the stray rows of the features, failures and current records, by table and problem."""
    selects = [
        f"select stray_table, problem, count(*) as n from ("  # noqa: S608 our own names
        f"select '{table}' as stray_table, {problem} as problem from {table} where {condition}"
        ") as strays group by stray_table, problem"
        for table, problem, condition in _conditions(warehouse)
    ]
    if not selects:
        return []
    found = warehouse.query(" union all ".join(selects)).to_pylist()
    strays = [Stray(row["stray_table"], row["problem"], row["n"]) for row in found]
    return sorted(strays, key=lambda stray: (stray.table, stray.problem))


def delete_strays(warehouse: Warehouse) -> list[Stray]:
    """Delete the stray rows, and return what has been deleted."""
    found = find_strays(warehouse)
    tables = {stray.table for stray in found}
    for table, _, condition in _conditions(warehouse):
        if table in tables:
            warehouse.execute(f"delete from {table} where {condition}")  # noqa: S608 our own names
    return found


def _conditions(warehouse: Warehouse) -> Iterator[tuple[str, str, str]]:
    """Yield each table, the SQL expression of the problem, and the condition of stray rows."""
    for processor in PROCESSORS:
        if warehouse.has_table(processor.table):
            yield processor.table, f"'{_WITHOUT_DATE}'", _NO_DATE.format(day=processor.date_column)
    no_date = _NO_DATE.format(day="analysis_date")
    problem = (
        f"case when {_NO_PROCESSOR} then concat('of the unknown processor ', "
        f"coalesce(processor_name, 'NULL')) else '{_WITHOUT_DATE}' end"
    )
    for table in (table_names.PRECOMPUTE_FAILURES, table_names.PROCESSED_DATES):
        if warehouse.has_table(table):
            yield table, problem, f"({_NO_PROCESSOR} or {no_date})"
