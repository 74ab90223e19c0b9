"""What a run has cost on BigQuery, and how to keep the rows that it is about to restate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from python_workers import table_names
from python_workers.errors import BackcourtError, ExitCode
from python_workers.warehouse.bigquery.client import BigQueryOptions
from python_workers.warehouse.bigquery.warehouse import BigQueryWarehouse
from python_workers.warehouse.job_labels import label_value

LONGEST_RUN = timedelta(days=2)
# BigQuery keeps deleted and overwritten rows for a week.
TIME_TRAVEL_DAYS = 7

# A transaction's own job has the sum of its statements, which are its children.
_COSTS = """
with jobs as (
    select
        coalesce((select value from unnest(labels) where key = 'stage'), '-') as stage,
        coalesce((select value from unnest(labels) where key = 'processor'), '-') as processor,
        coalesce(total_bytes_processed, 0) as processed,
        coalesce(total_bytes_billed, 0) as billed,
        coalesce(total_slot_ms, 0) as slot_ms
    from {jobs}
    where
        creation_time between @first and @last
        and parent_job_id is null
        and exists (select 1 from unnest(labels) where key = 'run_id' and value = @run)
)

select
    stage,
    processor,
    count(*) as jobs,
    sum(processed) as bytes_processed,
    sum(billed) as bytes_billed,
    sum(slot_ms) as slot_ms
from jobs
group by stage, processor
order by bytes_billed desc, stage, processor
"""


@dataclass(frozen=True)
class StageCost:
    """The jobs of a stage and processor of a run.

    Parameters
    ----------
    stage, processor
        As in the labels of the jobs; ``-`` if they have none.
    jobs
        Number of jobs; a transaction counts as one.
    bytes_processed, bytes_billed
        Bytes that the queries have read, and those that on-demand pricing bills.
    slot_ms
        Slot time in milliseconds.
    """

    stage: str
    processor: str
    jobs: int
    bytes_processed: int
    bytes_billed: int
    slot_ms: int


def run_costs(warehouse: BigQueryWarehouse, run_id: str) -> list[StageCost]:
    """Return the costs of a run by stage and processor, the largest first.

    Parameters
    ----------
    warehouse
        The warehouse in whose project the jobs ran.
    run_id
        The id that the run has printed; it begins with the time of its start.

    Raises
    ------
    BackcourtError
        If the id is none, or BigQuery knows no job of the run.
    """
    began = _start_of(run_id)
    found = warehouse.query(
        _COSTS.format(jobs=jobs_view(warehouse.options)),
        {
            "run": label_value(run_id),
            "first": began - timedelta(hours=1),
            "last": began + LONGEST_RUN,
        },
    )
    if not found.num_rows:
        raise BackcourtError(
            f"BigQuery knows no job of run {run_id}",
            [
                "It lists jobs of the last 180 days, a minute after their end at the latest;",
                f"the run ids are in {table_names.PROCESSOR_RUNS}.",
            ],
            ExitCode.USAGE,
        )
    return [StageCost(**row) for row in found.to_pylist()]


def jobs_view(options: BigQueryOptions) -> str:
    """Return the view of the jobs of the project that runs them, in the datasets' location.

    Examples
    --------
    >>> jobs_view(BigQueryOptions("my-project", "EU"))
    '`my-project`.`region-eu`.INFORMATION_SCHEMA.JOBS_BY_PROJECT'
    """
    project = options.execution_project or options.project
    return f"`{project}`.`region-{options.location.lower()}`.INFORMATION_SCHEMA.JOBS_BY_PROJECT"


def restore_recipe(options: BigQueryOptions, tables: Sequence[str], now: datetime) -> list[str]:
    """Return the commands that keep the rows of some tables before a run restates them.

    Parameters
    ----------
    options
        Where the tables are.
    tables
        Their ``schema.table`` names.
    now
        The time before the run.
    """
    names = [f"{options.dataset_prefix}{table}" for table in tables]
    return [
        "To keep the present rows, take snapshots first, which cost only what changes later:",
        *(
            f"  bq cp --snapshot --no_clobber {options.project}:{name} "
            f"{options.project}:{name}_{now:%Y%m%d%H%M}"
            for name in names
        ),
        f"Without them, the present rows can be read for {TIME_TRAVEL_DAYS} days:",
        (
            f"  select * from `{options.project}.{names[0]}` "  # noqa: S608 -- printed, not run
            f"for system_time as of timestamp '{now:%Y-%m-%d %H:%M:%S}+00'"
        ),
    ]


def _start_of(run_id: str) -> datetime:
    try:
        return datetime.strptime(run_id[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise BackcourtError(
            f"{run_id!r} is no run id",
            "A run prints its id at the end, such as 20240101T093000-1a2b3c4d.",
            ExitCode.USAGE,
        ) from error
