"""``backcourt backfill``, ``compute`` and ``plan``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Annotated

import typer

from python_workers import cli_options as options
from python_workers.backfill import (
    Backfill,
    BackfillOptions,
    BackfillResult,
    new_run,
)
from python_workers.cli_options import (
    LogFormat,
    OutputFormat,
    ReprocessOption,
    chosen_processors,
    pool_options,
)
from python_workers.compute import compute_range
from python_workers.console import JsonReporter, TextReporter, out, print_table
from python_workers.dbt_project import DbtProject
from python_workers.errors import ExitCode
from python_workers.input_builds import InputBuilds
from python_workers.job_labels import labelling
from python_workers.ledger import DateState, Ledger, plan
from python_workers.opening import open_warehouse
from python_workers.processors import BY_SHORT, POOL_PROCESSORS, PROCESSORS, Processor
from python_workers.schedule import Schedule, resolve
from python_workers.settings import Settings, load_settings
from python_workers.warehouse.base import Warehouse


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backfill")(backfill)
    app.command("compute")(compute)
    app.command("plan")(plan_command)


def backfill(
    start: options.StartOption = None,
    end: options.EndOption = None,
    season: options.SeasonOption = None,
    everything: options.AllOption = False,
    processors: options.ProcessorsOption = None,
    start_from: options.StartFromOption = 1,
    reprocess: options.ReprocessChoice = ReprocessOption.MISSING,
    force: options.ForceOption = False,
    dry_run: options.DryRunOption = False,
    skip_tests: Annotated[
        bool, typer.Option("--skip-tests", help="Leave dbt's tests out.")
    ] = False,
    target: options.TargetOption = None,
    n_jobs: options.JobsOption = None,
    backend: options.BackendOption = None,
    scheduler: options.SchedulerOption = None,
    wait: options.WaitOption = None,
    log_format: options.LogFormatOption = LogFormat.TEXT,
) -> int:
    """Backfill a range: inputs by dbt, compute, outputs by dbt, coverage tests."""
    settings = _settings(target, n_jobs, backend, wait)
    chosen = chosen_processors(processors, start_from)
    mode = ReprocessOption.ALL if force else reprocess
    with open_warehouse(settings, read_only=dry_run) as warehouse:
        schedule = resolve(warehouse, start, end, season or [], everything=everything)
        if dry_run:
            echo_range(schedule, log_format)
            _print_plan(*_planned(warehouse, settings, schedule, chosen), mode)
            if settings.target != "duckdb":
                _print_costs(settings, schedule, chosen)
            return ExitCode.OK
        reporter = echo_range(schedule, log_format)
        project = DbtProject(settings)
        run = Backfill(
            warehouse,
            project,
            schedule,
            BackfillOptions(
                chosen, mode.value, pool_options(settings, scheduler), run_tests=not skip_tests
            ),
            reporter,
        )
        if isinstance(reporter, JsonReporter):
            reporter.run_id = run.result.run.run_id
        try:
            result = run.run()
        finally:
            reporter.close()
    return finish(result, schedule, reporter)


def compute(
    start: options.StartOption = None,
    end: options.EndOption = None,
    season: options.SeasonOption = None,
    everything: options.AllOption = False,
    processors: options.ProcessorsOption = None,
    reprocess: options.ReprocessChoice = ReprocessOption.MISSING,
    force: options.ForceOption = False,
    target: options.TargetOption = None,
    n_jobs: options.JobsOption = None,
    backend: options.BackendOption = None,
    scheduler: options.SchedulerOption = None,
    wait: options.WaitOption = None,
    log_format: options.LogFormatOption = LogFormat.TEXT,
) -> int:
    """Compute the pool's processors alone, from inputs that dbt has built."""
    settings = _settings(target, n_jobs, backend, wait)
    chosen = chosen_processors(processors, allowed=POOL_PROCESSORS)
    mode = ReprocessOption.ALL if force else reprocess
    with open_warehouse(settings) as warehouse:
        schedule = resolve(warehouse, start, end, season or [], everything=everything)
        reporter = echo_range(schedule, log_format)
        run = new_run("backfill")
        if isinstance(reporter, JsonReporter):
            reporter.run_id = run.run_id
        try:
            with labelling(run_id=run.run_id):
                result = compute_range(
                    warehouse,
                    schedule,
                    BackfillOptions(chosen, mode.value, pool_options(settings, scheduler)),
                    reporter,
                    run,
                )
        finally:
            reporter.close()
    return finish(result, schedule, reporter)


def plan_command(
    start: options.StartOption = None,
    end: options.EndOption = None,
    season: options.SeasonOption = None,
    everything: options.AllOption = False,
    processors: options.ProcessorsOption = None,
    start_from: options.StartFromOption = 1,
    reprocess: options.ReprocessChoice = ReprocessOption.MISSING,
    output: Annotated[OutputFormat, typer.Option("--format", help="Table or JSON.")] = (
        OutputFormat.TABLE
    ),
    target: options.TargetOption = None,
    wait: options.WaitOption = None,
) -> int:
    """Say where each date of each processor stands, and what a backfill would do."""
    settings = _settings(target, None, None, wait)
    chosen = chosen_processors(processors, start_from)
    with open_warehouse(settings, read_only=True) as warehouse:
        schedule = resolve(warehouse, start, end, season or [], everything=everything)
        states, has_inputs = _planned(warehouse, settings, schedule, chosen)
    if output is OutputFormat.JSON:
        rows = [
            {
                "processor": BY_SHORT[short].name,
                "date": day.isoformat(),
                "status": state.status,
                "reason": state.reason,
                "due": state.is_due(reprocess.value),
            }
            for (short, day), state in sorted(states.items(), key=lambda item: item[0][1])
        ]
        out.print(json.dumps(rows, indent=1), markup=False)
        return ExitCode.OK
    echo_range(schedule, LogFormat.TEXT)
    _print_plan(states, has_inputs, reprocess)
    return ExitCode.OK


