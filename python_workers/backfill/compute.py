"""``backcourt compute``: the pool stage alone, between two runs of dbt."""

from __future__ import annotations

import time

from python_workers.accounting.commits import Commit, Counts, Run
from python_workers.accounting.ledger import Ledger
from python_workers.accounting.schedule import Schedule, check_seasons
from python_workers.backfill.pool_stage import prepare_pool, run_pool_stage
from python_workers.backfill.run import (
    BackfillOptions,
    BackfillResult,
    Reporter,
    describe,
    jobs_of,
)
from python_workers.backfill.sql_stage import register_sql_dates
from python_workers.errors import BackcourtError, ExitCode
from python_workers.processors.catalogue import (
    MLFS,
    PCF,
    PDC,
    PSZA,
    TDZA,
    Processor,
)
from python_workers.warehouse.base import Warehouse
from python_workers.warehouse.job_labels import labelling


def compute_range(
    warehouse: Warehouse,
    schedule: Schedule,
    options: BackfillOptions,
    reporter: Reporter,
    run: Run,
) -> BackfillResult:
    """Compute the pool's processors from inputs that `dbt run` has built.

    What dbt built of the two SQL processors is registered too: their run records and failures.

    Raises
    ------
    BackcourtError
        Where the inputs of the range have not been built.
    """
    result = BackfillResult(run)
    ledger = Ledger.read(warehouse, schedule.start, schedule.end)
    unbuilt = [day for day in schedule.dates if (PSZA.key, day) not in ledger.inputs]
    if unbuilt:
        check_seasons(warehouse, schedule)
        raise BackcourtError(
            f"the inputs of {unbuilt[0]} have not been built",
            [
                f"{len(unbuilt)} of {len(schedule.dates)} game dates lack them. Build them with:",
                (
                    "dbt run --profiles-dir profiles --vars "
                    f"'{{start_date: {schedule.start}, end_date: {schedule.end}}}'"
                ),
            ],
            ExitCode.ENVIRONMENT,
        )

    schedule = schedule.with_called_off(ledger.computed_dates)
    pool = options.pool.for_dates(len(schedule.dates))

    def on_commit(processor: Processor, commit: Commit) -> None:
        rows = sum(counts.records for counts in commit.counts.values())
        reporter.advance(processor, len(commit.records), rows)
        reporter.committed(run, processor, commit)

    def register(processor: Processor) -> None:
        # What reads no other processor is as good as its inputs, which come from the same dbt run.
        is_verified = not processor.upstream
        days = schedule.dates
        if is_verified:
            days = tuple(ledger.due_dates(processor, schedule.dates, options.reprocess))
        with labelling(processor=processor.key):
            counts = register_sql_dates(
                warehouse, ledger, processor, run, days, is_verified=is_verified
            )
        result.counts[processor.key] = counts
        result.dates[processor.key] = len(days) if counts.expected else 0

    began = time.perf_counter()
    reporter.stage("compute", f"{len(schedule.dates)} game dates")
    if any(
        ledger.due_dates(each, schedule.dates, options.reprocess) for each in options.processors
    ):
        prepare_pool(pool)
    register(TDZA)
    for processors in ((PSZA,), (PCF, PDC)):
        work = [
            (each, ledger.due_dates(each, schedule.dates, options.reprocess))
            for each in processors
            if each in options.processors
        ]
        for processor, days in work:
            result.dates[processor.key] = len(days)
            result.counts[processor.key] = Counts()
        result.counts.update(run_pool_stage(warehouse, ledger, run, work, pool, on_commit))
    register(MLFS)
    result.jobs = jobs_of(warehouse)
    result.seconds["compute"] = time.perf_counter() - began
    reporter.stage_done(
        "compute",
        result.seconds["compute"],
        "; ".join(f"{short} {describe(counts)}" for short, counts in result.counts.items()),
    )
    return result
