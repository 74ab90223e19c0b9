"""Recomputes the hashes and digests of stored rows, and compares them with their records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from python_workers import table_names
from python_workers.accounting.coverage import Coverage
from python_workers.accounting.ledger import Ledger
from python_workers.accounting.processed_dates import Processed, Stored
from python_workers.backfill.sql_stage import named_hashes, record_hashes
from python_workers.columnar.record_hash import data_hashes
from python_workers.hashing import HASH_FIELDS
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import PROCESSORS
from python_workers.processors.failures import FAILURE_SCHEMA
from python_workers.processors.output_digests import output_digests
from python_workers.warehouse.base import Warehouse

# The rows of so many dates are in memory at a time.
CHUNK_DATES = 40
EXAMPLES = 5

_MISCOUNTED = ("unaccounted", "duplicated", "unexpected")


@dataclass
class Verified:
    """What the stored rows of a processor say.

    Parameters
    ----------
    processor
        The processor.
    dates, rows
        Numbers of verified dates and rows.
    wrong_hashes
        Number of rows whose stored hash is not that of their values.
    wrong_rows
        Some of these rows.
    wrong_dates
        Dates whose rows and failures are not those of their records, with the difference.
    forged_dates
        Dates whose rows are wrong although they are those of their record: no run finds them due.
    miscounted
        Numbers of expected entities without row and failure, of entities with more than one of
        them, and of entities that are not expected.
    """

    processor: Processor
    dates: int = 0
    rows: int = 0
    wrong_hashes: int = 0
    wrong_rows: list[tuple[date, str]] = field(default_factory=list)
    wrong_dates: dict[date, str] = field(default_factory=dict)
    forged_dates: set[date] = field(default_factory=set)
    miscounted: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_MISCOUNTED, 0))

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.wrong_hashes or self.wrong_dates or any(self.miscounted.values()))


def verify(
    warehouse: Warehouse,
    start: date,
    end: date,
    processors: Sequence[Processor] = PROCESSORS,
    coverage: Coverage | None = None,
    sample: int | None = None,
    ledger: Ledger | None = None,
) -> list[Verified]:
    """Recompute the hash of every row, and the digest of every date, from the stored values.

    Parameters
    ----------
    warehouse
        The warehouse; it is only read.
    start, end
        The range, both ends included.
    processors
        Whose rows to verify.
    coverage
        The accounting of the range; None leaves it out.
    sample
        Verify only so many dates of each processor, spread over the range; None verifies all.
    ledger
        The records and stored rows of the range, if the command has read them; else they are read.
    """
    if ledger is None:
        ledger = Ledger.of_stored(warehouse, start, end)
    current, stored = ledger.current, ledger.stored
    counted = {} if coverage is None else coverage.totals()
    found = []
    for processor in processors:
        verified = Verified(processor)
        days = {day for key, day in ledger.computed if key == processor.key}
        for chunk in _chunks(_spread(sorted(days), sample)):
            _verify_dates(warehouse, verified, current, stored, chunk)
        if processor in counted:
            verified.miscounted = {name: counted[processor][name] for name in _MISCOUNTED}
        found.append(verified)
    return found


def _spread(days: Sequence[date], sample: int | None) -> Sequence[date]:
    if sample is None or len(days) <= sample:
        return days
    return [days[at] for at in np.linspace(0, len(days) - 1, sample).astype(int)]


def _chunks(days: Sequence[date]) -> Iterator[list[date]]:
    for first in range(0, len(days), CHUNK_DATES):
        yield list(days[first : first + CHUNK_DATES])


def _verify_dates(
    warehouse: Warehouse,
    verified: Verified,
    current: dict[tuple[str, date], Processed],
    stored: dict[tuple[str, date], Stored],
    days: Sequence[date],
) -> None:
    processor = verified.processor
    if processor.engine == "pool":
        rows = _pool_rows(warehouse, processor, days)
        hashes = pa.chunked_array([data_hashes(rows, HASH_FIELDS[processor.key])])
        wrong = np.flatnonzero(
            pc.fill_null(pc.not_equal(hashes, rows.column("data_hash")), True).to_numpy()  # noqa: FBT003 Arrow's own signature
        )
        verified.wrong_hashes += len(wrong)
        verified.forged_dates |= set(
            rows.column("analysis_date").take(pa.array(wrong)).unique().to_pylist()
        )
        verified.wrong_rows += [
            (
                rows.column("analysis_date")[at].as_py(),
                rows.column(processor.entity_name)[at].as_py(),
            )
            for at in wrong[: EXAMPLES - len(verified.wrong_rows)].tolist()
        ]
    else:
        rows = record_hashes(warehouse, processor, days)
        hashes = named_hashes(rows)
    digests = output_digests(
        days, rows.column("analysis_date"), hashes, _failures(warehouse, processor, days)
    )
    verified.dates += len(days)
    verified.rows += rows.num_rows
    for day in days:
        record = current.get((processor.key, day))
        what = _difference(record, stored.get((processor.key, day), Stored()))
        if what:
            verified.forged_dates.discard(day)
        elif record is not None and digests[day] != record.output_digest:
            what = "its rows or failures have changed since they were computed"
            verified.forged_dates.add(day)
        if what:
            verified.wrong_dates[day] = what


def _difference(record: Processed | None, stored: Stored) -> str:
    if record is None:
        return "no record says which run wrote its rows"
    return stored.difference(record)


def _pool_rows(warehouse: Warehouse, processor: Processor, days: Sequence[date]) -> pa.Table:
    names = dict.fromkeys([*HASH_FIELDS[processor.key], processor.entity_name, "data_hash"])
    return warehouse.query(
        f"select {', '.join(names)} from {processor.table} "  # noqa: S608 our own names
        "where analysis_date between @first and @last and analysis_date in unnest(@days)",
        _of(days),
    )


def _failures(warehouse: Warehouse, processor: Processor, days: Sequence[date]) -> pa.Table:
    return warehouse.query(
        f"select {', '.join(FAILURE_SCHEMA.names)} from {table_names.PRECOMPUTE_FAILURES} "  # noqa: S608 our own names
        "where processor_name = @processor and analysis_date between @first and @last "
        "and analysis_date in unnest(@days)",
        {"processor": processor.name, **_of(days)},
    )


def _of(days: Sequence[date]) -> dict[str, object]:
    return {"first": days[0], "last": days[-1], "days": list(days)}


def all_right(found: Iterable[Verified]) -> bool:
    """Tell whether nothing is wrong with any processor."""
    return all(verified.is_right for verified in found)
