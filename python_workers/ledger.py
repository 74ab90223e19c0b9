"""What has been computed already: the last run of every date, and whether it still holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from python_workers.processors import BY_NAME, BY_SHORT, Processor
from python_workers.warehouse.base import Warehouse

Status = Literal["done", "missing", "stale", "failed"]
Reprocess = Literal["missing", "missing+failed", "all"]

NO_RUN = "no run"
UNVERIFIED = "unverified"
"""Upstream fingerprint of a run record whose rows `dbt run` built at a time nobody knows."""


@dataclass(frozen=True)
class RunRecord:
    """The last run of a (processor, date), as far as deciding on the next one goes."""

    calculation_version: str
    input_fingerprint: str
    output_digest: str
    investigate: int


@dataclass(frozen=True)
class DateState:
    """Where a (processor, date) stands.

    Parameters
    ----------
    status
        ``done``, ``missing`` (never run), ``stale`` (its last run no longer holds) or ``failed``
        (it holds, but left failures to look at).
    reason
        Why it is stale: inputs, version or upstream changed, or an upstream is missing.
    """

    status: Status
    reason: str = ""

    def is_due(self, reprocess: Reprocess) -> bool:
        """Tell whether a backfill computes the date."""
        if reprocess == "all" or self.status in ("missing", "stale"):
            return True
        return self.status == "failed" and reprocess == "missing+failed"


@dataclass
class Ledger:
    """The last runs and the present input fingerprints of a date range.

    Parameters
    ----------
    runs
        By (short name, date).
    inputs
        Input fingerprint and number of input rows, by (short name, date).
    marks
        Extra text that enters a date's fingerprint: what daily mode decides beside the inputs.
    """

    runs: dict[tuple[str, date], RunRecord] = field(default_factory=dict)
    inputs: dict[tuple[str, date], tuple[str, int]] = field(default_factory=dict)
    marks: dict[tuple[str, date], str] = field(default_factory=dict)

    @classmethod
    def read(cls, warehouse: Warehouse, start: date, end: date) -> Ledger:
        """Read the ledger of a range, both ends included, in two queries."""
        ledger = cls()
        ledger.read_inputs(warehouse, start, end)
        if not warehouse.has_table("nba_processing.processor_runs"):
            return ledger
        runs = warehouse.query(
            """
            select
                processor_name, analysis_date, calculation_version, input_fingerprint,
                output_digest, incomplete_upstream + processing_error as investigate
            from nba_processing.processor_runs
            where analysis_date between @start and @end
            qualify row_number() over (
                partition by processor_name, analysis_date
                order by finished_at desc, run_id desc
            ) = 1
            """,
            {"start": start, "end": end},
        )
        for row in runs.to_pylist():
            processor = BY_NAME.get(row["processor_name"])
            if processor is not None:
                ledger.runs[processor.short, row["analysis_date"]] = RunRecord(
                    row["calculation_version"],
                    row["input_fingerprint"],
                    row["output_digest"],
                    row["investigate"],
                )
        return ledger

    def read_inputs(self, warehouse: Warehouse, start: date, end: date) -> None:
        """Read the input fingerprints of a range anew, as after dbt has built the inputs."""
        self.inputs.clear()
        if not warehouse.has_table("nba_precompute.input_fingerprints"):
            return
        inputs = warehouse.query(
            """
            select processor_name, analysis_date, input_rows, input_fingerprint
            from nba_precompute.input_fingerprints
            where analysis_date between @start and @end
            """,
            {"start": start, "end": end},
        )
        for row in inputs.to_pylist():
            short = BY_NAME[row["processor_name"]].short
            self.inputs[short, row["analysis_date"]] = (row["input_fingerprint"], row["input_rows"])

    def input_fingerprint(self, processor: Processor, day: date) -> str:
        """Return the fingerprint of the processor's input rows on a date."""
        return self.inputs.get((processor.short, day), ("none", 0))[0]

    @property
    def computed_dates(self) -> set[date]:
        """Dates of the range that any processor has run on."""
        return {day for _, day in self.runs}

    def own_fingerprint(self, processor: Processor, day: date) -> str:
        """Return it with the date's mark."""
        return self.input_fingerprint(processor, day) + self.marks.get((processor.short, day), "")

    def upstream_fingerprint(self, processor: Processor, day: date) -> str:
        """Return the fingerprint of the rows of other processors that the date reads."""
        if not processor.upstream:
            return "-"
        runs = (self.runs.get((short, day)) for short in processor.upstream)
        text = "|".join(run.output_digest if run else NO_RUN for run in runs)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def fingerprint(self, processor: Processor, day: date) -> str:
        """Return the fingerprint over everything that the computation of a date reads."""
        own = self.own_fingerprint(processor, day)
        return f"{own}/{self.upstream_fingerprint(processor, day)}"

    def missing_upstream(self, processor: Processor, day: date) -> list[str]:
        """Return the upstream processors that have not run on a date."""
        return [short for short in processor.upstream if (short, day) not in self.runs]

    def state(self, processor: Processor, day: date) -> DateState:
        """Tell where a (processor, date) stands."""
        run = self.runs.get((processor.short, day))
        if run is None:
            return DateState("missing")
        if run.calculation_version != processor.calculation_version:
            return DateState(
                "stale",
                f"version changed: {run.calculation_version} to {processor.calculation_version}",
            )
        own, _, upstream = run.input_fingerprint.rpartition("/")
        if own != self.own_fingerprint(processor, day):
            return DateState("stale", "inputs changed")
        if upstream != self.upstream_fingerprint(processor, day):
            missing = self.missing_upstream(processor, day)
            why = f"upstream missing: {', '.join(missing)}" if missing else "upstream changed"
            if upstream == UNVERIFIED:
                why = "built by dbt run, perhaps before its upstream"
            return DateState("stale", why)
        if run.investigate:
            return DateState("failed", f"{run.investigate} failures to investigate")
        return DateState("done")

    def due_dates(
        self, processor: Processor, dates: Iterable[date], reprocess: Reprocess
    ) -> list[date]:
        """Return the dates that a backfill computes, in order."""
        return [day for day in dates if self.state(processor, day).is_due(reprocess)]

    def record(self, processor: Processor, runs: Mapping[date, RunRecord]) -> None:
        """Take note of runs just committed, so that downstream decisions see them."""
        for day, run in runs.items():
            self.runs[processor.short, day] = run


def plan(
    ledger: Ledger, processors: Iterable[Processor], dates: Iterable[date]
) -> dict[tuple[str, date], DateState]:
    """Say where each (processor, date) stands, before anything runs.

    A date whose upstream is itself due is reported as stale for that reason: whether it has to be
    computed again shows when the upstream's rows are known.
    """
    states: dict[tuple[str, date], DateState] = {}
    days = list(dates)
    for processor in processors:
        for day in days:
            state = ledger.state(processor, day)
            due = [
                short
                for short in processor.upstream
                if (short, day) in states and states[short, day].is_due("missing")
            ]
            if state.status in ("done", "failed") and due:
                state = DateState("stale", f"upstream due: {', '.join(due)}")
            states[processor.short, day] = state
    return states


def processors_from(
    start_from: int = 1, shorts: Iterable[str] | None = None
) -> tuple[Processor, ...]:
    """Return the processors of a command in their order."""
    chosen = set(shorts) if shorts is not None else set(BY_SHORT)
    return tuple(
        processor
        for processor in BY_SHORT.values()
        if processor.number >= start_from and processor.short in chosen
    )
