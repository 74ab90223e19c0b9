"""``backcourt export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from python_workers.accounting.coverage import exit_code, read_coverage
from python_workers.accounting.schedule import check_range, game_dates, resolve
from python_workers.backfill.dbt_project import DbtProject
from python_workers.cli import options
from python_workers.cli.console import out
from python_workers.errors import BackcourtError, ExitCode
from python_workers.processors.catalogue import PROCESSORS
from python_workers.raw.descriptions import models_folder
from python_workers.reading.export import FileFormat, check_export_folder
from python_workers.reading.export import export as write_export
from python_workers.reading.outputs import OUTPUTS, TRAINING_EXAMPLES, Output
from python_workers.reading.scope import Scope
from python_workers.settings import load_settings
from python_workers.warehouse.open import open_warehouse

NAMES = ",".join(OUTPUTS)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new or empty folder.")],
    tables: Annotated[
        str, typer.Option(metavar=NAMES, help="The tables, separated by commas.")
    ] = TRAINING_EXAMPLES.name,
    file_format: Annotated[
        FileFormat, typer.Option("--format", help="Parquet or CSV, a file a season.")
    ] = FileFormat.PARQUET,
    start: options.StartOption = None,
    end: options.EndOption = None,
    season: options.SeasonOption = None,
    everything: options.AllOption = False,
    allow_gaps: Annotated[
        bool, typer.Option("--allow-gaps", help="End with 0 although the range needs attention.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the export that the folder contains.")
    ] = False,
    target: options.TargetOption = None,
    wait: options.WaitOption = None,
) -> int:
    """Write the training examples, or any output table, as Parquet or CSV files.

    Without a range, it covers every game date on the schedule. manifest.json says what the files
    are: range, versions, hashes, columns. Exit code 1 if the range needs attention.
    """
    chosen = _chosen(tables)
    check_export_folder(folder, replace=replace)
    settings = load_settings(target=target, wait_seconds=wait)
    everything = everything or not (start or end or season)
    check_range(start, end, season or [], everything=everything)
    processors = {each for output in chosen for each in output.processors}
    state = DbtProject(settings).state()
    with open_warehouse(settings, read_only=True) as warehouse:
        schedule = resolve(warehouse, start, end, season or [], everything=everything)
        in_order = [each for each in PROCESSORS if each in processors]
        coverage = read_coverage(warehouse, schedule, in_order, state)
        manifest = write_export(
            warehouse,
            Scope(schedule, game_dates(warehouse)),
            chosen,
            folder,
            file_format,
            coverage,
            models_folder(),
            state,
        )
    for table in manifest["tables"]:
        out.print(_line(folder, table), markup=False)
    if coverage.needs_attention:
        reasons = "; ".join(coverage.needs_attention)
        out.print(f"the range needs attention: {reasons}", markup=False)
        out.print(
            f"  see: backcourt coverage --start {schedule.start} --end {schedule.end}",
            markup=False,
        )
    return ExitCode.OK if allow_gaps else exit_code(coverage)


def _line(folder: Path, table: dict[str, Any]) -> str:
    megabytes = sum(file["bytes"] for file in table["files"]) / 1e6
    files = len(table["files"])
    return (
        f"wrote {folder / table['name']}: {table['rows']:,} rows, {len(table['columns'])} columns, "
        f"{files} file{'s' if files != 1 else ''}, {megabytes:,.1f} MB"
    )


def _chosen(names: str) -> list[Output]:
    given = [name.strip().lower() for name in names.split(",") if name.strip()]
    unknown = [name for name in given if name not in OUTPUTS]
    if unknown or not given:
        raise BackcourtError(
            f"{', '.join(unknown) or 'nothing'} is no table to export",
            f"Choose from {', '.join(OUTPUTS)}.",
            ExitCode.USAGE,
        )
    return [OUTPUTS[name] for name in dict.fromkeys(given)]
