"""``backcourt costs``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from python_workers.cli import options
from python_workers.cli.console import out, print_table
from python_workers.cli.options import OutputFormat
from python_workers.errors import BackcourtError, ExitCode
from python_workers.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("costs")(costs)


def costs(
    run_id: Annotated[str, typer.Option("--run", metavar="ID", help="Id that the run printed.")],
    output: Annotated[OutputFormat, typer.Option("--format", help="Table or JSON.")] = (
        OutputFormat.TABLE
    ),
    target: options.TargetOption = None,
) -> int:
    """Show the bytes, slot time and jobs of a run on BigQuery, by stage and processor."""
    from python_workers.backfill.costs import price  # noqa: PLC0415 -- slow to import
    from python_workers.backfill.run_costs import run_costs  # noqa: PLC0415
    from python_workers.warehouse.bigquery.open import open_bigquery  # noqa: PLC0415

    settings = load_settings(target=target)
    if settings.target == "duckdb":
        raise BackcourtError(
            "runs on DuckDB have no jobs, and cost nothing",
            "Use --target bigquery.",
            ExitCode.USAGE,
        )
    with open_bigquery(settings) as warehouse:
        found = run_costs(warehouse, run_id)
    rate = settings.bq_usd_per_tib
    if output is OutputFormat.JSON:
        rows = [{**asdict(cost), "usd": round(price(cost.bytes_billed, rate), 6)} for cost in found]
        out.print(json.dumps(rows, indent=1), markup=False)
        return 0
    print_table(
        f"{run_id}, at {rate:g} USD per TiB billed",
        [
            ("stage", "left"),
            ("processor", "left"),
            *((name, "right") for name in ("jobs", "read", "billed", "slot seconds", "USD")),
        ],
        [
            (
                cost.stage,
                cost.processor,
                cost.jobs,
                cost.bytes_processed,
                cost.bytes_billed,
                f"{cost.slot_ms / 1000:,.1f}",
                f"{price(cost.bytes_billed, rate):.4f}",
            )
            for cost in found
        ],
    )
    billed = sum(cost.bytes_billed for cost in found)
    out.print(f"total: {billed:,} bytes billed, {price(billed, rate):.4f} USD")
    return 0
