"""``backcourt diff``, and the output of a backfill's preview."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from python_workers import table_names
from python_workers.accounting.schedule import check_range, resolve
from python_workers.cli import options
from python_workers.cli.console import JsonReporter, TextReporter, out, print_table, wrapped
from python_workers.cli.options import OutputFormat, chosen_processors
from python_workers.diff.compare import Range, compare, totals
from python_workers.diff.findings import DIFFERENCES, KINDS, ColumnChanges, Example, TableDiff
from python_workers.errors import BackcourtError, ExitCode
from python_workers.settings import Settings, load_settings
from python_workers.warehouse.base import Warehouse
from python_workers.warehouse.duckdb.file import FileInUseError, is_duckdb_file
from python_workers.warehouse.open import open_warehouse

SHOWN_DATES = 10
SHOWN_VALUE = 400
# It differs wherever another column does: an example of it says nothing.
HASH = "data_hash"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("diff")(diff)


def diff(
    other: Annotated[
        str,
        typer.Argument(metavar="OTHER", help="A DuckDB file; on BigQuery, a dataset prefix."),
    ],
    start: options.StartOption = None,
    end: options.EndOption = None,
    season: options.SeasonOption = None,
    processors: options.ProcessorsOption = None,
    examples: Annotated[
        int, typer.Option(min=0, max=1_000, help="Examples of each kind of difference.")
    ] = 3,
    output: Annotated[OutputFormat, typer.Option("--format", help="Table or JSON.")] = (
        OutputFormat.TABLE
    ),
    target: options.TargetOption = None,
    wait: options.WaitOption = None,
) -> int:
    """Compare the features and failures of this warehouse with those of another one.

    Without a range, it compares all dates. Exit code 1 if anything differs.
    """
    settings = load_settings(target=target, wait_seconds=wait)
    chosen = chosen_processors(processors)
    if start or end or season:
        check_range(start, end, season or [])
    with (
        open_warehouse(settings, read_only=True) as here,
        open_warehouse(_other(settings, other), read_only=True) as there,
    ):
        _check_other(there, other)
        found = compare(here, there, chosen, _range(here, start, end, season or []), examples)
    if not found:
        raise BackcourtError(
            "neither warehouse has features",
            "Compute them with: backcourt backfill --all",
            ExitCode.ENVIRONMENT,
        )
    names: tuple[str, ...] = (str(settings.warehouse_file), other)
    if settings.target != "duckdb":
        names = tuple(f"{prefix}nba_*" for prefix in (settings.bq_dataset_prefix, other))
    if output is OutputFormat.JSON:
        out.print(json.dumps(as_json(found, names), default=str, indent=1), markup=False)
    else:
        show(found, names)
    return diff_exit_code(found)


def diff_exit_code(found: Sequence[TableDiff]) -> ExitCode:
    """Return 1 if anything differs."""
    return ExitCode.ATTENTION if any(table.differs for table in found) else ExitCode.OK


def _check_other(there: Warehouse, other: str) -> None:
    """Open the other warehouse; an error must not advise on the file of this one."""
    try:
        there.has_table(table_names.GAMES)
    except FileInUseError:
        raise
    except BackcourtError as error:
        raise BackcourtError(
            error.message,
            [
                *(line for line in error.hint if "BACKCOURT_DUCKDB_PATH" not in line),
                f"OTHER, {other}, must be the file of another warehouse; leave it as it is.",
            ],
            error.exit_code,
        ) from error


def _other(settings: Settings, other: str) -> Settings:
    if settings.target != "duckdb":
        given = settings.model_dump(exclude={"bq_dataset_prefix"})
        return load_settings(**given, bq_dataset_prefix=other)
    path = Path(other).expanduser().absolute()
    if path.exists() and settings.warehouse_file.exists():
        same = path.samefile(settings.warehouse_file)
    else:
        same = path == settings.warehouse_file
    if same:
        raise BackcourtError(
            f"{other} is this warehouse itself",
            "Name another file; BACKCOURT_DUCKDB_PATH names the one to compare it with.",
            ExitCode.USAGE,
        )
    if not path.exists():
        raise BackcourtError(
            f"there is no warehouse at {path}",
            "Name another DuckDB file to compare with.",
            ExitCode.ENVIRONMENT,
        )
    if path.is_file() and not is_duckdb_file(path):
        # Before a lock file stands beside it.
        raise BackcourtError(
            f"{path} is not a DuckDB file",
            "Name another DuckDB file to compare with.",
            ExitCode.ENVIRONMENT,
        )
    return settings.model_copy(update={"duckdb_path": path})


def _range(
    warehouse: Warehouse, start: date | None, end: date | None, seasons: Sequence[str]
) -> Range:
    if not (start or end or seasons):
        return Range()
    return Range.of(resolve(warehouse, start, end, seasons))


def as_json(found: Sequence[TableDiff], names: Sequence[str]) -> dict[str, Any]:
    """Return a comparison as plain values."""
    return {
        "here": names[0],
        "there": names[1],
        "differs": any(table.differs for table in found),
        "rows": totals(found),
        "tables": [table.as_json() for table in found],
    }


def report(
    found: Sequence[TableDiff], names: Sequence[str], reporter: TextReporter | JsonReporter
) -> None:
    """Report a comparison in the form of a run's progress."""
    if isinstance(reporter, JsonReporter):
        reporter.event("compared", **as_json(found, names))
    else:
        show(found, names)