def echo_range(schedule: Schedule, log_format: LogFormat) -> TextReporter | JsonReporter:
    """Say which dates a command is about, and return who tells the rest."""
    if log_format is LogFormat.JSON:
        reporter = JsonReporter()
        reporter.event(
            "range_resolved",
            start_date=schedule.start.isoformat(),
            end_date=schedule.end.isoformat(),
            game_dates=len(schedule.dates),
        )
        return reporter
    out.print(
        f"range {schedule.start} to {schedule.end}, both included: "
        f"{len(schedule.dates):,} game dates"
    )
    return TextReporter(len(schedule.dates))


def finish(
    result: BackfillResult, schedule: Schedule, reporter: TextReporter | JsonReporter
) -> int:
    """Say what a run amounts to and return its exit code."""
    investigate = sum(counts.investigate for counts in result.counts.values())
    seconds = sum(result.seconds.values())
    if isinstance(reporter, JsonReporter):
        reporter.event(
            "run_finished",
            seconds=round(seconds, 3),
            rows_written=result.written,
            failures_to_investigate=investigate,
            failed_tests=[test.name for test in result.failed_tests],
            **({"jobs": result.jobs} if result.jobs else {}),
        )
    else:
        _print_result(result, seconds)
        if result.jobs:
            jobs = ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in result.jobs.items())
            out.print(f"BigQuery jobs: {jobs}")
        for test in result.failed_tests:
            out.print(f"failed: {test.name}: {test.message}", markup=False)
        if investigate:
            out.print(
                f"{investigate:,} failures to investigate: "
                f"backcourt coverage --start {schedule.start} --end {schedule.end}"
            )
    return ExitCode.ATTENTION if result.failed_tests else ExitCode.OK


def _print_result(result: BackfillResult, seconds: float) -> None:
    rows = []
    for short, counts in result.counts.items():
        rows.append(
            (
                short,
                result.dates[short],
                counts.expected,
                counts.records,
                counts.inserted,
                counts.updated,
                counts.unchanged,
                counts.deleted,
                counts.failed,
                counts.investigate,
            )
        )
    headings = (
        "processor",
        "dates",
        "expected",
        "records",
        "inserted",
        "updated",
        "unchanged",
        "deleted",
        "failures",
        "investigate",
    )
    print_table(
        f"{result.run.run_id}: {seconds:.1f} s, {result.written:,} rows written",
        [(heading, "left" if heading == "processor" else "right") for heading in headings],
        rows,
    )


def _print_costs(settings: Settings, schedule: Schedule, processors: Sequence[Processor]) -> None:
    from python_workers.costs import estimates, price  # noqa: PLC0415 -- slow to import
    from python_workers.warehouse.bigquery import open_bigquery  # noqa: PLC0415

    with open_bigquery(settings) as warehouse:
        found = estimates(warehouse, DbtProject(settings), schedule, processors)
    rate = settings.bq_usd_per_tib
    known = sum(each.bytes or 0 for each in found)
    unknown = sum(each.bytes is None for each in found)
    rows = [
        (each.statement, "-", "-")
        if each.bytes is None
        else (each.statement, each.bytes, f"{price(each.bytes, rate):.4f}")
        for each in found
    ]
    print_table(
        f"what the statements would read, at {rate:g} USD a TiB",
        [("statement", "left"), ("bytes", "right"), ("USD", "right")],
        [*rows, ("total", known, f"{price(known, rate):.4f}")],
    )
    if unknown:
        out.print(
            f"-: {unknown} statements read tables that are yet to be built; "
            "after the first backfill their bytes are known"
        )


def _planned(
    warehouse: Warehouse, settings: Settings, schedule: Schedule, chosen: Sequence[Processor]
) -> tuple[dict[tuple[str, date], DateState], bool]:
    """Return where each date stands, and whether its inputs are up to date with the raw tables."""
    ledger = Ledger.read(warehouse, schedule.start, schedule.end)
    states = plan(ledger, chosen, schedule.with_called_off(ledger.computed_dates).dates)
    builds = InputBuilds.read(warehouse, DbtProject(settings).state())
    return states, builds.stale_range(schedule) is None


def _print_plan(
    states: dict[tuple[str, date], DateState], has_inputs: bool, reprocess: ReprocessOption
) -> None:
    out.print(
        "inputs: unchanged since the last build"
        if has_inputs
        else "inputs: to be built first, after which more dates may turn out stale"
    )
    ranges: dict[tuple[int, DateState], list[date]] = {}
    for (short, day), state in states.items():
        ranges.setdefault((BY_SHORT[short].number, state), []).append(day)
    rows = [
        (
            PROCESSORS[number - 1].short,
            state.status,
            state.reason or "-",
            len(days),
            str(min(days)),
            str(max(days)),
            "compute" if state.is_due(reprocess.value) else "skip",
        )
        for (number, state), days in sorted(
            ranges.items(), key=lambda item: (item[0][0], min(item[1]))
        )
    ]
    print_table(
        "plan",
        [
            ("processor", "left"),
            ("status", "left"),
            ("why", "left"),
            ("dates", "right"),
            ("first", "left"),
            ("last", "left"),
            ("backfill would", "left"),
        ],
        rows,
    )


def _settings(
    target: options.Target | None,
    n_jobs: int | None,
    backend: options.Backend | None,
    wait: float | None,
) -> Settings:
    return load_settings(
        target=target.value if target else None,
        n_jobs=n_jobs,
        backend=backend.value if backend else None,
        wait_seconds=wait,
    )
