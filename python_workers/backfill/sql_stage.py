"""Registers dates of the processors that dbt builds: their failures and run records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from python_workers.accounting.commits import commit_of_dates
from python_workers.accounting.ledger import Ledger
from python_workers.accounting.processed_dates import UNVERIFIED
from python_workers.accounting.record_diff import diff_records
from python_workers.accounting.run_records import Counts, Run, counts_by_date
from python_workers.processors.base import Processor, SqlWork
from python_workers.processors.failures import CATEGORIES, FAILURE_SCHEMA
from python_workers.processors.output_digests import output_digests
from python_workers.warehouse.base import Warehouse

_HASH_SCHEMA = pa.schema(
    [("analysis_date", pa.date32()), ("entity_id", pa.string()), ("record_hash", pa.int64())]
)


@dataclass(frozen=True)
class EarlyRows:
    """The rows that dbt has built along with the inputs of a range.

    Parameters
    ----------
    start, end
        The range, both ends included.
    hashes
        `record_hashes` of the range before the build, by the key of the processor.
    models
        The processors' models.
    """

    start: date = date.max
    end: date = date.min
    hashes: Mapping[str, pa.Table] = field(default_factory=dict)
    models: tuple[str, ...] = ()

    @classmethod
    def read(
        cls, warehouse: Warehouse, processors: Sequence[Processor], start: date, end: date
    ) -> EarlyRows:
        """Read the hashes of the rows that the build will replace."""
        days = [start + timedelta(days=number) for number in range((end - start).days + 1)]
        hashes = {each.key: record_hashes(warehouse, each, days) for each in processors}
        return cls(start, end, hashes, tuple(each.model for each in processors))

    def before(self, processor: Processor, days: Sequence[date]) -> pa.Table | None:
        """Return `record_hashes` of some dates before the build; None if it lacks a date."""
        hashes = self.hashes.get(processor.key)
        if hashes is None or not all(self.start <= day <= self.end for day in days):
            return None
        return hashes.filter(pc.is_in(hashes.column("analysis_date"), pa.array(days, pa.date32())))


def record_hashes(warehouse: Warehouse, processor: Processor, days: Sequence[date]) -> pa.Table:
    """Return (analysis_date, entity_id, record_hash) of the stored rows on some dates."""
    if not days or not warehouse.has_table(processor.table):
        return _HASH_SCHEMA.empty_table()
    column = processor.date_column
    return warehouse.query(
        f"select {column} as analysis_date, {processor.entity_name} as entity_id, "  # noqa: S608
        f"{warehouse.row_hash} as record_hash from {processor.table} as t "
        f"where {column} between @first and @last and {column} in unnest(@days)",
        {"first": min(days), "last": max(days), "days": list(days)},
    )


def register_sql_dates(
    warehouse: Warehouse,
    ledger: Ledger,
    processor: Processor,
    run: Run,
    days: Sequence[date],
    before: pa.Table | None = None,
    seconds: float = 0.0,
    *,
    is_verified: bool = True,
) -> Counts:
    """Commit the failures and run records of dates that dbt has built.

    Parameters
    ----------
    warehouse, ledger, processor, run
        The warehouse, what has been computed, the processor, and the current run.
    days
        The dates.
    before
        `record_hashes` of the dates before the build, for the counts. Without it, a date counts as
        unchanged if its rows equal those of its last run, and else as inserted.
    seconds
        Duration of the build.
    is_verified
        Whether this run built the dates itself, so that their rows come from the current inputs and
        upstream rows. Otherwise register only dates that differ from their last run, and leave out
        those whose rows somebody has altered; the next backfill builds them again.
    """
    total = Counts()
    if not days:
        return total
    after = record_hashes(warehouse, processor, days)
    failures = _failures(warehouse, processor, days, after)
    digests = output_digests(days, after.column("analysis_date"), named_hashes(after), failures)
    if not is_verified:
        days = [
            day
            for day in days
            if not _reads_the_same(ledger, processor, day)
            and not _is_known(ledger, processor, day, digests[day])
        ]
        if not days:
            return total
        of_days = pa.array(days, pa.date32())
        after = after.filter(pc.is_in(after.column("analysis_date"), of_days))
        failures = failures.filter(pc.is_in(failures.column("analysis_date"), of_days))
    if before is None:
        before = _assumed_before(ledger, processor, after, digests)
    diff = diff_records(before, after, ("analysis_date", "entity_id"), ["record_hash"])
    read = {day: ledger.what_is_read(processor, day) for day in days}
    if not is_verified:
        read = {day: replace(each, upstream_digests=UNVERIFIED) for day, each in read.items()}
    commit = commit_of_dates(
        warehouse,
        processor,
        run,
        read,
        counts_by_date(days, after, before, diff, failures),
        digests,
        failures,
        seconds / len(days),
        datetime.now(UTC),
        altered=ledger.altered_dates(processor, days),
    )
    warehouse.commit(commit.changes, commit.statements)
    ledger.record(processor, commit.records)
    for counts in commit.counts.values():
        total.add(counts)
    return total


def _is_registered(ledger: Ledger, processor: Processor, day: date, digest: str) -> bool:
    current = ledger.current.get((processor.key, day))
    return current is not None and current.output_digest == digest


def _is_known(ledger: Ledger, processor: Processor, day: date, digest: str) -> bool:
    """Tell whether a date is registered with these rows, and, without upstream, these inputs."""
    current = ledger.current.get((processor.key, day))
    if current is None or current.output_digest != digest:
        return False
    inputs = ledger.input_fingerprint(processor, day)
    return bool(processor.upstream) or current.read.input_fingerprint == inputs


def _reads_the_same(ledger: Ledger, processor: Processor, day: date) -> bool:
    """Tell whether a date's rows must be those of its record: a build would give them again."""
    current = ledger.current.get((processor.key, day))
    if current is None or current.calculation_version != processor.calculation_version:
        return False
    now = ledger.what_is_read(processor, day)
    if not processor.upstream:
        now = replace(now, upstream_digests=current.read.upstream_digests)
    return current.read == now


