"""Compares the features and failures of two warehouses, date by date, in bounded memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from python_workers import table_names
from python_workers.accounting.commits import FAILURE_KEY
from python_workers.accounting.processed_dates import BOOKKEEPING
from python_workers.accounting.record_diff import RecordDiff, diff_records, differing
from python_workers.accounting.schedule import Schedule
from python_workers.diff.findings import DIFFERENCES, ColumnChanges, Example, Kind, TableDiff
from python_workers.processors.base import Processor
from python_workers.warehouse.base import Warehouse

# Both sides of so many dates are in memory at a time.
CHUNK_DATES = 40

# The sum of remainders modulo this prime fits an INT64.
_PRIME = 2**31 - 1

_NTH = "nth_of_its_key"

_Fingerprint = tuple[int, int, int]
"""Number of rows of a date, XOR of their hashes, sum of the remainders of their hashes."""


@dataclass(frozen=True)
class ComparedTable:
    """A table whose rows are compared.

    Parameters
    ----------
    name
        Name in the result: the processor's key, or ``failures``.
    table
        ``schema.table``.
    date_column
        The column with the date.
    key
        Columns that identify a row, the date column among them.
    entity
        The column with the readable name of a row's player or team.
    processors
        Names of the processors whose rows count; None if the table is of one processor.
    """

    name: str
    table: str
    date_column: str
    key: tuple[str, ...]
    entity: str
    processors: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Range:
    """The dates to compare: all from `start` to `end`, or of these only those in `spans`."""

    start: date = date.min
    end: date = date.max
    spans: tuple[tuple[date, date], ...] = ()

    @classmethod
    def of(cls, schedule: Schedule) -> Range:
        """Return the dates of a schedule, with or without games; whole seasons if it has some."""
        if not schedule.spans:
            return cls(schedule.start, schedule.end)
        firsts, lasts = zip(*schedule.spans, strict=True)
        return cls(min(firsts), max(lasts), schedule.spans)

    def has(self, day: date) -> bool:
        """Tell whether a date of a query over `start` to `end` counts."""
        return not self.spans or any(first <= day <= last for first, last in self.spans)


def compared_tables(processors: Sequence[Processor]) -> tuple[ComparedTable, ...]:
    """Return the tables of some processors: their rows, and all their failures."""
    rows = [
        ComparedTable(
            processor.key,
            processor.table,
            processor.date_column,
            (processor.date_column, processor.entity),
            processor.entity_name,
        )
        for processor in processors
    ]
    failures = ComparedTable(
        "failures",
        table_names.PRECOMPUTE_FAILURES,
        "analysis_date",
        ("processor_name", *FAILURE_KEY),
        "entity_id",
        tuple(processor.name for processor in processors),
    )
    return (*rows, failures)


def compare(
    here: Warehouse,
    there: Warehouse,
    processors: Sequence[Processor],
    within: Range | None = None,
    examples: int = 3,
) -> list[TableDiff]:
    """Compare the rows and failures of two warehouses.

    Two warehouses on the same engine hash the rows of each date first; only dates whose hashes
    differ are read, some at a time. Columns that say when and by which run a row was written do not
    count.

    Parameters
    ----------
    here, there
        The warehouses, on any engine.
    processors
        Whose rows and failures to compare.
    within
        The dates; all of both warehouses by default.
    examples
        How many examples to keep of each kind of difference.

    Returns
    -------
    list of TableDiff
        One per table that stands on at least one side.
    """
    sides = (here, there)
    found = []
    for compared in compared_tables(processors):
        present = [side.has_table(compared.table) for side in sides]
        if any(present):
            found.append(_compare_table(sides, compared, present, within or Range(), examples))
    return found


def _compare_table(
    sides: tuple[Warehouse, Warehouse],
    compared: ComparedTable,
    present: Sequence[bool],
    within: Range,
    examples: int,
) -> TableDiff:
    columns = [
        [column.name for column in side.columns(compared.table)] if there else []
        for side, there in zip(sides, present, strict=True)
    ]
    shared = [name for name in columns[0] if name in columns[1]] if all(present) else columns[0]
    read = [name for name in (shared or columns[1]) if name not in BOOKKEEPING]
    diff = TableDiff(
        compared.name,
        compared.table,
        columns_only_here=tuple(name for name in columns[0] if all(present) and name not in shared),
        columns_only_there=tuple(
            name for name in columns[1] if all(present) and name not in shared
        ),
    )
    of_dates = [
        _fingerprints(side, compared, read, within) if there else {}
        for side, there in zip(sides, present, strict=True)
    ]
    can_skip = sides[0].row_hash == sides[1].row_hash
    for days in _chunks(of_dates[0].keys() | of_dates[1].keys()):
        differ = []
        for day in days:
            one, other = (fingerprints.get(day) for fingerprints in of_dates)
            if can_skip and one is not None and one == other:
                diff.add_same(day, one[0])
            else:
                differ.append(day)
        if differ:
            tables = [
                _read(side, compared, read, differ) if there else None
                for side, there in zip(sides, present, strict=True)
            ]
            empty = next(table for table in tables if table is not None).slice(0, 0)
            one, other = (empty if table is None else table for table in tables)
            _add(diff, compared, one, other, examples)
    return diff


def _chunks(days: Collection[date]) -> Iterator[list[date]]:
    ordered = sorted(days)
    for first in range(0, len(ordered), CHUNK_DATES):
        yield ordered[first : first + CHUNK_DATES]


def _condition(compared: ComparedTable) -> str:
    of_processors = "" if compared.processors is None else "and processor_name in unnest(@names)"
    return f"{compared.date_column} between @start and @end {of_processors}"


def _names(compared: ComparedTable) -> dict[str, object]:
    return {} if compared.processors is None else {"names": list(compared.processors)}


def _fingerprints(
    warehouse: Warehouse, compared: ComparedTable, columns: Sequence[str], within: Range
) -> dict[date, _Fingerprint]:
    rows = warehouse.query(
        f"select day, count(*) as n, bit_xor(row_hash) as hashes, "  # noqa: S608 names of the catalog
        f"cast(sum(mod(row_hash, {_PRIME})) as int64) as total from ("
        f"select {compared.date_column} as day, {warehouse.row_hash} as row_hash from ("
        f"select {', '.join(columns)} from {compared.table} where {_condition(compared)}"
        ") as t) as hashed group by day",
        {"start": within.start, "end": within.end, **_names(compared)},
    )
    return {
        row["day"]: (row["n"], row["hashes"], row["total"])
        for row in rows.to_pylist()
        if within.has(row["day"])
    }


def _read(
    warehouse: Warehouse, compared: ComparedTable, columns: Sequence[str], days: Sequence[date]
) -> pa.Table:
    return warehouse.query(
        f"select {', '.join(columns)} from {compared.table} where {_condition(compared)} "  # noqa: S608 names of the catalog
        f"and {compared.date_column} in unnest(@days)",
        {"start": days[0], "end": days[-1], "days": list(days), **_names(compared)},
    )


def _add(
    diff: TableDiff, compared: ComparedTable, here: pa.Table, there: pa.Table, examples: int
) -> None:
    """Add the differences of some dates; pair the rows of a key in the order of their values."""
    values = [name for name in here.column_names if name not in compared.key]
    one, other = (
        table.append_column(_NTH, _numbers_within_keys(table, compared.key, values))
        for table in (here, there)
    )
    found = diff_records(one, other, (*compared.key, _NTH), values)
    outcomes: tuple[tuple[Kind, pa.Table, np.ndarray], ...] = (
        ("same", there, found.unchanged),
        ("changed", there, found.updated),
        ("only_here", here, found.deleted),
        ("only_there", there, found.inserted),
    )
    for kind, table, at in outcomes:
        diff.add(kind, table.column(compared.date_column).take(pa.array(at)))
    for table, at, into in (
        (here, found.deleted, diff.examples_only_here),
        (there, found.inserted, diff.examples_only_there),
    ):
        wanted = at[: max(examples - len(into), 0)]
        into += [Example(*_who(compared, table, int(row))) for row in wanted]
    if len(found.updated):
        for name in values:
            _add_column(diff, compared, here, there, found, name, examples)


def _numbers_within_keys(table: pa.Table, key: Sequence[str], values: Sequence[str]) -> pa.Array:
    """Return the number of each row among those of its key, which the values order; from 0."""
    numbers = np.zeros(table.num_rows, np.int64)
    for names in (key, (*key, *values)):
        order = pc.sort_indices(table, [(name, "ascending") for name in names])
        begins = np.full(table.num_rows, fill_value=False)
        begins[:1] = True
        for name in key:
            column = table.column(name).take(order)
            begins[1:] |= differing(column[1:], column[:-1])
        if begins.all():
            break
        at = np.arange(table.num_rows)
        numbers[order.to_numpy()] = at - np.maximum.accumulate(np.where(begins, at, 0))
    return pa.array(numbers)


def _add_column(
    diff: TableDiff,
    compared: ComparedTable,
    here: pa.Table,
    there: pa.Table,
    found: RecordDiff,
    name: str,
    examples: int,
) -> None:
    one = here.column(name).take(pa.array(found.replaced))
    other = there.column(name).take(pa.array(found.updated))
    at = np.flatnonzero(differing(other, one))
    if not len(at):
        return
    changes = diff.columns.setdefault(name, ColumnChanges())
    changes.rows += len(at)
    before, after = one.take(pa.array(at)), other.take(pa.array(at))
    if pa.types.is_integer(before.type) or pa.types.is_floating(before.type):
        sizes = pc.abs(pc.subtract(after.cast(pa.float64()), before.cast(pa.float64())))
        changes.add_sizes(sizes.filter(pc.is_finite(sizes)).to_numpy())
    for row in at[: max(examples - len(changes.examples), 0)].tolist():
        day, entity = _who(compared, there, int(found.updated[row]))
        changes.examples.append(Example(day, entity, one[row].as_py(), other[row].as_py()))


def _who(compared: ComparedTable, table: pa.Table, row: int) -> tuple[date, str]:
    entity = table.column(compared.entity)[row].as_py()
    if compared.processors is not None:
        entity = f"{table.column('processor_name')[row].as_py()} {entity}"
    return table.column(compared.date_column)[row].as_py(), str(entity)


def totals(found: Sequence[TableDiff]) -> Mapping[str, int]:
    """Return the numbers of rows only here, only there and changed, over all tables."""
    return {kind: sum(table.count(kind) for table in found) for kind in DIFFERENCES}
