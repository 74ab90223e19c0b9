"""``backcourt backfill`` and ``compute``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from python_workers.accounting.coverage import Coverage, exit_code, read_coverage
from python_workers.accounting.input_builds import InputBuilds
from python_workers.accounting.schedule import check_range, resolve
from python_workers.backfill.dbt_project import DbtProject
from python_workers.backfill.outcome import BackfillOptions, BackfillResult
from python_workers.backfill.run import Backfill
from python_workers.choices import Reprocess
from python_workers.cli import options
from python_workers.cli.console import (
    JsonReporter,
    TextReporter,
    echo_range,
    out,
    print_table,
)
from python_workers.cli.options import (
    LogFormat,
    chosen_processors,
    exchanging,
    pool_options,
    settings_of,
)
from python_workers.cli.plan import plan_exit_code, read_plan, show_costs, show_plan
from python_workers.errors import BackcourtError, ExitCode
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import POOL_PROCESSORS
from python_workers.runtime.streams import say
from python_workers.settings import Settings
from python_workers.warehouse.open import open_warehouse
from python_workers.wording import counted


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backfill")(backfill)
    app.command("compute")(compute)


def backfill(
    start: options.StartOption = None,
    end: options.EndOption = None,
    season: options.SeasonOption = None,
    everything: options.AllOption = False,
    processors: options.ProcessorsOption = None,
    start_from: options.StartFromOption = 1,
    reprocess: options.ReprocessChoice = "missing",
    force: options.ForceOption = False,
    dry_run: options.DryRunOption = False,
    preview: Annotated[
        bool,
        typer.Option("--preview", help="Run on a copy of the file, and show what changes there."),
    ] = False,
    skip_tests: Annotated[bool, typer.Option("--skip-tests", help="Skip dbt's tests.")] = False,
    target: options.TargetOption = None,
    n_jobs: options.JobsOption = None,
    backend: options.BackendOption = None,
    scheduler: options.SchedulerOption = None,
    exchange_dir: options.ExchangeOption = None,
    wait: options.WaitOption = None,
    log_format: options.LogFormatOption = LogFormat.TEXT,
) -> int:
    """Backfill a range: build inputs, compute, build outputs, test the coverage."""
    settings = settings_of(target, n_jobs, backend, wait, exchange_dir)
    chosen = chosen_processors(processors, start_from)
    pool = exchanging(pool_options(settings, scheduler), settings)
    mode: Reprocess = "all" if force else reprocess
    check_range(start, end, season or [], everything=everything)
    if dry_run and preview:
        raise BackcourtError(
            "--dry-run and --preview exclude each other",
            "--dry-run says which dates are due; --preview computes them on a copy.",
            ExitCode.USAGE,
        )
    asked = BackfillOptions(
        chosen,
        mode,
        pool,
        run_tests=not skip_tests,
        record_changes_days=settings.record_changes_days,
    )
    if preview:
        dates = {"start": start, "end": end, "seasons": season or [], "everything": everything}
        return _preview(settings, asked, dates, as_json=log_format is LogFormat.JSON)
    with open_warehouse(settings, read_only=dry_run) as warehouse:
        schedule = resolve(warehouse, start, end, season or [], everything=everything)
        reporter = echo_range(schedule, as_json=log_format is LogFormat.JSON)
        if dry_run:
            planned = read_plan(warehouse, settings, schedule, chosen)
            show_plan(planned, mode, reporter)
            if settings.target != "duckdb":
                show_costs(settings, schedule, chosen, reporter)
            return plan_exit_code(planned)
        if mode == "all":
            _say_how_to_keep_rows(settings, chosen)
        project = DbtProject(settings)
        run = Backfill(warehouse, project, schedule, asked, reporter)
        result, found = _carried_out(run, project.state(), reporter)
    return finish(result, found, reporter)


def _preview(
    settings: Settings, asked: BackfillOptions, dates: Mapping[str, Any], *, as_json: bool
) -> int:
    """Run a backfill on a copy of the file, and compare the copy with the file."""
    from python_workers.cli.diff import diff_exit_code, report  # noqa: PLC0415 -- no other run compares
    from python_workers.diff.compare import Range, compare  # noqa: PLC0415
    from python_workers.diff.preview import copied  # noqa: PLC0415

    project = DbtProject(settings)
    with copied(settings) as copy:
        with open_warehouse(copy) as warehouse:
            schedule = resolve(warehouse, **dates)
            reporter = echo_range(schedule, as_json=as_json)
            run = Backfill(warehouse, DbtProject(copy), schedule, asked, reporter)
            result, found = _carried_out(run, project.state(), reporter)
        code = finish(result, found, reporter)
        within = Range.of(schedule)
        with (
            open_warehouse(settings, read_only=True) as here,
            open_warehouse(copy, read_only=True) as there,
        ):
            differences = compare(here, there, asked.processors, within)
        report(differences, (f"{settings.warehouse_file} as it is", "after this run"), reporter)
    return max(code, diff_exit_code(differences))


def _say_how_to_keep_rows(settings: Settings, chosen: Sequence[Processor]) -> None:
    """Print how to keep the rows that BigQuery is about to restate."""
    if settings.target == "duckdb":
        return
    from python_workers.backfill.run_costs import restore_recipe  # noqa: PLC0415 -- slow to import
    from python_workers.warehouse.bigquery.open import bigquery_options  # noqa: PLC0415

    tables = [processor.table for processor in chosen]
    for line in restore_recipe(bigquery_options(settings), tables, datetime.now(UTC)):
        say(line)


def compute(
    start: options.StartOption = None,
    end: options.EndOption = None,
    season: options.SeasonOption = None,
    everything: options.AllOption = False,
    processors: options.ProcessorsOption = None,
    reprocess: options.ReprocessChoice = "missing",
    force: options.ForceOption = False,
    target: options.TargetOption = None,
    n_jobs: options.JobsOption = None,
    backend: options.BackendOption = None,
    scheduler: options.SchedulerOption = None,
    exchange_dir: options.ExchangeOption = None,
    wait: options.WaitOption = None,
    log_format: options.LogFormatOption = LogFormat.TEXT,
) -> int:
    """Compute only the pool's processors, from inputs that dbt has built."""
    settings = settings_of(target, n_jobs, backend, wait, exchange_dir)
    chosen = chosen_processors(processors, allowed=POOL_PROCESSORS)
    pool = exchanging(pool_options(settings, scheduler), settings)
    mode: Reprocess = "all" if force else reprocess
    check_range(start, end, season or [], everything=everything)
    with open_warehouse(settings) as warehouse:
        schedule = resolve(warehouse, start, end, season or [], everything=everything)
        reporter = echo_range(schedule, as_json=log_format is LogFormat.JSON)
        project = DbtProject(settings)
        asked = BackfillOptions(
            chosen, mode, pool, record_changes_days=settings.record_changes_days
        )
        run = Backfill(warehouse, None, schedule, asked, reporter)
        result, found = _carried_out(run, project.state(), reporter)
    return finish(result, found, reporter)


