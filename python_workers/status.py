"""``backcourt status``: last runs, freshness, open breakers, what to look at, what is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from python_workers.breaker import open_breakers
from python_workers.dependencies import last_loads
from python_workers.ledger import Ledger
from python_workers.processed_dates import CURRENT_TABLE
from python_workers.processors import BY_NAME, PROCESSORS, Processor
from python_workers.schedule import game_dates
from python_workers.warehouse.base import Warehouse

NEXT_DATES = 3
FIRST_DATE = date(1900, 1, 1)

_LATEST_DATES = f"""
select
    latest.processor_name, latest.analysis_date as latest_date, runs.mode, runs.status,
    latest.run_id, latest.records, latest.failures, latest.finished_at
from (
    select * from {CURRENT_TABLE}
    where analysis_date >= @since
    qualify row_number() over (partition by processor_name order by analysis_date desc) = 1
) as latest
left join (
    select processor_name, analysis_date, run_id, mode, status
    from nba_processing.processor_runs
    where analysis_date >= @since
) as runs
    on latest.processor_name = runs.processor_name
    and latest.analysis_date = runs.analysis_date
    and latest.run_id = runs.run_id
"""  # noqa: S608 our own name

_TO_INVESTIGATE = """
select processor_name, failure_category, count(*) as failures, max(analysis_date) as latest_date
from nba_processing.precompute_failures
where analysis_date >= @since
    and not is_expected
group by processor_name, failure_category
order by processor_name, failure_category
"""


@dataclass(frozen=True)
class PipelineStatus:
    """Where the pipeline stands.

    Parameters
    ----------
    last_runs
        The current record of each processor's latest date, with its run.
    loads
        When each raw table was last loaded.
    breakers
        Locks whose time is not over.
    to_investigate
        Failures to look at, counted by processor and category.
    due
        Game dates before the given day that lack a run, earliest first, and the next ones.
    """

    last_runs: Sequence[dict[str, Any]]
    loads: dict[str, datetime]
    breakers: Sequence[dict[str, Any]]
    to_investigate: Sequence[dict[str, Any]]
    due: Sequence[tuple[Processor, date]]
    next_dates: Sequence[date]


def read_status(warehouse: Warehouse, today: date) -> PipelineStatus:
    """Read where the pipeline stands on a day."""
    dates = [day for day, _ in game_dates(warehouse)]
    has_runs = warehouse.has_table(CURRENT_TABLE)
    since = {"since": FIRST_DATE}
    runs = warehouse.query(_LATEST_DATES, since).to_pylist() if has_runs else []
    failures = warehouse.query(_TO_INVESTIGATE, since).to_pylist() if has_runs else []
    ledger = Ledger.read(warehouse, dates[0], dates[-1]) if has_runs else Ledger()
    past = [day for day in dates if day <= today]
    due = [
        (processor, day)
        for processor in PROCESSORS
        for day in past
        if (processor.short, day) not in ledger.current
    ]
    return PipelineStatus(
        sorted(runs, key=lambda row: BY_NAME[row["processor_name"]].number),
        last_loads(warehouse),
        open_breakers(warehouse),
        failures,
        due,
        [day for day in dates if day > today][:NEXT_DATES],
    )
