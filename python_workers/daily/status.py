"""``backcourt status``: last runs, freshness, open breakers, failures to investigate, due dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from python_workers import table_names
from python_workers.accounting.coverage import (
    ATTENTION_STATUSES,
    INVESTIGATE,
    Coverage,
    read_coverage,
)
from python_workers.accounting.schedule import Schedule, game_dates
from python_workers.daily.breaker import open_breakers
from python_workers.daily.readiness import last_loads
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import BY_NAME, PROCESSORS
from python_workers.warehouse.base import Warehouse

NEXT_DATES = 3

_LATEST_DATES = f"""
select
    latest.processor_name, latest.analysis_date as latest_date, runs.mode, runs.status,
    latest.run_id, latest.records, latest.failures, latest.finished_at
from (
    select * from {table_names.PROCESSED_DATES}
    where analysis_date >= @since and records + failures > 0
    qualify row_number() over (partition by processor_name order by analysis_date desc) = 1
) as latest
left join (
    select processor_name, analysis_date, run_id, mode, status
    from {table_names.PROCESSOR_RUNS}
    where analysis_date >= @since
) as runs
    on latest.processor_name = runs.processor_name
    and latest.analysis_date = runs.analysis_date
    and latest.run_id = runs.run_id
"""  # noqa: S608 our own name


@dataclass(frozen=True)
class PipelineStatus:
    """The state of the pipeline.

    Parameters
    ----------
    last_runs
        The current record of each processor's latest date with rows or failures, with its run.
    loads
        Time of each raw table's last load.
    breakers
        Active locks.
    coverage
        Coverage of every game date up to the given day.
    next_dates
        The next game dates after it.
    """

    last_runs: Sequence[dict[str, Any]]
    loads: dict[str, datetime]
    breakers: Sequence[dict[str, Any]]
    coverage: Coverage
    next_dates: Sequence[date]

    @property
    def to_investigate(self) -> list[dict[str, Any]]:
        """Failures to investigate, counted by processor and category, with the latest date."""
        found = []
        for processor in PROCESSORS:
            rows = [row for row in self.coverage.by_date if row["processor_name"] == processor.name]
            for category in INVESTIGATE:
                dates = [row["analysis_date"] for row in rows if row[category]]
                if dates:
                    found.append(
                        {
                            "processor_name": processor.name,
                            "failure_category": category.upper(),
                            "failures": sum(row[category] for row in rows),
                            "latest_date": max(dates),
                        }
                    )
        return found

    @property
    def due(self) -> list[tuple[Processor, date]]:
        """Dates that a backfill must compute, the earliest first."""
        found = [
            (processor, row["analysis_date"])
            for processor in PROCESSORS
            for row in self.coverage.by_date
            if row["processor_name"] == processor.name
            and row["coverage_status"] in ATTENTION_STATUSES
        ]
        return sorted(found, key=lambda due: due[1])


def past_dates(dates: Sequence[date], today: date) -> Schedule:
    """Return the schedule of all dates up to a day; `dates` are the game dates."""
    return Schedule(date.min, today, tuple(day for day in dates if day <= today))


def read_status(
    warehouse: Warehouse, today: date, project_state: str | None = None
) -> PipelineStatus:
    """Read the state of the pipeline on a day."""
    dates = [day for day, _ in game_dates(warehouse)]
    has_runs = warehouse.has_table(table_names.PROCESSED_DATES)
    runs = warehouse.query(_LATEST_DATES, {"since": date.min}).to_pylist() if has_runs else []
    past = past_dates(dates, today)
    return PipelineStatus(
        sorted(runs, key=lambda row: BY_NAME[row["processor_name"]].number),
        last_loads(warehouse, datetime.now(UTC)),
        open_breakers(warehouse),
        read_coverage(warehouse, past, PROCESSORS, project_state, must_exist=False),
        [day for day in dates if day > today][:NEXT_DATES],
    )
