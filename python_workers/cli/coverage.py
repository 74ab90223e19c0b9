"""``backcourt coverage``."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from python_workers.accounting.coverage import (
    ATTENTION,
    COUNTS,
    Coverage,
    exit_code,
    failures_to_investigate,
    read_coverage,
)
from python_workers.accounting.schedule import check_range, resolve
from python_workers.backfill.dbt_project import DbtProject
from python_workers.cli import options
from python_workers.cli.console import out, print_table
from python_workers.cli.options import OutputFormat, chosen_processors
from python_workers.processors.catalogue import BY_NAME
from python_workers.processors.failures import CATEGORIES, UNKNOWN_CATEGORY
from python_workers.settings import load_settings
from python_workers.warehouse.open import open_warehouse
from python_workers.wording import counted

SHOWN_FAILURES = 20
SHOWN_DATES = 10

HEADINGS = {
    **{name: name for name in COUNTS},
    **{category.column: category.heading for category in CATEGORIES.values()},
    UNKNOWN_CATEGORY: "unknown",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("coverage")(coverage)


def coverage(
    start: options.StartOption = None,
    end: options.EndOption = None,
    season: options.SeasonOption = None,
    everything: options.AllOption = False,
    processor: Annotated[
        str | None, typer.Option(metavar=options.KEYS, help="Only these, separated by commas.")
    ] = None,
    output: Annotated[OutputFormat, typer.Option("--format", help="Table or JSON.")] = (
        OutputFormat.TABLE
    ),
    target: options.TargetOption = None,
    wait: options.WaitOption = None,
) -> int:
    """Reconcile the expected players and teams with rows and failures.

    Exit code 1 if the range needs attention.
    """
    settings = load_settings(target=target, wait_seconds=wait)
    chosen = chosen_processors(processor)
    check_range(start, end, season or [], everything=everything)
    with open_warehouse(settings, read_only=True) as warehouse:
        schedule = resolve(warehouse, start, end, season or [], everything=everything)
        found = read_coverage(warehouse, schedule, chosen, DbtProject(settings).state())
        failures = failures_to_investigate(warehouse, schedule, chosen)
    if output is OutputFormat.JSON:
        out.print(json.dumps(_as_json(found, failures), default=str, indent=1), markup=False)
    else:
        _print(found, failures)
    return exit_code(found)


def _print(found: Coverage, failures: list[dict[str, Any]]) -> None:
    print_table(
        f"coverage {found.start} to {found.end}",
        [
            ("processor", "left"),
            ("dates", "right"),
            ("not run", "right"),
            *((HEADINGS[name], "right") for name in COUNTS),
        ],
        [
            (processor.key, total["dates"], total["not_run"], *(total[name] for name in COUNTS))
            for processor, total in found.totals().items()
        ],
    )
    gaps = [row for row in found.by_date if row["coverage_status"] in ("not_run", "incomplete")]
    for row in gaps[:SHOWN_DATES]:
        out.print(
            f"{row['coverage_status']}: {row['processor_name']} {row['analysis_date']}: "
            f"{row['unaccounted']:,} unaccounted, {row['duplicated']:,} duplicated, "
            f"{row['unexpected']:,} unexpected",
            markup=False,
        )
    if len(gaps) > SHOWN_DATES:
        out.print(f"… and {len(gaps) - SHOWN_DATES:,} more dates")
    for line in found.stale_lines:
        out.print(line, markup=False)
    if failures:
        dates = sum(row["dates"] for row in failures)
        out.print(
            f"to investigate: {counted(dates, 'failure')} of {counted(len(failures), 'kind')}, "
            "earliest first"
        )
    for row in failures[:SHOWN_FAILURES]:
        out.print(
            f"  {_span(row)}  {BY_NAME[row['processor_name']].key} {row['entity_id']} "
            f"{row['failure_category']}: {row['failure_reason']}",
            markup=False,
        )
    if len(failures) > SHOWN_FAILURES:
        out.print(f"  … and {len(failures) - SHOWN_FAILURES:,} more (--format json has all)")
    for error in found.raw_errors:
        out.print(
            f"raw rows to correct: {error.found:,} {error.meaning}, first {error.example}",
            markup=False,
        )
    if not found.needs_attention:
        out.print("everyone is accounted for")


def _span(row: dict[str, Any]) -> str:
    if row["dates"] == 1:
        return str(row["first_date"])
    return f"{row['first_date']} to {row['last_date']} ({row['dates']} dates)"


def _as_json(found: Coverage, failures: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "start_date": found.start,
        "end_date": found.end,
        "needs_attention": bool(found.needs_attention),
        "reasons": found.needs_attention,
        "changed_games": list(found.changed_games),
        "attention_counts": {name: sum(row[name] for row in found.by_date) for name in ATTENTION},
        "processors": [
            {"processor_name": processor.name, **total}
            for processor, total in found.totals().items()
        ],
        "dates": list(found.by_date),
        "to_investigate": failures,
        "raw_errors": [vars(error) for error in found.raw_errors],
    }
