"""Prepares commits of rows that stay in files: one statement a table takes them in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from python_workers import table_names
from python_workers.accounting.commits import Commit, commit_of_dates
from python_workers.accounting.processed_dates import WhatIsRead
from python_workers.accounting.run_records import Counts, Run
from python_workers.processors.base import Processor
from python_workers.processors.failures import FAILURE_SCHEMA
from python_workers.warehouse.base import Statement, Warehouse


@dataclass(frozen=True)
class RowsInFiles:
    """Rows in files that the warehouse reads itself.

    Parameters
    ----------
    relation
        What a statement selects from, in the warehouse's SQL.
    columns
        Names of the columns.
    """

    relation: str
    columns: Sequence[str]


def commit_of_files(
    warehouse: Warehouse,
    processor: Processor,
    run: Run,
    read: Mapping[date, WhatIsRead],
    rows: RowsInFiles,
    failures: RowsInFiles,
    records: Mapping[date, int],
    failed: Mapping[date, Counter[str]],
    digests: Mapping[date, str],
    seconds_per_date: float,
) -> Commit:
    """Prepare the commit of dates that have no stored rows or failures.

    All rows are inserted, so the numbers that the workers counted are the outcome.

    Parameters
    ----------
    warehouse
        The warehouse of the dates.
    processor, run
        Whose dates they are.
    read
        What each date was computed from, also for dates without rows.
    rows, failures
        The results of the dates.
    records, failed
        Number of rows by date, and of failures by date and category.
    digests
        Output digest of each date.
    seconds_per_date
        Computing time that falls to a date.
    """
    now = datetime.now(UTC)
    counts = {day: _counts(records.get(day, 0), failed.get(day, Counter())) for day in read}
    nothing = FAILURE_SCHEMA.empty_table()
    commit = commit_of_dates(
        warehouse, processor, run, read, counts, digests, nothing, seconds_per_date, now
    )
    days = sorted(read)
    of_dates: dict[str, object] = {"first": days[0], "last": days[-1], "days": days}
    written = {"run_id": run.run_id, "now": now}
    statements = (
        *replacement(
            processor.table,
            rows,
            {"run_id": "@run_id", "created_at": "@now", "processed_at": "@now"},
            "",
            {**of_dates, **written},
        ),
        *replacement(
            table_names.PRECOMPUTE_FAILURES,
            failures,
            {"processor_name": "@processor", "run_id": "@run_id", "created_at": "@now"},
            "processor_name = @processor and ",
            {**of_dates, **written, "processor": processor.name},
        ),
    )
    return replace(commit, statements=(*statements, *commit.statements))


def _counts(records: int, failures: Counter[str]) -> Counts:
    return Counts(
        expected=records + failures.total(), records=records, inserted=records, failures=failures
    )


def replacement(
    table: str,
    rows: RowsInFiles,
    constants: Mapping[str, str],
    condition: str,
    params: Mapping[str, object],
) -> list[Statement]:
    """Return the statements that replace some dates of a table; they may be repeated."""
    names = ", ".join([*rows.columns, *constants])
    values = ", ".join([*rows.columns, *constants.values()])
    return [
        Statement(
            f"delete from {table} where {condition}analysis_date between @first and @last "  # noqa: S608 our own names
            "and analysis_date in unnest(@days)",
            params,
        ),
        Statement(
            f"insert into {table} ({names}) select {values} from {rows.relation}",  # noqa: S608 as above
            params,
        ),
    ]
