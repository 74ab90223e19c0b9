"""Records of a run: counts and digests of each date, and the rows of ``processor_runs``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pyarrow as pa

from python_workers import table_names
from python_workers.accounting.processed_dates import Processed, current_change
from python_workers.accounting.record_diff import RecordDiff, count_by_date
from python_workers.processors.base import Processor
from python_workers.processors.failures import CATEGORIES, CIRCUIT_BREAKER_ACTIVE
from python_workers.warehouse.base import TableChange

_TIMESTAMP = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Run:
    """One invocation: the values that all its run records share."""

    run_id: str
    mode: str
    started_at: datetime


@dataclass
class Counts:
    """Numbers of rows by outcome (inserted, updated ...), and of failures by category."""

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
        """Number of failures that need attention."""
        return sum(
            count
            for category, count in (self.failures or Counter()).items()
            if category not in CATEGORIES or CATEGORIES[category].needs_attention
        )

    @property
    def unsuccessful(self) -> int:
        """Number of failures that need attention, without locked entities, which were not tried."""
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


def counts_by_date(
    days: Sequence[date], rows: pa.Table, stored: pa.Table, diff: RecordDiff, failures: pa.Table
) -> dict[date, Counts]:
    """Count the rows of each date by outcome, and its failures."""
    of_rows, of_stored = rows.column("analysis_date"), stored.column("analysis_date")
    records = count_by_date(of_rows, np.arange(rows.num_rows))
    inserted = count_by_date(of_rows, diff.inserted)
    updated = count_by_date(of_rows, diff.updated)
    unchanged = count_by_date(of_rows, diff.unchanged)
    deleted = count_by_date(of_stored, diff.deleted)
    failed = _failures_by_date(failures)
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


def _failures_by_date(failures: pa.Table) -> dict[date, Counter[str]]:
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


def run_changes(
    processor: Processor,
    run: Run,
    records: Mapping[date, Processed],
    counts: Mapping[date, Counts],
    seconds_per_date: float,
    now: datetime,
) -> list[TableChange]:
    """Return the changes that replace the current records of dates, and extend the history."""
    rows = _run_rows(processor, run, records, counts, seconds_per_date, now)
    return [
        TableChange(
            table_names.PROCESSOR_RUNS, table_names.RECORD_KEYS[table_names.PROCESSOR_RUNS], rows
        ),
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
