"""``backcourt plan``, and the output of a backfill's dry run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import typer

from python_workers.accounting.coverage import Coverage, exit_code, read_coverage
from python_workers.accounting.input_builds import InputBuilds
from python_workers.accounting.ledger import DateState, Ledger, plan
from python_workers.accounting.schedule import Schedule, check_range, resolve
from python_workers.backfill.dbt_project import DbtProject
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
    OutputFormat,
    chosen_processors,
    settings_of,
)
from python_workers.errors import ExitCode
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import (
    BY_KEY,
    BY_NAME,
)
from python_workers.processors.failures import CIRCUIT_BREAKER_ACTIVE
from python_workers.settings import Settings
from python_workers.warehouse.base import Warehouse
from python_workers.warehouse.open import open_warehouse


@dataclass(frozen=True)
class Plan:
    """The state of a range before a backfill.

    Parameters
    ----------
    states
        State of each (processor key, date).
    has_inputs
        Whether the inputs are up to date with the raw tables.
    coverage
        Coverage of the same dates and processors.
    """

    states: dict[tuple[str, date], DateState]
    has_inputs: bool
    coverage: Coverage

    def ranges(self) -> list[tuple[Processor, DateState, list[date]]]:
        """Return the dates by processor and state, in the order of processors and dates."""
        found: dict[tuple[str, DateState], list[date]] = {}
        for (key, day), state in self.states.items():
            found.setdefault((key, state), []).append(day)
        states = [(BY_KEY[key], state, days) for (key, state), days in found.items()]
        return sorted(states, key=lambda state: (state[0].number, min(state[2])))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan")(plan_command)


def plan_command(
    start: options.StartOption = None,
    end: options.EndOption = None,
    season: options.SeasonOption = None,
    everything: options.AllOption = False,
    processors: options.ProcessorsOption = None,
    start_from: options.StartFromOption = 1,
    reprocess: options.ReprocessChoice = "missing",
    output: Annotated[OutputFormat, typer.Option("--format", help="Table or JSON.")] = (
        OutputFormat.TABLE
    ),
    target: options.TargetOption = None,
    wait: options.WaitOption = None,
) -> int:
    """Show the state of each date of each processor, and what a backfill would do.

    Exit code 1 if the range needs attention; due dates do.
    """
    settings = settings_of(target, wait=wait)
    chosen = chosen_processors(processors, start_from)
    check_range(start, end, season or [], everything=everything)
    with open_warehouse(settings, read_only=True) as warehouse:
        schedule = resolve(warehouse, start, end, season or [], everything=everything)
        planned = read_plan(warehouse, settings, schedule, chosen)
    if output is OutputFormat.JSON:
        rows = [
            {
                "processor": BY_KEY[key].name,
                "date": day.isoformat(),
                "status": state.status,
                "reason": state.reason,
                "due": state.is_due(reprocess),
            }
            for (key, day), state in sorted(planned.states.items(), key=lambda item: item[0][1])
        ]
        out.print(json.dumps(rows, indent=1), markup=False)
    else:
        show_plan(planned, reprocess, echo_range(schedule, as_json=False))
    return plan_exit_code(planned)


def plan_exit_code(planned: Plan) -> ExitCode:
    """Return 1 if the range needs attention; a date that is due by itself needs it, too."""
    found = exit_code(planned.coverage)
    if found is ExitCode.OK and any(state.is_due("missing") for state in planned.states.values()):
        return ExitCode.ATTENTION
    return found


def read_plan(
    warehouse: Warehouse, settings: Settings, schedule: Schedule, chosen: Sequence[Processor]
) -> Plan:
    """Find the state of each date."""
    project_state = DbtProject(settings).state()
    ledger = Ledger.read(warehouse, schedule.start, schedule.end)
    builds = InputBuilds.read(warehouse, project_state, of=(schedule.start, schedule.end))
    states = plan(ledger, chosen, schedule.with_called_off(ledger.computed_dates).dates)
    found = read_coverage(
        warehouse, schedule, chosen, builds=builds, ledger=ledger, must_exist=False
    )
    for row in found.by_date:
        key = BY_NAME[row["processor_name"]].key, row["analysis_date"]
        if key in states:
            states[key] = _seen_from_coverage(states[key], row)
    return Plan(states, builds.stale_range(schedule) is None, found)


def _seen_from_coverage(state: DateState, row: Mapping[str, Any]) -> DateState:
    """Refine a date's state by coverage: the ledger only compares with the existing inputs."""
    if state.status in ("done", "failed") and row["stale_reason"]:
        return DateState("stale", row["stale_reason"])
    locked = row[CIRCUIT_BREAKER_ACTIVE.column]
    if state.status == "done" and locked:
        return DateState("locked", f"{locked} locked by the circuit breaker")
    return state


