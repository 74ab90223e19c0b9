"""Reconciliation: for each processor and date, who was expected and what became of him."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from python_workers.errors import BackcourtError, ExitCode
from python_workers.failures import CATEGORIES
from python_workers.processors import BY_NAME, PROCESSORS, Processor
from python_workers.schedule import Schedule
from python_workers.warehouse.base import Warehouse

COVERAGE_VIEW = "nba_processing.backfill_coverage"

COUNTS = (
    "expected",
    "records",
    *(name.lower() for name in CATEGORIES),
    "unknown_category",
    "unaccounted",
    "duplicated",
    "unexpected",
)

# Neither expected nor accounted for: each makes the command exit with 1.
ATTENTION = (
    "incomplete_upstream",
    "processing_error",
    "unknown_category",
    "unaccounted",
    "duplicated",
    "unexpected",
)

_COVERAGE = f"""
select processor_name, analysis_date, coverage_status, {", ".join(COUNTS)}
from {COVERAGE_VIEW}
where analysis_date between @start and @end
order by analysis_date, processor_name
"""  # noqa: S608 our own names

# A missing game fails the same player on many dates: one line for all of them.
_TO_INVESTIGATE = """
select
    processor_name, entity_id, failure_category, missing_game_dates,
    min(failure_reason) as failure_reason, min(analysis_date) as first_date,
    max(analysis_date) as last_date, count(*) as dates
from nba_processing.precompute_failures
where analysis_date between @start and @end
    and not is_expected
    and {condition}
group by processor_name, entity_id, failure_category, missing_game_dates
order by first_date, processor_name, entity_id, missing_game_dates
"""


@dataclass(frozen=True)
class Coverage:
    """Coverage of a date range.

    Parameters
    ----------
    start, end
        The range.
    by_date
        One mapping per processor and date: ``processor_name``, ``analysis_date``,
        ``coverage_status`` and `COUNTS`.
    """

    start: date
    end: date
    by_date: Sequence[Mapping[str, Any]]

    def totals(self) -> dict[Processor, dict[str, int]]:
        """Sum the counts by processor, with the number of dates and of those not run."""
        sums: dict[Processor, dict[str, int]] = {}
        for row in self.by_date:
            processor = BY_NAME[row["processor_name"]]
            total = sums.setdefault(
                processor, {"dates": 0, "not_run": 0, **dict.fromkeys(COUNTS, 0)}
            )
            total["dates"] += 1
            total["not_run"] += row["coverage_status"] == "not_run"
            for name in COUNTS:
                total[name] += row[name]
        return {each: sums[each] for each in PROCESSORS if each in sums}

    @property
    def needs_attention(self) -> bool:
        """Whether anything is unaccounted for, not run or to be investigated."""
        return any(
            row["coverage_status"] in ("not_run", "incomplete")
            or any(row[name] for name in ATTENTION)
            for row in self.by_date
        )


def read_coverage(
    warehouse: Warehouse, schedule: Schedule, processors: Sequence[Processor] = PROCESSORS
) -> Coverage:
    """Reconcile the dates of a schedule, as the tables stand.

    In a whole range those count too that are no game dates (any more) but have rows. A game date
    that the models do not know of yet, as right after a load, has not run.

    Raises
    ------
    BackcourtError
        Where nothing has been built yet.
    """
    if not warehouse.has_table(COVERAGE_VIEW):
        raise BackcourtError(
            "there is no coverage yet: no backfill has run on this warehouse",
            f"Run: backcourt backfill --start {schedule.start} --end {schedule.end}",
            ExitCode.ENVIRONMENT,
        )
    names = {processor.name for processor in processors}
    only = None if schedule.only_dates is None else frozenset(schedule.only_dates)
    rows = [
        row
        for row in warehouse.query(
            _COVERAGE, {"start": schedule.start, "end": schedule.end}
        ).to_pylist()
        if row["processor_name"] in names and (only is None or row["analysis_date"] in only)
    ]
    known = {(row["processor_name"], row["analysis_date"]) for row in rows}
    rows += [
        {
            "processor_name": name,
            "analysis_date": day,
            "coverage_status": "not_run",
            **dict.fromkeys(COUNTS, 0),
        }
        for day in schedule.dates
        for name in sorted(names)
        if (name, day) not in known
    ]
    rows.sort(key=lambda row: (row["analysis_date"], row["processor_name"]))
    return Coverage(schedule.start, schedule.end, rows)


def failures_to_investigate(
    warehouse: Warehouse, schedule: Schedule, processors: Sequence[Processor] = PROCESSORS
) -> list[dict[str, Any]]:
    """Return the failures that somebody should look at, grouped by what is behind them.

    Returns
    -------
    list
        Per processor, entity, category and missing games: a reason, the first and last date, and
        on how many dates; the earliest first.
    """
    names = {processor.name for processor in processors}
    only = schedule.only_dates
    condition, given = "true", {}
    if only is not None:
        condition, given = "analysis_date in unnest(@days)", {"days": list(only)}
    rows = warehouse.query(
        _TO_INVESTIGATE.format(condition=condition),
        {"start": schedule.start, "end": schedule.end, **given},
    ).to_pylist()
    return [row for row in rows if row["processor_name"] in names]