def _of(processor: Processor, days: Sequence[date]) -> dict[str, object]:
    return {
        "processor": processor.name,
        "first": min(days),
        "last": max(days),
        "days": list(days),
    }


def _failures(
    warehouse: Warehouse, processor: Processor, days: Sequence[date], records: pa.Table
) -> pa.Table:
    work = processor.work
    if not isinstance(work, SqlWork):
        raise TypeError(f"{processor.key} is not built by dbt")
    reasons = warehouse.query(work.missing_rows, _of(processor, days))
    key = ["analysis_date", "entity_id"]
    missing = reasons.join(records.select(key), key, join_type="left anti").to_pylist()
    rows = []
    for row in sorted(missing, key=lambda row: (row["analysis_date"], row["entity_id"])):
        category = CATEGORIES[row["failure_category"]]
        dates = row.pop("missing_game_dates")
        rows.append(
            {
                **row,
                "can_retry": category.can_retry,
                "is_expected": category.is_expected,
                "expected_game_count": work.required_games,
                "missing_game_dates": json.dumps(dates.split(", ") if dates else []),
            }
        )
    return pa.Table.from_pylist(rows, schema=FAILURE_SCHEMA)


def named_hashes(records: pa.Table) -> pa.ChunkedArray:
    """Return the texts that stand for the rows of `record_hashes` in a date's digest."""
    hashes = records.column("record_hash").cast(pa.string())
    return pc.binary_join_element_wise(records.column("entity_id"), hashes, ":")


def _assumed_before(
    ledger: Ledger, processor: Processor, after: pa.Table, digests: Mapping[date, str]
) -> pa.Table:
    same = [
        day for day, digest in digests.items() if _is_registered(ledger, processor, day, digest)
    ]
    return after.filter(pc.is_in(after.column("analysis_date"), pa.array(same, pa.date32())))