def show_plan(planned: Plan, reprocess: Reprocess, reporter: TextReporter | JsonReporter) -> None:
    """Report the states of the dates: a table, or an event for each of its lines."""
    if isinstance(reporter, JsonReporter):
        reporter.event("inputs_planned", unchanged=planned.has_inputs)
        for processor, state, days in planned.ranges():
            reporter.event(
                "dates_planned",
                processor=processor.name,
                status=state.status,
                reason=state.reason,
                dates=len(days),
                first=min(days).isoformat(),
                last=max(days).isoformat(),
                due=state.is_due(reprocess),
            )
        return
    out.print(
        "inputs: unchanged since the last build"
        if planned.has_inputs
        else "inputs: must be built first; then only stale dates with changed inputs are computed"
    )
    rows = [
        (
            processor.key,
            state.status,
            state.reason or "-",
            len(days),
            str(min(days)),
            str(max(days)),
            "compute" if state.is_due(reprocess) else "skip",
        )
        for processor, state, days in planned.ranges()
    ]
    print_table(
        "plan",
        [
            ("processor", "left"),
            ("status", "left"),
            ("why", "left"),
            ("dates", "right"),
            ("first", "left"),
            ("last", "left"),
            ("backfill", "left"),
        ],
        rows,
    )
    for line in (*planned.coverage.repair_lines, *planned.coverage.unmatched_lines):
        out.print(line, markup=False)


def show_costs(
    settings: Settings,
    schedule: Schedule,
    processors: Sequence[Processor],
    reporter: TextReporter | JsonReporter,
) -> None:
    """Report the bytes that a backfill's statements would read on BigQuery, and their price."""
    from python_workers.backfill.costs import estimates, price  # noqa: PLC0415 -- slow to import
    from python_workers.warehouse.bigquery.open import open_bigquery  # noqa: PLC0415

    with open_bigquery(settings) as warehouse:
        found = estimates(warehouse, DbtProject(settings), schedule, processors)
    rate = settings.bq_usd_per_tib
    if isinstance(reporter, JsonReporter):
        for estimate in found:
            usd = None if estimate.bytes is None else round(price(estimate.bytes, rate), 4)
            reporter.event(
                "cost_estimated", statement=estimate.statement, bytes=estimate.bytes, usd=usd
            )
        return
    known = sum(estimate.bytes or 0 for estimate in found)
    unknown = sum(estimate.bytes is None for estimate in found)
    rows = [
        (estimate.statement, "-", "-")
        if estimate.bytes is None
        else (estimate.statement, estimate.bytes, f"{price(estimate.bytes, rate):.4f}")
        for estimate in found
    ]
    print_table(
        f"bytes that the statements would read, at {rate:g} USD per TiB",
        [("statement", "left"), ("bytes", "right"), ("USD", "right")],
        [*rows, ("total", known, f"{price(known, rate):.4f}")],
    )
    if unknown:
        out.print(
            f"-: {unknown} statements read tables that do not exist yet; "
            "after the first backfill their bytes are known"
        )