def _carried_out(
    run: Backfill, project_state: str, reporter: TextReporter | JsonReporter
) -> tuple[BackfillResult, Coverage]:
    if isinstance(reporter, JsonReporter):
        reporter.run_id = run.result.run.run_id
    try:
        result = run.run()
        chosen = run.options.processors
        # If the run has built or compared the inputs, nothing else has changed them since.
        builds = InputBuilds.read(run.warehouse, project_state, checks_derived=run.project is None)
        return result, read_coverage(run.warehouse, run.schedule, chosen, builds=builds)
    finally:
        reporter.close()


def finish(result: BackfillResult, found: Coverage, reporter: TextReporter | JsonReporter) -> int:
    """Report the result of a run and return its exit code.

    Parameters
    ----------
    result
        The result of the run.
    found
        Coverage of its range and processors after the run.
    reporter
        Where to report.
    """
    seconds = sum(result.seconds.values())
    if isinstance(reporter, JsonReporter):
        reporter.event(
            "run_finished",
            seconds=round(seconds, 3),
            rows_written=result.written,
            failures_to_investigate=found.to_investigate,
            needs_attention=found.needs_attention,
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
        if found.needs_attention:
            out.print(
                f"{', '.join(found.needs_attention)}: "
                f"backcourt coverage --start {found.start} --end {found.end}"
            )
    return exit_code(found, result.failed_tests)


def _print_result(result: BackfillResult, seconds: float) -> None:
    title = f"{result.run.run_id}: {seconds:.1f} s, {counted(result.written, 'row')} written"
    if not any(result.dates.values()):
        out.print(f"{title}: nothing was due")
        return
    rows = []
    for key, counts in result.counts.items():
        rows.append(
            (
                key,
                result.dates[key],
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
        title,
        [(heading, "left" if heading == "processor" else "right") for heading in headings],
        rows,
    )
