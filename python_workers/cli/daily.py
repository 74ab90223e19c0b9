"""``backcourt daily``, ``status`` and ``breaker``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from python_workers import table_names
from python_workers.accounting.coverage import exit_code, read_coverage
from python_workers.accounting.schedule import Schedule, game_dates, no_games_error
from python_workers.backfill.dbt_project import DbtProject
from python_workers.cli import options
from python_workers.cli.backfill import finish
from python_workers.cli.console import (
    JsonReporter,
    echo_range,
    out,
    print_table,
    say_copied,
)
from python_workers.cli.options import (
    LogFormat,
    OutputFormat,
    chosen_processors,
    pool_options,
)
from python_workers.daily.breaker import open_breakers, reset
from python_workers.daily.notify import run_hook
from python_workers.daily.run import DailyOptions, daily_processors, event_of, run_daily
from python_workers.daily.status import PipelineStatus, read_status
from python_workers.errors import BackcourtError, ExitCode
from python_workers.processors.catalogue import BY_NAME
from python_workers.settings import load_settings
from python_workers.warehouse.base import Warehouse
from python_workers.warehouse.open import open_beside_a_run, open_warehouse

breaker_app = typer.Typer(
    help="List or release the locks of daily mode's circuit breaker.", no_args_is_help=True
)

DateOption = Annotated[
    date | None,
    typer.Option("--date", metavar="YYYY-MM-DD", parser=options.parse_date, help="The date."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("daily")(daily)
    app.command("status")(status)
    breaker_app.command("list")(breaker_list)
    breaker_app.command("reset")(breaker_reset)
    app.add_typer(breaker_app, name="breaker")


def daily(
    day: Annotated[
        date,
        typer.Option("--date", metavar="YYYY-MM-DD", parser=options.parse_date, help="The date."),
    ],
    skip_downstream: Annotated[
        bool,
        typer.Option("--skip-downstream", help="Skip the feature store, tests and hook."),
    ] = False,
    allow_incomplete: Annotated[
        bool,
        typer.Option(
            "--allow-incomplete", help="Continue if data is missing or stale, and mark the run."
        ),
    ] = False,
    fetch: Annotated[
        Path | None,
        typer.Option(
            "--fetch", metavar="DIR", help="Fetch missing results to DIR and load them first."
        ),
    ] = None,
    hook: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND|URL|-",
            help="Notify at the end: a command, a webhook, or - for standard output.",
        ),
    ] = None,
    target: options.TargetOption = None,
    n_jobs: options.JobsOption = None,
    backend: options.BackendOption = None,
    scheduler: options.SchedulerOption = None,
    wait: options.WaitOption = None,
    log_format: options.LogFormatOption = LogFormat.TEXT,
) -> int:
    """Compute one date with the guards of a live pipeline."""
    settings = load_settings(
        target=target,
        n_jobs=n_jobs,
        backend=backend,
        wait_seconds=wait,
        hook=hook,
    )
    pool = pool_options(settings, scheduler)
    with open_warehouse(settings) as warehouse:
        if fetch is not None:
            _deliver(warehouse, fetch, day, as_json=log_format is LogFormat.JSON)
        schedule = _schedule_of(warehouse, day)
        if not schedule.dates:
            if log_format is LogFormat.JSON:
                JsonReporter().event("no_games", date=day.isoformat())
            else:
                out.print(f"no games on {day}: nothing to do")
            return ExitCode.OK
        reporter = echo_range(schedule, as_json=log_format is LogFormat.JSON)
        try:
            result = run_daily(
                warehouse,
                DbtProject(settings),
                schedule,
                DailyOptions(
                    pool,
                    settings.fresh_hours,
                    allow_incomplete=allow_incomplete,
                    skip_downstream=skip_downstream,
                    record_changes_days=settings.record_changes_days,
                ),
                reporter,
            )
            found = read_coverage(
                warehouse, schedule, daily_processors(skip_downstream=skip_downstream)
            )
        finally:
            reporter.close()
    code = finish(result, found, reporter)
    if settings.hook and not skip_downstream:
        run_hook(settings.hook, event_of(result, day))
    return code


def _deliver(warehouse: Warehouse, directory: Path, day: date, *, as_json: bool) -> None:
    from python_workers.cli.feeds import open_site  # noqa: PLC0415 -- only for --fetch
    from python_workers.daily.delivery import deliver  # noqa: PLC0415 -- as above

    done = deliver(warehouse, open_site(), directory, day)
    missing = [path.name for path in done.fetched.missing]
    if as_json:
        JsonReporter().event(
            "fetched",
            answers=len(done.fetched.files),
            missing=missing,
            changed_games=len(done.load.changed_games),
        )
        return
    out.print(
        f"fetched {len(done.fetched.files)} answers, loaded changes of "
        f"{len(done.load.changed_games)} games"
    )
    for path, reason in done.fetched.missing.items():
        out.print(f"missing: {path.name} ({reason})")


def status(
    output: Annotated[OutputFormat, typer.Option("--format", help="Table or JSON.")] = (
        OutputFormat.TABLE
    ),
    day: DateOption = None,
    target: options.TargetOption = None,
    wait: options.WaitOption = None,
) -> int:
    """Show the state of the pipeline: runs, freshness, breakers, failures, due dates.

    Exit code 1 if dates up to this day need attention.
    """
    settings = load_settings(target=target, wait_seconds=wait)
    with open_beside_a_run(settings, say_copied) as warehouse:
        found = read_status(
            warehouse, day or datetime.now(UTC).date(), DbtProject(settings).state()
        )
    if output is OutputFormat.JSON:
        out.print(json.dumps(_status_json(found), default=str, indent=1), markup=False)
    else:
        _print_status(found)
    return exit_code(found.coverage)


def breaker_list(
    target: options.TargetOption = None,
    wait: options.WaitOption = None,
) -> int:
    """List the active locks; exit code 1 if there are any."""
    settings = load_settings(target=target, wait_seconds=wait)
    with open_beside_a_run(settings, say_copied) as warehouse:
        found = open_breakers(warehouse)
    if not found:
        out.print("no open breakers")
        return ExitCode.OK
    _print_breakers(found)
    return ExitCode.ATTENTION


def breaker_reset(
    processor: Annotated[str | None, typer.Option(metavar=options.KEYS, help="Only these.")] = None,
    player: Annotated[
        str | None, typer.Option(metavar="PLAYER_LOOKUP", help="Only this player.")
    ] = None,
    day: DateOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Every lock.")] = False,
    target: options.TargetOption = None,
    wait: options.WaitOption = None,
) -> int:
    """Release locks early, so that the next daily run tries again."""
    if everything == any(option is not None for option in (processor, player, day)):
        raise BackcourtError(
            "which locks?",
            "Use --all, or one or more of --processor, --player and --date.",
            ExitCode.USAGE,
        )
    settings = load_settings(target=target, wait_seconds=wait)
    names = (
        None
        if processor is None
        else [processor.name for processor in chosen_processors(processor)]
    )
    with open_warehouse(settings) as warehouse:
        count = reset(warehouse, names, player, day)
    out.print(f"{count} locks opened")
    return ExitCode.OK


def _schedule_of(warehouse: Warehouse, day: date) -> Schedule:
    known = game_dates(warehouse)
    if not known[0][0] <= day <= known[-1][0]:
        raise no_games_error(known, day, day)
    return Schedule(day, day, (day,) if any(day == game_day for game_day, _ in known) else ())


def _print_status(found: PipelineStatus) -> None:
    if found.last_runs:
        print_table(
            "latest dates",
            [
                ("processor", "left"),
                ("date", "left"),
                ("mode", "left"),
                ("status", "left"),
                ("records", "right"),
                ("failures", "right"),
                ("finished (UTC)", "left"),
            ],
            [
                (
                    BY_NAME[row["processor_name"]].key,
                    row["latest_date"],
                    row["mode"] or "-",
                    (row["status"] or "-").replace("_", " "),
                    row["records"],
                    row["failures"],
                    f"{row['finished_at']:%Y-%m-%d %H:%M}",
                )
                for row in found.last_runs
            ],
        )
    else:
        out.print("no run yet: backcourt backfill --all")
    for table, loaded_at in sorted(found.loads.items()):
        out.print(f"{table_names.RAW}.{table} last loaded {loaded_at:%Y-%m-%d %H:%M} UTC")
    if found.breakers:
        _print_breakers(found.breakers)
    else:
        out.print("no open breakers")
    for row in found.to_investigate:
        out.print(
            f"to investigate: {row['failures']:,} {row['failure_category']} of "
            f"{BY_NAME[row['processor_name']].key}, the latest on {row['latest_date']}"
        )
    for line in (*found.coverage.repair_lines, *found.coverage.unmatched_lines):
        out.print(line, markup=False)
    if found.due:
        first = found.due[0]
        out.print(
            f"due: {len({day for _, day in found.due}):,} dates, the first is {first[1]} "
            f"({first[0].key}): backcourt plan --start {first[1]} --end {found.coverage.end}"
        )
    if found.next_dates:
        out.print(f"next game dates: {', '.join(map(str, found.next_dates))}")


def _print_breakers(rows: Sequence[dict[str, Any]]) -> None:
    print_table(
        "open breakers",
        [
            ("processor", "left"),
            ("date", "left"),
            ("player", "left"),
            ("attempts", "right"),
            ("locked until (UTC)", "left"),
        ],
        [
            (
                BY_NAME[row["processor_name"]].key,
                row["analysis_date"],
                row["entity_id"],
                row["attempt_count"],
                f"{row['locked_until']:%Y-%m-%d %H:%M}",
            )
            for row in rows
        ],
    )


def _status_json(found: PipelineStatus) -> dict[str, Any]:
    return {
        "last_runs": list(found.last_runs),
        "last_loads": found.loads,
        "open_breakers": list(found.breakers),
        "to_investigate": list(found.to_investigate),
        "due": [{"processor": processor.name, "date": day} for processor, day in found.due],
        "next_dates": list(found.next_dates),
        "changed_games": list(found.coverage.changed_games),
    }
