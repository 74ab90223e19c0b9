"""``backcourt doctor`` and ``verify``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from python_workers.accounting.coverage import (
    ATTENTION_STATUSES,
    Coverage,
    backfill_of,
    read_coverage,
)
from python_workers.accounting.ledger import Ledger
from python_workers.accounting.schedule import check_range, resolve
from python_workers.cli import options
from python_workers.cli.console import out, print_table, wrapped
from python_workers.cli.options import OutputFormat, chosen_processors
from python_workers.errors import ExitCode
from python_workers.health.doctor import examine
from python_workers.health.verify import Verified, all_right, verify
from python_workers.settings import load_settings
from python_workers.warehouse.open import open_warehouse

SHOWN_DATES = 10


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("doctor")(doctor)
    app.command("verify")(verify_command)


def doctor(
    output: Annotated[OutputFormat, typer.Option("--format", help="Table or JSON.")] = (
        OutputFormat.TABLE
    ),
    target: options.TargetOption = None,
    wait: options.WaitOption = None,
) -> int:
    """Check the installation, the warehouse and some of its rows; say what to mend.

    Exit code 1 if data needs attention, 3 if the environment does.
    """
    settings = load_settings(target=target, wait_seconds=wait)
    code, found = ExitCode.OK, []
    for check in examine(settings):
        code = max(code, check.outcome.exit_code)
        found.append(check)
        if output is OutputFormat.TABLE:
            word = "ok" if check.is_ok else "not ok"
            line = f"{word:<7} {check.name}: {check.outcome.found}"
            out.print(wrapped(line, hanging=8), markup=False)
            if check.outcome.mend:
                out.print(f"        mend: {check.outcome.mend}", markup=False)
    if output is OutputFormat.JSON:
        lines = [
            {"check": check.name, "ok": check.is_ok, **check.outcome._asdict()} for check in found
        ]
        out.print(json.dumps(lines, indent=1), markup=False)
    return code


def verify_command(
    start: options.StartOption = None,
    end: options.EndOption = None,
    season: options.SeasonOption = None,
    everything: options.AllOption = False,
    processors: options.ProcessorsOption = None,
    output: Annotated[OutputFormat, typer.Option("--format", help="Table or JSON.")] = (
        OutputFormat.TABLE
    ),
    target: options.TargetOption = None,
    wait: options.WaitOption = None,
) -> int:
    """Recompute all hashes and the accounting from the stored rows.

    Exit code 1 if a row, a date, a count or the record of a run is not as recorded.
    """
    settings = load_settings(target=target, wait_seconds=wait)
    chosen = chosen_processors(processors)
    check_range(start, end, season or [], everything=everything)
    with open_warehouse(settings, read_only=True) as warehouse:
        schedule = resolve(warehouse, start, end, season or [], everything=everything)
        ledger = Ledger.of_stored(warehouse, schedule.start, schedule.end)
        coverage = read_coverage(warehouse, schedule, chosen, ledger=ledger)
        found = verify(warehouse, schedule.start, schedule.end, chosen, coverage, ledger=ledger)
    if output is OutputFormat.JSON:
        out.print(json.dumps([_as_json(each) for each in found], default=str, indent=1))
    else:
        _show(found, coverage)
    return ExitCode.ATTENTION if coverage.strays or not all_right(found) else ExitCode.OK


def _as_json(verified: Verified) -> dict[str, object]:
    return {
        "processor": verified.processor.name,
        "is_right": verified.is_right,
        "dates": verified.dates,
        "rows": verified.rows,
        "wrong_hashes": verified.wrong_hashes,
        "wrong_rows": [{"date": day, "entity": who} for day, who in verified.wrong_rows],
        "wrong_dates": {str(day): what for day, what in verified.wrong_dates.items()},
        "forged_dates": sorted(map(str, verified.forged_dates)),
        **verified.miscounted,
    }


def _show(found: Sequence[Verified], coverage: Coverage) -> None:
    counts = ("unaccounted", "duplicated", "unexpected")
    print_table(
        "stored rows against their hashes, records and expected entities",
        [
            ("processor", "left"),
            *((name, "right") for name in ("dates", "rows", "wrong hashes", "wrong dates")),
            *((name, "right") for name in counts),
        ],
        [
            (
                verified.processor.key,
                verified.dates,
                verified.rows,
                verified.wrong_hashes,
                len(verified.wrong_dates),
                *(verified.miscounted[name] for name in counts),
            )
            for verified in found
        ],
    )
    for verified in found:
        key = verified.processor.key
        for day, who in verified.wrong_rows:
            out.print(f"{key} {day} {who}: the hash is not that of the row", markup=False)
        days = sorted(verified.wrong_dates)
        for day in days[:SHOWN_DATES]:
            out.print(f"{key} {day}: {verified.wrong_dates[day]}")
        if len(days) > SHOWN_DATES:
            out.print(f"{key}: … and {len(days) - SHOWN_DATES:,} more dates")
    forged = sorted({day for verified in found for day in verified.forged_dates})
    if forged:
        command = f"{backfill_of(forged[0], forged[-1])} --force"
        out.print(f"altered together with their records; run: {command}")
    told = {
        (row["processor_name"], row["analysis_date"])
        for row in coverage.by_date
        if row["coverage_status"] in ATTENTION_STATUSES
    }
    others = sorted(
        {
            day
            for verified in found
            for day in verified.wrong_dates.keys() - verified.forged_dates
            if (verified.processor.name, day) not in told
        }
    )
    if others:
        out.print(f"not as recorded; run: {backfill_of(others[0], others[-1])}")
    if all_right(found) and not coverage.strays:
        out.print("every row is what its hash and its record say")
    else:
        for line in coverage.repair_lines:
            out.print(line, markup=False)
    out.print("not verified: raw data, inputs and models; see: backcourt plan --all")
