"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from python_workers.accounting.ledger import processors_from
from python_workers.choices import BackendName, Reprocess, Target
from python_workers.errors import BackcourtError, ExitCode
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import BY_KEY, PROCESSORS
from python_workers.settings import Settings, load_settings

if TYPE_CHECKING:
    from python_workers.backfill.pool_stage import PoolOptions


class LogFormat(StrEnum):
    """Formats of the progress."""

    TEXT = "text"
    JSON = "json"


class OutputFormat(StrEnum):
    """Formats of a result."""

    TABLE = "table"
    JSON = "json"


def parse_date(text: str) -> date:
    """Parse the ISO date of an option."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BackcourtError(
            f"{text!r} is not a date", "Write it as YYYY-MM-DD.", ExitCode.USAGE
        ) from error


StartOption = Annotated[
    date | None,
    typer.Option("--start", metavar="YYYY-MM-DD", parser=parse_date, help="First date."),
]
EndOption = Annotated[
    date | None,
    typer.Option("--end", metavar="YYYY-MM-DD", parser=parse_date, help="Last date, included."),
]
SeasonOption = Annotated[
    list[str] | None,
    typer.Option("--season", metavar="2021-22", help="A season; may be repeated."),
]
AllOption = Annotated[bool, typer.Option("--all", help="Every game date on the schedule.")]
TargetOption = Annotated[
    Target | None, typer.Option(help="Warehouse.  [default: duckdb, or BACKCOURT_TARGET]")
]
JobsOption = Annotated[
    int | None, typer.Option("--n-jobs", help="Worker processes; -1 is one per core.")
]
BackendOption = Annotated[BackendName | None, typer.Option(help="Backend of the pool.")]
SchedulerOption = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler, with --backend dask.")
]
ExchangeOption = Annotated[
    Path | None,
    typer.Option(
        "--exchange-dir",
        metavar="DIR",
        help="Shared folder in which workers read inputs and write results.",
    ),
]
KEYS = ",".join(BY_KEY)
ProcessorsOption = Annotated[
    str | None,
    typer.Option(metavar=KEYS, help="Only these processors, separated by commas."),
]
StartFromOption = Annotated[
    int,
    typer.Option(
        min=1,
        max=len(PROCESSORS),
        help=f"Begin at this processor: {', '.join(f'{p.number} {p.key}' for p in PROCESSORS)}.",
    ),
]
ReprocessChoice = Annotated[
    Reprocess,
    typer.Option(help="Compute missing or stale dates, also those with failures, or all dates."),
]
ForceOption = Annotated[bool, typer.Option("--force", help="The same as --reprocess all.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Show what a backfill would do; do nothing.")
]
LogFormatOption = Annotated[LogFormat, typer.Option(help="Progress as text or JSON lines.")]
WaitOption = Annotated[
    float | None,
    typer.Option("--wait", metavar="SECONDS", help="Wait for another process to release the file."),
]


def chosen_processors(
    names: str | None, start_from: int = 1, allowed: Sequence[Processor] | None = None
) -> tuple[Processor, ...]:
    """Return the processors that options name, in order."""
    allowed_keys = [processor.key for processor in allowed or BY_KEY.values()]
    if names is None:
        return processors_from(start_from, allowed_keys)
    given = [name.strip().lower() for name in names.split(",") if name.strip()]
    unknown = [name for name in given if name not in allowed_keys]
    if unknown or not given:
        raise BackcourtError(
            f"{', '.join(unknown) or 'nothing'} is no processor of this command",
            f"Choose from {', '.join(allowed_keys)}.",
            ExitCode.USAGE,
        )
    chosen = processors_from(start_from, given)
    if not chosen:
        raise BackcourtError(
            f"--start-from {start_from} leaves none of --processors {','.join(given)}",
            "Omit one of the two.",
            ExitCode.USAGE,
        )
    return chosen


def pool_options(settings: Settings, scheduler: str | None) -> PoolOptions:
    """Return how the pool runs, from the settings and the scheduler's address.

    Raises
    ------
    BackcourtError
        With exit code 2 if only one of Dask backend and scheduler address is given, or if the
        address names a user or a password, which no scheduler accepts.
    """
    if settings.backend == "dask" and not scheduler:
        raise BackcourtError(
            "--backend dask needs the address of a scheduler",
            "Add --scheduler ADDRESS, for example: --scheduler tcp://127.0.0.1:8786",
            ExitCode.USAGE,
        )
    if scheduler is not None and "@" in scheduler:
        host = scheduler.rpartition("@")[2]
        raise BackcourtError(
            f"--scheduler names a user or a password before {host}",
            "Dask schedulers take neither; docs/scaling.md says how to use certificates.",
            ExitCode.USAGE,
        )
    if settings.backend != "dask" and scheduler is not None:
        raise BackcourtError(
            f"--scheduler is for --backend dask, and the backend is {settings.backend}",
            "Add --backend dask, or omit --scheduler.",
            ExitCode.USAGE,
        )
    from python_workers.backfill.pool_stage import PoolOptions  # noqa: PLC0415 -- joblib: slow to import

    return PoolOptions(
        n_jobs=settings.n_jobs,
        backend=settings.backend,
        scheduler=scheduler,
        chunk_dates=settings.chunk_dates,
        commit_rows=settings.commit_rows,
        hang_seconds=settings.hang_seconds,
    )


def exchanging(pool: PoolOptions, settings: Settings) -> PoolOptions:
    """Return the options of a backfill's pool, with the exchange folder if there is one.

    Raises
    ------
    BackcourtError
        With exit code 2 on BigQuery, which reads and writes no files of a folder.
    """
    if settings.exchange_dir is None:
        return pool
    if settings.target != "duckdb":
        raise BackcourtError(
            f"--exchange-dir is for DuckDB, and the target is {settings.target}",
            "Omit it, and unset BACKCOURT_EXCHANGE_DIR.",
            ExitCode.USAGE,
        )
    return replace(pool, exchange_dir=settings.exchange_dir.expanduser().absolute())


def settings_of(
    target: Target | None,
    n_jobs: int | None = None,
    backend: BackendName | None = None,
    wait: float | None = None,
    exchange_dir: Path | None = None,
) -> Settings:
    """Return the settings of the environment, overridden by the given options."""
    return load_settings(
        target=target,
        n_jobs=n_jobs,
        backend=backend,
        wait_seconds=wait,
        exchange_dir=exchange_dir,
    )
