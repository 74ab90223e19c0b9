"""Daily mode: computes one date with the guards that a live pipeline needs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from python_workers import table_names
from python_workers.accounting.ledger import Ledger
from python_workers.accounting.run_records import Run
from python_workers.accounting.schedule import Schedule
from python_workers.backfill.dbt_project import DbtProject
from python_workers.backfill.outcome import BackfillOptions, BackfillResult, Reporter
from python_workers.backfill.pool_stage import PoolOptions
from python_workers.backfill.run import Backfill
from python_workers.daily.breaker import (
    Attempts,
    attempt_changes,
    breaker_failures,
    read_attempts,
)
from python_workers.daily.readiness import check_dependencies
from python_workers.processors.base import PoolWork, Processor
from python_workers.processors.catalogue import PROCESSORS
from python_workers.processors.failures import ChunkResult
from python_workers.warehouse.base import TableChange, Warehouse

MODE = "daily"
MODE_INCOMPLETE = "daily_incomplete"
"""Mode of the run records if --allow-incomplete continued without some inputs."""

_FLAGS = f"""
select is_bootstrap, is_season_boundary
from {table_names.GAME_DATES}
where game_date = @day
"""  # noqa: S608 our own names


@dataclass(frozen=True)
class DailyOptions:
    """Options of a daily run.

    Parameters
    ----------
    pool
        How the pool runs.
    fresh_hours
        Age in hours from which a raw table counts as stale.
    allow_incomplete
        Whether to continue if dependencies are not met, and mark the run.
    skip_downstream
        Whether to skip the feature store, the coverage tests and the hook.
    record_changes_days
        How long the log of restated rows is kept; None leaves it as it is.
    """

    pool: PoolOptions
    fresh_hours: float
    allow_incomplete: bool = False
    skip_downstream: bool = False
    record_changes_days: int | None = None


class DailyGuard:
    """Completeness and circuit breaker around the pool's computation of one date.

    Parameters
    ----------
    warehouse, ledger
        The guard reads both once, before the first chunk.
    run
        The run whose attempts to count.
    day
        The date.
    """

    def __init__(self, warehouse: Warehouse, ledger: Ledger, run: Run, day: date) -> None:
        self._ledger = ledger
        self._run = run
        self._day = day
        self._now = datetime.now(UTC)
        flags = warehouse.query(_FLAGS, {"day": day}).to_pylist()[0]
        self.is_waived = bool(flags["is_bootstrap"] or flags["is_season_boundary"])
        # On waived days attempts neither count nor lock.
        self._attempts: Attempts = {} if self.is_waived else read_attempts(warehouse, day)
        self._held: dict[str, pa.Table] = {}

    def mark(self, processor: Processor, day: date) -> str:
        """Return the guard's decisions as a text; if it changes, the date is due again.

        The decisions are: which players are locked, and whether completeness is waived.
        """
        if self.is_waived:
            return "+waived" if _checks_completeness(processor) else ""
        fingerprint = self._ledger.input_fingerprint(processor, day)
        locked = sorted(
            entity
            for (name, entity), attempt in self._attempts.items()
            if name == processor.name and attempt.is_locked(fingerprint, self._now)
        )
        if not locked:
            return ""
        return "+locked:" + hashlib.sha256("|".join(locked).encode()).hexdigest()[:16]

    def params(self, processor: Processor) -> dict[str, object]:
        """Return the guard's parameters for the worker."""
        if not _checks_completeness(processor):
            return {}
        return {"waived_dates" if self.is_waived else "checked_dates": [self._day]}

    def hold_back(self, processor: Processor, tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
        """Remove the players that the breaker has locked from a chunk."""
        players = tables["players"]
        held = breaker_failures(
            players,
            self._attempts,
            processor,
            self._ledger.input_fingerprint(processor, self._day),
            self._now,
        )
        self._held[processor.key] = held
        if held.num_rows:
            tables = {
                name: table.filter(
                    pc.invert(pc.is_in(table.column("player_id"), held.column("player_id")))
                )
                if "player_id" in table.column_names
                else table
                for name, table in tables.items()
            }
        return tables

    def complete(
        self, processor: Processor, result: ChunkResult
    ) -> tuple[ChunkResult, list[TableChange]]:
        """Add the failures of the held-back players, and count this run's attempts."""
        changes: list[TableChange] = []
        if not self.is_waived:
            changes = attempt_changes(
                self._attempts,
                processor,
                self._ledger.input_fingerprint(processor, self._day),
                self._run.run_id,
                self._held[processor.key],
                result.failures,
                self._now,
            )
        failures = pa.concat_tables([result.failures, self._held[processor.key]])
        return ChunkResult(result.rows, failures), changes


def run_daily(
    warehouse: Warehouse,
    project: DbtProject,
    schedule: Schedule,
    options: DailyOptions,
    reporter: Reporter,
) -> BackfillResult:
    """Check the dependencies of a date, then compute it.

    Raises
    ------
    BackcourtError
        With exit code 3 if dependencies are not met; it names what is missing.
    """
    day = schedule.start
    found = check_dependencies(warehouse, day, options.fresh_hours)
    if not found.are_met and not options.allow_incomplete:
        raise found.error(day)
    run = Backfill(
        warehouse,
        project,
        schedule,
        BackfillOptions(
            daily_processors(skip_downstream=options.skip_downstream),
            "missing+failed",
            options.pool,
            run_tests=not options.skip_downstream,
            mode=MODE if found.are_met else MODE_INCOMPLETE,
            record_changes_days=options.record_changes_days,
        ),
        reporter,
        lambda warehouse, ledger, run: DailyGuard(warehouse, ledger, run, day),
    )
    return run.run()


def daily_processors(*, skip_downstream: bool) -> tuple[Processor, ...]:
    """Return the processors that a daily run computes."""
    return tuple(each for each in PROCESSORS if not (skip_downstream and each.is_downstream))


def _checks_completeness(processor: Processor) -> bool:
    return isinstance(processor.work, PoolWork) and processor.work.checks_completeness


def event_of(result: BackfillResult, day: date) -> dict[str, Any]:
    """Describe a finished daily run for its hook."""
    return {
        "event": "daily_finished",
        "run_id": result.run.run_id,
        "mode": result.run.mode,
        "date": day.isoformat(),
        "seconds": round(sum(result.seconds.values()), 3),
        "rows_written": result.written,
        "failed_tests": [test.name for test in result.failed_tests],
        "processors": {
            key: {
                "status": counts.status,
                "expected": counts.expected,
                "records": counts.records,
                "inserted": counts.inserted,
                "updated": counts.updated,
                "unchanged": counts.unchanged,
                "deleted": counts.deleted,
                "failures": dict(counts.failures or {}),
            }
            for key, counts in result.counts.items()
        },
    }
