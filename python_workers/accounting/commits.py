"""What one commit holds: the rows, failures and run records of some dates of a processor."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from python_workers import table_names
from python_workers.accounting.processed_dates import (
    Processed,
    WhatIsRead,
    current_change,
)
from python_workers.accounting.record_diff import RecordDiff, count_by_date, diff_records
from python_workers.hashing import HASH_FIELDS
from python_workers.processors.base import Processor
from python_workers.processors.failures import CATEGORIES, CIRCUIT_BREAKER_ACTIVE, FAILURE_SCHEMA
from python_workers.warehouse.base import TableChange, Warehouse

RECORD_KEY = ("analysis_date", "player_id")
FAILURE_KEY = ("analysis_date", "entity_id")
# Set by the parent, so they say nothing about what was computed.
BOOKKEEPING = ("run_id", "created_at", "processed_at")

_TIMESTAMP = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Run:
    """One invocation: what every run record of it shares."""

    run_id: str
    mode: str
    started_at: datetime


@dataclass
class Counts:
    """Rows of some dates by what happened to them, and failures by category."""

    expected: int = 0
    records: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    failures: Counter[str] | None = None

    @property
    def failed(self) -> int:
        """Number of failures."""
        return sum((self.failures or Counter()).values())

    @property
    def investigate(self) -> int:
        """Number of failures that somebody should look at."""
        return sum(
            count
            for category, count in (self.failures or Counter()).items()
            if category not in CATEGORIES or CATEGORIES[category].needs_attention
        )

    @property
    def unsuccessful(self) -> int:
        """Number of those that were tried: who is locked was not."""
        return self.investigate - (self.failures or Counter())[CIRCUIT_BREAKER_ACTIVE.name]

    @property
    def status(self) -> str:
        """Outcome of the dates, as in ``processor_runs.status``."""
        if self.investigate:
            return "investigate"
        return "complete_with_expected_gaps" if self.failed else "complete"

    def add(self, other: Counts) -> None:
        """Add the counts of other dates."""
        for name in ("expected", "records", "inserted", "updated", "unchanged", "deleted"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.failures = (self.failures or Counter()) + (other.failures or Counter())


@dataclass(frozen=True)
class Commit:
    """Changes that become visible together, with what they amount to by date."""

    changes: tuple[TableChange, ...]
    records: Mapping[date, Processed]
    counts: Mapping[date, Counts]


def commit_of_pool_rows(
    warehouse: Warehouse,
    processor: Processor,
    run: Run,
    read: Mapping[date, WhatIsRead],
    rows: pa.Table,
    failures: pa.Table,
    seconds_per_date: float,
) -> Commit:
    """Prepare the commit of a chunk that the pool has computed.

    Only rows that differ from what is stored are written: those with another hash, or the same
    hash and other bookkeeping of completeness. ``created_at`` survives an update.

    Parameters
    ----------
    warehouse
        Read for the stored rows and failures of the dates.
    processor, run
        Whose rows they are.
    read
        What each date of the chunk was computed from, rows or not.
    rows, failures
        As the worker returned them.
    seconds_per_date
        Computing time that falls to a date.
    """
    days = sorted(read)
    compared = ["data_hash", *_unhashed_columns(processor, rows.column_names)]
    stored = warehouse.query(
        f"select {', '.join([*RECORD_KEY, *compared, 'created_at'])} "  # noqa: S608 our own names
        f"from {processor.table} where analysis_date between @first and @last "
        f"and analysis_date in unnest(@days)",
        {"first": days[0], "last": days[-1], "days": days},
    )
    diff = diff_records(stored, rows, RECORD_KEY, compared)
    now = datetime.now(UTC)
    changes = [
        TableChange(
            processor.table,
            rows=_rows_to_write(rows, stored, diff, run.run_id, now),
            delete_keys=stored.select(list(RECORD_KEY)).take(
                pa.array(np.concatenate([diff.replaced, diff.deleted]))
            ),
        )
    ]
    counts = _counts_by_date(days, rows, stored, diff, failures)
    digests = _digests(days, rows.column("analysis_date"), rows.column("data_hash"), failures)
    changes += failure_changes(warehouse, processor, run, days, failures, now)
    records = {
        day: Processed(
            processor.calculation_version,
            read[day],
            digests[day],
            counts[day].records,
            counts[day].failed,
            counts[day].unsuccessful,
            rows_fingerprint=str(counts[day].records),
        )
        for day in days
    }
    changes += run_changes(processor, run, records, counts, seconds_per_date, now)
    return Commit(tuple(changes), records, counts)


def failure_changes(
    warehouse: Warehouse,
    processor: Processor,
    run: Run,
    days: Sequence[date],
    failures: pa.Table,
    now: datetime,
) -> list[TableChange]:
    """Replace the failures of the dates on which they differ from the stored ones."""
    compared = [name for name in FAILURE_SCHEMA.names if name not in FAILURE_KEY]
    stored = warehouse.query(
        f"select {', '.join(FAILURE_SCHEMA.names)} from {table_names.PRECOMPUTE_FAILURES} "  # noqa: S608 our own names
        "where processor_name = @processor and analysis_date between @first and @last "
        "and analysis_date in unnest(@days)",
        {"processor": processor.name, "first": days[0], "last": days[-1], "days": list(days)},
    )
    diff = diff_records(stored, failures, FAILURE_KEY, compared)
    touched = set(count_by_date(failures.column("analysis_date"), diff.inserted))
    touched |= set(count_by_date(failures.column("analysis_date"), diff.updated))
    touched |= set(count_by_date(stored.column("analysis_date"), diff.deleted))
    if not touched:
        return []
    changed = pa.array(sorted(touched), pa.date32())
    written = failures.filter(pc.is_in(failures.column("analysis_date"), changed))
    count = written.num_rows
    written = (
        written.append_column("processor_name", pa.repeat(processor.name, count))
        .append_column("run_id", pa.repeat(run.run_id, count))
        .append_column("created_at", _instants(now, count))
    )
    gone = stored.filter(pc.is_in(stored.column("analysis_date"), changed))
    keys = pa.table(
        {
            "processor_name": pa.repeat(processor.name, gone.num_rows),
            "analysis_date": gone.column("analysis_date"),
            "entity_id": gone.column("entity_id"),
        }
    )
    return [TableChange(table_names.PRECOMPUTE_FAILURES, rows=written, delete_keys=keys)]


def run_changes(
    processor: Processor,
    run: Run,
    records: Mapping[date, Processed],
    counts: Mapping[date, Counts],
    seconds_per_date: float,
    now: datetime,
) -> list[TableChange]:
    """Replace the current records of some dates, and add them to the history."""
    rows = _run_rows(processor, run, records, counts, seconds_per_date, now)
    return [
        TableChange(table_names.PROCESSOR_RUNS, rows),
        current_change(processor, run.run_id, records, now),
    ]


def _run_rows(
    processor: Processor,
    run: Run,
    records: Mapping[date, Processed],
    counts: Mapping[date, Counts],
    seconds_per_date: float,
    now: datetime,
) -> pa.Table:
    rows = []
    for day, record in sorted(records.items()):
        of_day = counts[day]
        failures = of_day.failures or Counter()
        rows.append(
            {
                "processor_name": processor.name,
                "run_id": run.run_id,
                "mode": run.mode,
                "status": of_day.status,
                "calculation_version": record.calculation_version,
                "input_fingerprint": record.read.fingerprint,
                "output_digest": record.output_digest,
                "expected": of_day.expected,
                "records": of_day.records,
                "inserted": of_day.inserted,
                "updated": of_day.updated,
                "unchanged": of_day.unchanged,
                "deleted": of_day.deleted,
                "failures": of_day.failed,
                **{category.column: failures.get(name, 0) for name, category in CATEGORIES.items()},
                "seconds": round(seconds_per_date, 6),
                "analysis_date": day,
                "started_at": run.started_at,
                "finished_at": now,
            }
        )
    return pa.Table.from_pylist(rows, schema=_RUN_SCHEMA)


_RUN_SCHEMA = pa.schema(
    [
        *(
            (name, pa.string())
            for name in (
                "processor_name",
                "run_id",
                "mode",
                "status",
                "calculation_version",
                "input_fingerprint",
                "output_digest",
            )
        ),
        *(
            (name, pa.int64())
            for name in (
                "expected",
                "records",
                "inserted",
                "updated",
                "unchanged",
                "deleted",
                "failures",
                *(category.column for category in CATEGORIES.values()),
            )
        ),
        ("seconds", pa.float64()),
        ("analysis_date", pa.date32()),
        ("started_at", _TIMESTAMP),
        ("finished_at", _TIMESTAMP),
    ]
)


def _unhashed_columns(processor: Processor, columns: Sequence[str]) -> list[str]:
    hashed = {*HASH_FIELDS[processor.key], *RECORD_KEY, "data_hash"}
    return [name for name in columns if name not in hashed]


def _rows_to_write(
    rows: pa.Table, stored: pa.Table, diff: RecordDiff, run_id: str, now: datetime
) -> pa.Table:
    at = np.concatenate([diff.inserted, diff.updated])
    written = rows if len(at) == rows.num_rows else rows.take(pa.array(at))
    kept = stored.column("created_at").take(pa.array(diff.replaced))
    created = pa.concat_arrays(
        [_instants(now, len(diff.inserted)), *(part.cast(_TIMESTAMP) for part in kept.chunks)]
    )
    if len(at) == rows.num_rows and len(diff.updated):
        # The rows stand in their own order, not inserted before updated.
        created = created.take(pa.array(np.argsort(at, kind="stable")))
    return (
        written.append_column("run_id", pa.repeat(run_id, len(at)))
        .append_column("created_at", created)
        .append_column("processed_at", _instants(now, len(at)))
    )


def _instants(now: datetime, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(now, _TIMESTAMP), count)


def _counts_by_date(
    days: Sequence[date], rows: pa.Table, stored: pa.Table, diff: RecordDiff, failures: pa.Table
) -> dict[date, Counts]:
    of_rows, of_stored = rows.column("analysis_date"), stored.column("analysis_date")
    records = count_by_date(of_rows, np.arange(rows.num_rows))
    inserted = count_by_date(of_rows, diff.inserted)
    updated = count_by_date(of_rows, diff.updated)
    unchanged = count_by_date(of_rows, diff.unchanged)
    deleted = count_by_date(of_stored, diff.deleted)
    failed = failures_by_date(failures)
    return {
        day: Counts(
            expected=records[day] + sum(failed.get(day, Counter()).values()),
            records=records[day],
            inserted=inserted[day],
            updated=updated[day],
            unchanged=unchanged[day],
            deleted=deleted[day],
            failures=failed.get(day, Counter()),
        )
        for day in days
    }


def failures_by_date(failures: pa.Table) -> dict[date, Counter[str]]:
    """Count failures by date and category."""
    counted = failures.group_by(["analysis_date", "failure_category"]).aggregate(
        [([], "count_all")]
    )
    by_date: dict[date, Counter[str]] = {}
    for row in counted.to_pylist():
        by_date.setdefault(row["analysis_date"], Counter())[row["failure_category"]] = row[
            "count_all"
        ]
    return by_date


def _digests(
    days: Sequence[date], dates: pa.ChunkedArray, hashes: pa.ChunkedArray, failures: pa.Table
) -> dict[date, str]:
    """Digest what is stored of each date: the rows' hashes, and the failures, each in order."""
    digests = {day: hashlib.sha256() for day in days}
    lines = pc.binary_join_element_wise(
        *(failures.column(name) for name in ("entity_id", "failure_category", "failure_reason")),
        ":",
    )
    for part_dates, texts in ((dates, hashes), (failures.column("analysis_date"), lines)):
        for day, of_day in texts_by_date(part_dates, texts):
            digests[day].update("\n".join(["", *sorted(of_day)]).encode())
    return {day: digest.hexdigest()[:16] for day, digest in digests.items()}


def texts_by_date(
    dates: pa.ChunkedArray, texts: pa.ChunkedArray
) -> Iterator[tuple[date, list[str]]]:
    """Yield the dates there are, ascending, each with its texts."""
    order = pc.sort_indices(dates)
    numbers = dates.cast(pa.int32()).take(order).to_numpy()
    ordered: list[str] = texts.take(order).to_pylist()
    bounds = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(ordered)]
    for first, last in itertools.pairwise(bounds):
        if first < last:
            yield pa.scalar(int(numbers[first]), pa.date32()).as_py(), ordered[first:last]
