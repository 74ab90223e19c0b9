"""Prepares commits: the rows, failures and run records of some dates of a processor."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from python_workers import table_names
from python_workers.accounting.processed_dates import (
    Processed,
    WhatIsRead,
    record_stored,
)
from python_workers.accounting.record_changes import record_changes
from python_workers.accounting.record_diff import RecordDiff, count_by_date, diff_records
from python_workers.accounting.run_explanations import are_explained
from python_workers.accounting.run_records import (
    Counts,
    Run,
    counts_by_date,
    run_changes,
)
from python_workers.hashing import HASH_FIELDS
from python_workers.processors.base import Processor
from python_workers.processors.failures import FAILURE_SCHEMA
from python_workers.processors.output_digests import output_digests
from python_workers.warehouse.base import Statement, TableChange, Warehouse

RECORD_KEY = ("analysis_date", "player_id")
FAILURE_KEY = ("analysis_date", "entity_id")

_TIMESTAMP = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Commit:
    """Changes that become visible together, with the records and counts of each date.

    The statements record the fingerprints of what stands after the changes.
    """

    changes: tuple[TableChange, ...]
    statements: tuple[Statement, ...]
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
    *,
    digests: Mapping[date, str] | None = None,
    altered: Collection[date] = (),
) -> Commit:
    """Prepare the commit of a chunk that the pool has computed.

    Write only rows that differ from the stored ones: in their hash, or in their unhashed columns,
    such as completeness. An update keeps ``created_at``.

    Parameters
    ----------
    warehouse
        The warehouse with the stored rows and failures of the dates.
    processor, run
        The processor and the run that computed the rows.
    read
        The fingerprints of what each date was computed from, also for dates without rows.
    rows, failures
        The worker's result.
    seconds_per_date
        Computing time per date.
    digests
        The output digests of dates whose rows and failures are as a worker returned them.
    altered
        Dates whose stored rows are not those that were recorded. The hash of a row then proves
        nothing, so all columns are compared, and a row is written again if no run explains it.
    """
    days = sorted(read)
    compared = ["data_hash", *_unhashed_columns(processor, rows.column_names)]
    if altered:
        compared = [name for name in rows.column_names if name not in RECORD_KEY]
    read_too = ["created_at", *(["run_id"] if altered else [])]
    stored = warehouse.query(
        f"select {', '.join([*RECORD_KEY, *compared, *read_too])} "  # noqa: S608 our own names
        f"from {processor.table} where analysis_date between @first and @last "
        f"and analysis_date in unnest(@days)",
        {"first": days[0], "last": days[-1], "days": days},
    )
    # No key can name a row without one, and a comparison matches none.
    keyless = stored.filter(stored.column("player_id").is_null())
    stored = stored.filter(stored.column("player_id").is_valid()) if keyless.num_rows else stored
    diff = diff_records(
        stored,
        rows,
        RECORD_KEY,
        compared,
        is_valid=are_explained(warehouse, processor, days, stored) if altered else None,
    )
    now = datetime.now(UTC)
    rows_change = TableChange(
        processor.table,
        RECORD_KEY,
        rows=_rows_to_write(rows, stored, diff, run.run_id, now),
        delete_keys=stored.select(list(RECORD_KEY)).take(
            pa.array(np.concatenate([diff.replaced, diff.deleted]))
        ),
    )
    restated = set(count_by_date(stored.column("analysis_date"), diff.replaced))
    restated |= set(count_by_date(stored.column("analysis_date"), diff.deleted))
    log = record_changes(warehouse, processor, run, rows, restated, now)
    if digests is None:
        digests = output_digests(
            days, rows.column("analysis_date"), rows.column("data_hash"), failures
        )
    return commit_of_dates(
        warehouse,
        processor,
        run,
        read,
        counts_by_date(days, rows, stored, diff, failures),
        digests,
        failures,
        seconds_per_date,
        now,
        rows_changes=(rows_change, *log),
        first=[_without_players(processor, days)] if keyless.num_rows else [],
        altered=altered,
    )


def commit_of_dates(
    warehouse: Warehouse,
    processor: Processor,
    run: Run,
    read: Mapping[date, WhatIsRead],
    counts: Mapping[date, Counts],
    digests: Mapping[date, str],
    failures: pa.Table,
    seconds_per_date: float,
    now: datetime,
    *,
    rows_changes: Sequence[TableChange] = (),
    first: Sequence[Statement] = (),
    altered: Collection[date] = (),
) -> Commit:
    """Prepare the commit of some dates: failures, current records and history.

    Parameters
    ----------
    warehouse
        Read for the stored failures of the dates.
    processor, run
        Whose dates they are.
    read
        What each date was computed from, rows or not.
    counts, digests
        What became of each date's rows, and the digest of what it holds now.
    failures
        Failure rows of the dates.
    seconds_per_date
        Computing time that falls to a date.
    now
        The time of the commit.
    rows_changes
        The rows and the log of their changes, where they are written in the same commit; dbt has
        committed its own.
    first
        Statements of the commit that change rows.
    altered
        Dates on which failures that no run explains are written again.
    """
    days = sorted(read)
    records = {
        day: Processed(
            processor.calculation_version,
            read[day],
            digests[day],
            counts[day].records,
            counts[day].failed,
            counts[day].unsuccessful,
            str(counts[day].records),
            str(counts[day].failed),
        )
        for day in days
    }
    changes = [*rows_changes]
    changes += failure_changes(warehouse, processor, run, days, failures, now, altered)
    changes += run_changes(processor, run, records, counts, seconds_per_date, now)
    recording = record_stored(warehouse, processor, days)
    return Commit(tuple(changes), (*first, recording), records, counts)


def failure_changes(
    warehouse: Warehouse,
    processor: Processor,
    run: Run,
    days: Sequence[date],
    failures: pa.Table,
    now: datetime,
    altered: Collection[date] = (),
) -> list[TableChange]:
    """Replace the failures of the dates on which they differ from the stored ones.

    On altered dates, also replace them where no run explains them.
    """
    compared = [name for name in FAILURE_SCHEMA.names if name not in FAILURE_KEY]
    stored = warehouse.query(
        f"select {', '.join([*FAILURE_SCHEMA.names, *(['run_id'] if altered else [])])} "  # noqa: S608 our own names
        f"from {table_names.PRECOMPUTE_FAILURES} "
        "where processor_name = @processor and analysis_date between @first and @last "
        "and analysis_date in unnest(@days)",
        {"processor": processor.name, "first": days[0], "last": days[-1], "days": list(days)},
    )
    diff = diff_records(stored, failures, FAILURE_KEY, compared)
    touched = set(count_by_date(failures.column("analysis_date"), diff.inserted))
    touched |= set(count_by_date(failures.column("analysis_date"), diff.updated))
    touched |= set(count_by_date(stored.column("analysis_date"), diff.deleted))
    if altered:
        unknown = pc.invert(are_explained(warehouse, processor, days, stored))
        touched |= set(stored.filter(unknown).column("analysis_date").to_pylist())
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
    # Each date is replaced whole: also failures go that another run stored in the meantime.
    keys = pa.table(
        {"processor_name": pa.repeat(processor.name, len(changed)), "analysis_date": changed}
    )
    key = ("processor_name", "analysis_date")
    return [TableChange(table_names.PRECOMPUTE_FAILURES, key, written, keys)]


def _without_players(processor: Processor, days: Sequence[date]) -> Statement:
    return Statement(
        f"delete from {processor.table} where player_id is null "  # noqa: S608 our own name
        "and analysis_date between @first and @last and analysis_date in unnest(@days)",
        {"first": days[0], "last": days[-1], "days": list(days)},
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
        # The rows keep their own order, with inserted and updated ones mixed.
        created = created.take(pa.array(np.argsort(at, kind="stable")))
    return (
        written.append_column("run_id", pa.repeat(run_id, len(at)))
        .append_column("created_at", created)
        .append_column("processed_at", _instants(now, len(at)))
    )


def _instants(now: datetime, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(now, _TIMESTAMP), count)
