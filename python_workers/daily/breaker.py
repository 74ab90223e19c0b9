"""The circuit breaker of daily mode: three failures on a date lock an entity for a week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from python_workers import table_names
from python_workers.accounting.ledger import Ledger
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import BY_NAME
from python_workers.processors.failures import CIRCUIT_BREAKER_ACTIVE, FAILURE_SCHEMA
from python_workers.warehouse.base import TableChange, Warehouse

ATTEMPTS_BEFORE_LOCK = 3
LOCK = timedelta(days=7)

COUNTING, LOCKED, RELEASED, RESET = "counting", "locked", "released", "reset"

_SCHEMA = pa.schema(
    [
        ("processor_name", pa.string()),
        ("entity_id", pa.string()),
        ("status", pa.string()),
        ("input_fingerprint", pa.string()),
        ("run_id", pa.string()),
        ("player_id", pa.int64()),
        ("attempt_count", pa.int64()),
        ("analysis_date", pa.date32()),
        ("first_attempt_at", pa.timestamp("us", tz="UTC")),
        ("last_attempt_at", pa.timestamp("us", tz="UTC")),
        ("locked_until", pa.timestamp("us", tz="UTC")),
    ]
)
_KEY = table_names.RECORD_KEYS[table_names.REPROCESS_ATTEMPTS]


@dataclass(frozen=True)
class Attempt:
    """The unsuccessful attempts of an entity on a date."""

    processor_name: str
    analysis_date: date
    entity_id: str
    player_id: int | None
    attempt_count: int
    input_fingerprint: str
    status: str
    first_attempt_at: datetime
    last_attempt_at: datetime
    locked_until: datetime | None
    run_id: str

    def is_locked(self, fingerprint: str, now: datetime) -> bool:
        """Tell whether the entity is locked: until the lock expires or its inputs change."""
        return (
            self.status == LOCKED
            and self.locked_until is not None
            and self.locked_until > now
            and self.input_fingerprint == fingerprint
        )


Attempts = dict[tuple[str, str], Attempt]
"""Attempts of one date by (processor name, entity)."""


def read_attempts(warehouse: Warehouse, day: date) -> Attempts:
    """Read the attempts of all processors and players on a date, in one query."""
    rows = warehouse.query(
        f"select {', '.join(_SCHEMA.names)} from {table_names.REPROCESS_ATTEMPTS} "  # noqa: S608 our own names
        "where analysis_date = @day",
        {"day": day},
    )
    return {(row["processor_name"], row["entity_id"]): Attempt(**row) for row in rows.to_pylist()}


def breaker_failures(
    players: pa.Table, attempts: Attempts, processor: Processor, fingerprint: str, now: datetime
) -> pa.Table:
    """Return the failure rows of locked players.

    Parameters
    ----------
    players
        (analysis_date, player_id, player_lookup, ...) of one date.
    attempts
        The attempts on that date.
    processor, fingerprint
        The processor, and the current fingerprint of its inputs.
    now
        The time of the run.
    """
    rows = []
    for row in players.select(["analysis_date", "player_id", "player_lookup"]).to_pylist():
        attempt = attempts.get((processor.name, row["player_lookup"]))
        if attempt is None or not attempt.is_locked(fingerprint, now):
            continue
        rows.append(
            {
                "analysis_date": row["analysis_date"],
                "entity_id": row["player_lookup"],
                "player_id": row["player_id"],
                "failure_category": CIRCUIT_BREAKER_ACTIVE.name,
                "failure_reason": f"{attempt.attempt_count} unsuccessful attempts, locked until "
                f"{attempt.locked_until:%Y-%m-%d %H:%M} UTC",
                "can_retry": CIRCUIT_BREAKER_ACTIVE.can_retry,
                "is_expected": CIRCUIT_BREAKER_ACTIVE.is_expected,
                "expected_game_count": None,
                "actual_game_count": None,
                "missing_game_dates": "[]",
            }
        )
    return pa.Table.from_pylist(rows, schema=FAILURE_SCHEMA)


def attempt_changes(
    attempts: Attempts,
    processor: Processor,
    fingerprint: str,
    run_id: str,
    held: pa.Table,
    failures: pa.Table,
    now: datetime,
) -> list[TableChange]:
    """Count this run's unsuccessful attempts; release entities that succeed or are not expected.

    An attempt on changed inputs starts a new count. Expected failures do not count.

    Parameters
    ----------
    attempts
        The attempts as read before the run.
    processor, fingerprint, run_id
        The processor, the fingerprint of its inputs, and the run.
    held
        Failure rows of the players that the breaker held back.
    failures
        Failure rows of the computed players.
    now
        The time of the run.
    """
    unsuccessful = {
        row["entity_id"]: row
        for row in failures.filter(pc.invert(failures.column("is_expected"))).to_pylist()
    }
    rows = [
        _counted(attempts.get((processor.name, entity)), processor, row, fingerprint, run_id, now)
        for entity, row in unsuccessful.items()
    ]
    kept = unsuccessful.keys() | set(held.column("entity_id").to_pylist())
    rows += [
        {**vars(attempt), "status": RELEASED, "locked_until": None, "run_id": run_id}
        for (name, entity), attempt in attempts.items()
        if name == processor.name and entity not in kept and attempt.status in (COUNTING, LOCKED)
    ]
    return _replacing(rows)


def open_breakers(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Return the active locks, the latest first.

    A lock is no longer active once it has expired or its inputs have changed.
    """
    if not warehouse.has_table(table_names.REPROCESS_ATTEMPTS):
        return []
    found: list[dict[str, Any]] = warehouse.query(
        f"select {', '.join(_SCHEMA.names)} from {table_names.REPROCESS_ATTEMPTS} "  # noqa: S608 our own names
        "where analysis_date >= @since and status = @locked and locked_until > @now "
        "order by locked_until desc, analysis_date, processor_name, entity_id",
        # BigQuery requires a bound on the partition column; this one admits every date.
        {"since": date(1900, 1, 1), "locked": LOCKED, "now": datetime.now(UTC)},
    ).to_pylist()
    if not found:
        return []
    days = [row["analysis_date"] for row in found]
    ledger = Ledger()
    ledger.read_inputs(warehouse, min(days), max(days))
    return [
        row
        for row in found
        if row["input_fingerprint"]
        == ledger.input_fingerprint(BY_NAME[row["processor_name"]], row["analysis_date"])
    ]


