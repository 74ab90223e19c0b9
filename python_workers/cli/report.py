"""``backcourt report``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from python_workers.accounting.coverage import exit_code
from python_workers.accounting.schedule import check_range, game_dates, resolve
from python_workers.backfill.dbt_project import DbtProject
from python_workers.cli import options
from python_workers.cli.console import echo_range, out
from python_workers.raw.descriptions import models_folder
from python_workers.runtime.writing import check_writable, write_text
from python_workers.settings import load_settings
from python_workers.warehouse.open import open_warehouse


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    path: Annotated[Path, typer.Option("--out", metavar="FILE.html", help="Where to write.")],
    start: options.StartOption = None,
    end: options.EndOption = None,
    season: options.SeasonOption = None,
    everything: options.AllOption = False,
    target: options.TargetOption = None,
    wait: options.WaitOption = None,
) -> int:
    """Write one self-contained page: coverage, failures, run times, shot zones.

    Without a range, it covers every game date on the schedule. Exit code 1 if the range needs
    attention.
    """
    from python_workers.reading.scope import Scope  # noqa: PLC0415
    from python_workers.report.page import PAGE_BEGINS, render  # noqa: PLC0415 -- no other command draws
    from python_workers.report.queries import read_report  # noqa: PLC0415
    from python_workers.report.totals import total, verdict  # noqa: PLC0415

    check_writable(path, PAGE_BEGINS, (".html", ".htm"))
    settings = load_settings(target=target, wait_seconds=wait)
    everything = everything or not (start or end or season)
    check_range(start, end, season or [], everything=everything)
    with open_warehouse(settings, read_only=True) as warehouse:
        schedule = resolve(warehouse, start, end, season or [], everything=everything)
        echo_range(schedule, as_json=False)
        data = read_report(
            warehouse, Scope(schedule, game_dates(warehouse)), DbtProject(settings).state()
        )
    page = render(data, datetime.now(UTC), models_folder())
    write_text(path, page)
    found = verdict(total(data.coverage), schedule.start, schedule.end)
    out.print(f"wrote {path} ({path.stat().st_size / 1000:,.0f} kB)", markup=False)
    out.print(" ".join(filter(None, (found.headline, found.detail))), markup=False)
    return exit_code(data.coverage)
