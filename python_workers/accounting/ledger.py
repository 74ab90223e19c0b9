"""The ledger: the current record of every computed date, and whether it is still valid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from python_workers import table_names
from python_workers.accounting.processed_dates import (
    BUILT_BY_HAND,
    Processed,
    Stored,
    WhatIsRead,
    read_current,
    read_stored,
)
from python_workers.accounting.stored_columns import check_columns
from python_workers.choices import Reprocess
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import BY_KEY, BY_NAME
from python_workers.warehouse.base import Warehouse
from python_workers.wording import counted

Status = Literal["done", "missing", "stale", "failed", "locked"]

NO_RUN = "none"

DailyMark = Callable[[Processor, date], str]
"""What daily mode decides of a (processor, date) beside its inputs; an empty text elsewhere."""


def no_mark(_processor: Processor, _day: date) -> str:
    """Decide nothing beside the inputs, as a backfill does."""
    return ""


@dataclass(frozen=True)
class DateState:
    """The state of a (processor, date).

    Parameters
    ----------
    status
        ``done``, ``missing`` (not computed, or rows are gone), ``stale`` (altered or outdated),
        ``failed`` (valid, but with failures to investigate) or ``locked`` (the circuit breaker
        blocks new attempts at its failures).
    reason
        Which rows are gone, or why the date is stale: its rows or records are not those of its
        run, inputs, version or upstream changed, or an upstream is missing.
    """

    status: Status
    reason: str = ""

    def is_due(self, reprocess: Reprocess) -> bool:
        """Tell whether a backfill must compute the date."""
        if reprocess == "all" or self.status in ("missing", "stale"):
            return True
        return self.status == "failed" and reprocess == "missing+failed"


@dataclass
class Ledger:
    """The current records of a date range, and the facts to compare them with.

    Parameters
    ----------
    current
        Current records by (processor key, date).
    stored
        Stored rows and failures by (processor key, date).
    inputs
        Input fingerprint and number of input rows by (processor key, date).
    trusts_records
        Whether rows that fit their records are right; else all stored rows count as altered.
    """

    current: dict[tuple[str, date], Processed] = field(default_factory=dict)
    stored: dict[tuple[str, date], Stored] = field(default_factory=dict)
    inputs: dict[tuple[str, date], tuple[str, int]] = field(default_factory=dict)
    trusts_records: bool = True

    @classmethod
    def read(cls, warehouse: Warehouse, start: date, end: date) -> Ledger:
        """Read the ledger of a range, both ends included, in three queries."""
        ledger = cls.of_stored(warehouse, start, end)
        ledger.read_inputs(warehouse, start, end)
        return ledger

    @classmethod
    def of_stored(cls, warehouse: Warehouse, start: date, end: date) -> Ledger:
        """Read the ledger of a range without the fingerprints of its inputs.

        Raises
        ------
        BackcourtError
            With exit code 3 if a table has other columns than the project declares.
        """
        check_columns(warehouse)
        return cls(read_current(warehouse, start, end), read_stored(warehouse, start, end))

    def read_inputs(self, warehouse: Warehouse, start: date, end: date) -> None:
        """Read the input fingerprints of a range again, such as after a build of the inputs."""
        self.inputs.clear()
        if not warehouse.has_table(table_names.INPUT_FINGERPRINTS):
            return
        inputs = warehouse.query(
            f"""
            select processor_name, analysis_date, input_rows, input_fingerprint
            from {table_names.INPUT_FINGERPRINTS}
            where analysis_date between @start and @end
            """,  # noqa: S608 our own names
            {"start": start, "end": end},
        )
        for row in inputs.to_pylist():
            key = BY_NAME[row["processor_name"]].key
            self.inputs[key, row["analysis_date"]] = (row["input_fingerprint"], row["input_rows"])

    def input_fingerprint(self, processor: Processor, day: date) -> str:
        """Return the fingerprint of the processor's input rows on a date."""
        return self.inputs.get((processor.key, day), ("none", 0))[0]

    @property
    def computed_dates(self) -> set[date]:
        """Dates of the range with rows or failures, recorded or stored.

        The record of a date that lost its games is empty once a backfill has computed it again.
        """
        return {day for _, day in self.computed}

    @property
    def computed(self) -> set[tuple[str, date]]:
        """Processor keys and dates with rows or failures, recorded or stored."""
        found: set[tuple[str, date]] = set()
        for facts in (self.current, self.stored):
            found |= {key for key, each in facts.items() if each.records or each.failures}
        return found

    def upstream_digests(self, processor: Processor, day: date) -> str:
        """Return the output digests of the processors whose rows the date reads."""
        records = ((key, self.current.get((key, day))) for key in processor.upstream)
        return "|".join(
            f"{key}:{record.output_digest if record else NO_RUN}" for key, record in records
        )

    def what_is_read(self, processor: Processor, day: date, daily_mark: str = "") -> WhatIsRead:
        """Return the fingerprints of what the computation of a date would read now.

        `daily_mark` holds the decisions of daily mode; it is empty in a backfill.
        """
        return WhatIsRead(
            self.input_fingerprint(processor, day),
            self.upstream_digests(processor, day),
            daily_mark,
        )

    def missing_upstream(self, processor: Processor, day: date) -> list[str]:
        """Return the upstream processors that have not run on a date."""
        return [key for key in processor.upstream if (key, day) not in self.current]

    def state(self, processor: Processor, day: date, daily_mark: str = "") -> DateState:
        """Return the state of a (processor, date)."""
        current = self.current.get((processor.key, day))
        if current is None:
            return DateState("missing")
        stored = self.stored.get((processor.key, day), Stored())
        lost = stored.difference(current)
        if lost:
            return DateState("missing" if stored.lacks_rows(current) else "stale", lost)
        now = self.what_is_read(processor, day, daily_mark)
        why = self._why_stale(processor, day, current, now)
        if why:
            return DateState("stale", why)
        if current.investigate:
            return DateState("failed", f"{counted(current.investigate, 'failure')} to investigate")
        return DateState("done")

    def altered_dates(self, processor: Processor, days: Iterable[date]) -> list[date]:
        """Return the dates whose stored rows or failures are not those that were recorded."""
        return [day for day in days if self._is_altered(processor, day)]

    def _is_altered(self, processor: Processor, day: date) -> bool:
        stored = self.stored.get((processor.key, day))
        if stored is None:
            return False
        current = self.current.get((processor.key, day))
        return current is None or not self.trusts_records or bool(stored.difference(current))

    def _why_stale(
        self, processor: Processor, day: date, current: Processed, now: WhatIsRead
    ) -> str:
        versions = current.calculation_version, processor.calculation_version
        if versions[0] != versions[1]:
            return f"version changed: {versions[0]} to {versions[1]}"
        was = current.read
        if (was.input_fingerprint, was.daily_mark) != (now.input_fingerprint, now.daily_mark):
            return "inputs changed"
        if was.upstream_digests != now.upstream_digests:
            if not current.is_verified:
                return BUILT_BY_HAND
            missing = self.missing_upstream(processor, day)
            return f"upstream missing: {', '.join(missing)}" if missing else "upstream changed"
        return ""

    def due_dates(
        self,
        processor: Processor,
        dates: Iterable[date],
        reprocess: Reprocess,
        daily_mark: DailyMark = no_mark,
    ) -> list[date]:
        """Return the dates that a run must compute, in order."""
        return [
            day
            for day in dates
            if self.state(processor, day, daily_mark(processor, day)).is_due(reprocess)
        ]

    def record(self, processor: Processor, records: Mapping[date, Processed]) -> None:
        """Store the records of a new commit, so that downstream decisions see them."""
        for day, record in records.items():
            self.current[processor.key, day] = record
            self.stored[processor.key, day] = Stored(
                record.rows_fingerprint, record.failures_fingerprint
            )


def plan(
    ledger: Ledger, processors: Iterable[Processor], dates: Iterable[date]
) -> dict[tuple[str, date], DateState]:
    """Return the state of each (processor, date) before a run.

    If an upstream of a date is due, report the date as stale: only the new upstream rows show
    whether it must be computed again.
    """
    states: dict[tuple[str, date], DateState] = {}
    days = list(dates)
    for processor in processors:
        for day in days:
            state = ledger.state(processor, day)
            due = [
                key
                for key in processor.upstream
                if (key, day) in states and states[key, day].is_due("missing")
            ]
            if state.status in ("done", "failed") and due:
                state = DateState("stale", f"upstream due: {', '.join(due)}")
            states[processor.key, day] = state
    return states


def processors_from(
    start_from: int = 1, keys: Iterable[str] | None = None
) -> tuple[Processor, ...]:
    """Return the processors of a command, in order."""
    chosen = set(keys) if keys is not None else set(BY_KEY)
    return tuple(
        processor
        for processor in BY_KEY.values()
        if processor.number >= start_from and processor.key in chosen
    )