def reset(
    warehouse: Warehouse,
    processors: Sequence[str] | None,
    entity: str | None,
    day: date | None,
) -> int:
    """Release the matching locks, and return their number."""
    chosen = [
        row
        for row in open_breakers(warehouse)
        if (processors is None or row["processor_name"] in processors)
        and entity in (None, row["entity_id"])
        and day in (None, row["analysis_date"])
    ]
    if chosen:
        warehouse.commit(
            _replacing(
                [
                    {**row, "status": RESET, "attempt_count": 0, "locked_until": None}
                    for row in chosen
                ]
            )
        )
    return len(chosen)


def _counted(
    before: Attempt | None,
    processor: Processor,
    failure: Mapping[str, Any],
    fingerprint: str,
    run_id: str,
    now: datetime,
) -> dict[str, Any]:
    goes_on = (
        before is not None
        and before.input_fingerprint == fingerprint
        and before.status in (COUNTING, LOCKED)
        and not (before.locked_until and before.locked_until <= now)
    )
    count = before.attempt_count + 1 if goes_on and before else 1
    locks = count >= ATTEMPTS_BEFORE_LOCK
    return {
        "processor_name": processor.name,
        "entity_id": failure["entity_id"],
        "status": LOCKED if locks else COUNTING,
        "input_fingerprint": fingerprint,
        "run_id": run_id,
        "player_id": failure["player_id"],
        "attempt_count": count,
        "analysis_date": failure["analysis_date"],
        "first_attempt_at": before.first_attempt_at if goes_on and before else now,
        "last_attempt_at": now,
        "locked_until": now + LOCK if locks else None,
    }


def _replacing(rows: Sequence[Mapping[str, Any]]) -> list[TableChange]:
    if not rows:
        return []
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=_SCHEMA)
    return [TableChange(table_names.REPROCESS_ATTEMPTS, _KEY, table)]