def show(found: Sequence[TableDiff], names: Sequence[str]) -> None:
    """Print a comparison, in lines of at most 80 columns unless a value is longer."""
    out.print(f"here   {names[0]}", markup=False)
    out.print(f"there  {names[1]}", markup=False)
    print_table(
        "rows",
        [
            ("table", "left"),
            *((kind.replace("_", " "), "right") for kind in KINDS),
            ("dates that differ", "left"),
        ],
        [
            (table.name, *(table.count(kind) for kind in KINDS), _span(table.differing_dates))
            for table in found
        ],
    )
    if not any(table.differs for table in found):
        out.print("no differences")
        return
    for table in found:
        _show_table(table)


def _show_table(table: TableDiff) -> None:
    for side, columns in (
        ("here", table.columns_only_here),
        ("there", table.columns_only_there),
    ):
        if columns:
            out.print(f"{table.name}: columns only {side}: {', '.join(columns)}", markup=False)
    if table.columns:
        print_table(
            f"{table.name}: columns of changed rows",
            [("column", "left"), *((name, "right") for name in ("rows", "largest", "mean"))],
            [
                (name, changes.rows, *_sizes(changes))
                for name, changes in sorted(
                    table.columns.items(), key=lambda item: (-item[1].rows, item[0])
                )
            ],
        )
        for name, changes in table.columns.items():
            for example in changes.examples[:1] if name != HASH else ():
                line = (
                    f"{example.day} {example.entity} {name}: "
                    f"{_value(example.here)} here, {_value(example.there)} there"
                )
                out.print(wrapped(line, 2), markup=False)
    for side, rows in (("here", table.examples_only_here), ("there", table.examples_only_there)):
        for example in rows:
            out.print(f"  {table.name} only {side}: {_row(example)}", markup=False)
    days = table.differing_dates
    if not days:
        return
    by_date = [
        f"{day} {sum(table.dates[day][kind] for kind in DIFFERENCES):,}"
        for day in days[:SHOWN_DATES]
    ]
    if len(days) > SHOWN_DATES:
        by_date.append(f"… and {len(days) - SHOWN_DATES:,} more dates (--format json has all)")
    out.print(wrapped(f"{table.name} by date: {', '.join(by_date)}", 2), markup=False)


def _span(days: Sequence[date]) -> str:
    if not days:
        return "-"
    if len(days) == 1:
        return str(days[0])
    return f"{len(days):,}, {days[0]} to {days[-1]}"


def _sizes(changes: ColumnChanges) -> tuple[str, str]:
    if changes.mean is None:
        return "-", "-"
    return f"{changes.largest:.6g}", f"{changes.mean:.4g}"


def _row(example: Example) -> str:
    return f"{example.day} {example.entity}"


def _value(value: object) -> str:
    text = "missing" if value is None else str(value)
    return text if len(text) <= SHOWN_VALUE else f"{text[:SHOWN_VALUE]}…"
