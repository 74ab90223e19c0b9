"""``backcourt load`` and ``backcourt simulate``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from python_workers.cli_options import (
    LogFormat,
    LogFormatOption,
    Target,
    TargetOption,
    WaitOption,
)
from python_workers.console import JsonReporter, err, out, print_table
from python_workers.dbt_project import DbtProject
from python_workers.load import LoadReport, load_directory
from python_workers.opening import open_warehouse
from python_workers.schedule import SEASONS_TABLE
from python_workers.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("load")(load)
    app.command("simulate")(simulate)


def load(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="One folder a table in it.")],
    tables: Annotated[
        str | None, typer.Option(metavar="games,shots", help="Only these tables, by commas.")
    ] = None,
    target: TargetOption = None,
    wait: WaitOption = None,
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Load raw files into nba_raw: an upsert by key, checked before anything is written."""
    settings = load_settings(target=_value(target), wait_seconds=wait)
    began = time.perf_counter()
    with open_warehouse(settings, must_exist=False) as warehouse:
        report = load_directory(warehouse, directory, tables=_names(tables))
        needs_seed = not warehouse.has_table(SEASONS_TABLE)
        warehouse.close()
        if needs_seed:
            # So that `dbt run` works right after a load.
            DbtProject(settings).build(["seasons"])
    seconds = time.perf_counter() - began
    if log_format is LogFormat.JSON:
        _log(report, seconds)
        return
    _print(report, seconds)


def simulate(
    directory: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write.")],
    seasons: Annotated[str, typer.Option(help="Seasons, separated by commas.")] = "2021-22,2022-23",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
) -> None:
    """Write a made-up but realistic league in the raw format, labelled as simulated."""
    from python_workers.simulate import simulate as write_league  # noqa: PLC0415

    written = write_league(directory, _names(seasons) or [], seed)
    rows = ", ".join(f"{count:,} {table}" for table, count in written.rows.items())
    out.print(f"wrote a simulated league to {directory}: {rows}", markup=False)
    out.print(f"Load it with: backcourt load {directory}", markup=False)


def _print(report: LoadReport, seconds: float) -> None:
    print_table(
        f"loaded in {seconds:.1f} s",
        [
            ("table", "left"),
            ("files", "right"),
            ("rows read", "right"),
            ("inserted", "right"),
            ("updated", "right"),
            ("unchanged", "right"),
        ],
        [
            (
                each.table,
                each.files,
                each.rows_read,
                each.counts.inserted,
                each.counts.updated,
                each.counts.unchanged,
            )
            for each in report.tables
        ],
    )
    if report.new_players:
        out.print(f"{report.new_players:,} new players got their lookup")
    for warning in report.warnings:
        err.print(f"warning: {warning}", markup=False)


def _log(report: LoadReport, seconds: float) -> None:
    log = JsonReporter()
    for each in report.tables:
        log.event(
            "table_loaded",
            load_id=report.load_id,
            table=each.table,
            files=each.files,
            rows_read=each.rows_read,
            inserted=each.counts.inserted,
            updated=each.counts.updated,
            unchanged=each.counts.unchanged,
        )
    for warning in report.warnings:
        log.event("load_warning", load_id=report.load_id, message=warning, severity="WARNING")
    log.event(
        "load_finished",
        load_id=report.load_id,
        new_players=report.new_players,
        seconds=round(seconds, 3),
    )


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _value(option: Target | None) -> str | None:
    return option.value if option is not None else None
