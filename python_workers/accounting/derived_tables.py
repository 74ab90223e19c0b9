"""Fingerprints the tables that dbt derives from the raw tables, to find changes by others."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from python_workers import table_names
from python_workers.processors.catalogue import PROCESSORS
from python_workers.warehouse.base import Warehouse

# The columns of the dates and seasons that a table's rows belong to; the first one counts.
_DATE, _YEAR = "analysis_date", "season_year"

# The sum of remainders modulo this prime fits an INT64.
_PRIME = 2**31 - 1

_COLUMNS = """
select columns.table_schema as schema_name, columns.table_name, columns.column_name
from information_schema.columns as columns
inner join information_schema.tables as tables
    on columns.table_catalog = tables.table_catalog
    and columns.table_schema = tables.table_schema
    and columns.table_name = tables.table_name
where tables.table_type = 'BASE TABLE'
    and columns.table_catalog = current_database()
    and columns.table_schema in unnest(@schemas)
order by columns.ordinal_position
"""


@dataclass(frozen=True)
class DerivedRows:
    """Number, exclusive or and sum of the row hashes, by table and then by date or season.

    Parameters
    ----------
    by_scope
        By table, the fingerprints of its rows by date (as in ``2021-10-19``), by the year in which
        a season starts, or, under an empty text, of all rows.
    """

    by_scope: Mapping[str, Mapping[str, tuple[int, int, int]]]

    def digest(self, season_year: int | None, first: date | None, last: date | None) -> str:
        """Return a digest of the rows of a season and of its dates from `first` to `last`.

        Without dates, leave out the tables that have rows by date.
        """
        digest = hashlib.sha256()
        for table, scopes in sorted(self.by_scope.items()):
            parts = [
                fingerprint
                for scope, fingerprint in scopes.items()
                if _is_within(scope, season_year, first, last)
            ]
            if parts:
                number, either, total = 0, 0, 0
                for part in parts:
                    number, either, total = number + part[0], either ^ part[1], total + part[2]
                digest.update(f"{table}:{number}:{either}:{total}|".encode())
        return digest.hexdigest()[:32]


@dataclass(frozen=True)
class Scope:
    """Seasons, by the years in which they start, and a range that contains all their dates."""

    years: Collection[int]
    first: date
    last: date


def read_derived(warehouse: Warehouse, within: Scope | None = None) -> DerivedRows | None:
    """Fingerprint the seasons, the analytics tables, the inputs and the expected entities.

    Return None on an engine that bills the bytes that this reads. With `within`, read only the
    rows of these seasons, which suffices for their digests.
    """
    if warehouse.has_free_content_state:
        return None
    written = {processor.table for processor in PROCESSORS}
    schemas = [table_names.ANALYTICS, table_names.PRECOMPUTE]
    columns: dict[str, list[str]] = {}
    schemas += [table.partition(".")[0] for table in _OTHERS]
    for row in warehouse.query(_COLUMNS, {"schemas": schemas}).to_pylist():
        table = f"{row['schema_name']}.{row['table_name']}"
        if table in _OTHERS or (row["schema_name"] in schemas[:2] and table not in written):
            columns.setdefault(table, []).append(row["column_name"])
    if not columns:
        return DerivedRows({})
    return DerivedRows(
        {
            table: _fingerprints(warehouse, table, names, within)
            for table, names in sorted(columns.items())
        }
    )


_OTHERS = (table_names.SEASONS, table_names.EXPECTED_ENTITIES)


def _fingerprints(
    warehouse: Warehouse, table: str, columns: list[str], within: Scope | None
) -> dict[str, tuple[int, int, int]]:
    """Return number, exclusive or and sum of the hashes of each scope's rows.

    Ask for each table by itself: with the tables of thirty seasons in one statement, DuckDB within
    its memory limit waits for itself and never ends.
    """
    scope, condition = "''", "true"
    if _DATE in columns:
        scope = f"cast({_DATE} as string)"
        if within is not None:
            condition = f"{_DATE} between date '{within.first}' and date '{within.last}'"
    elif _YEAR in columns:
        scope = f"cast({_YEAR} as string)"
        if within is not None:
            condition = f"{_YEAR} in ({', '.join(map(str, sorted(within.years)))})"
    rows = warehouse.query(
        "select scope, count(*) as n, bit_xor(row_hash) as either, "  # noqa: S608 our own names
        f"cast(sum(mod(row_hash, {_PRIME})) as int64) as total "
        f"from (select {scope} as scope, {warehouse.hash_of(columns)} as row_hash from {table} "
        f"where {condition}) as hashed group by scope"
    )
    return {row["scope"]: (row["n"], row["either"], row["total"]) for row in rows.to_pylist()}


def _is_within(scope: str, season_year: int | None, first: date | None, last: date | None) -> bool:
    if "-" in scope:
        return first is not None and last is not None and str(first) <= scope <= str(last)
    return not scope or season_year is None or scope == str(season_year)
