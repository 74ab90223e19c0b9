"""Whether the inputs of a range are up to date with the raw tables and the dbt project."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa

from python_workers.warehouse.base import TableChange, Warehouse

BUILDS_TABLE = "nba_processing.input_builds"

RAW_TABLES = (
    "nba_raw.games",
    "nba_raw.player_box_scores",
    "nba_raw.shots",
    "nba_raw.players",
    "nba_raw.player_registry",
)


def inputs_are_current(
    warehouse: Warehouse, start: date, end: date, raw_state: str, project_state: str
) -> bool:
    """Tell whether a finished build of these states covers the range."""
    if not warehouse.has_table(BUILDS_TABLE):
        return False
    found = warehouse.query(
        f"""
        select build_id from {BUILDS_TABLE}
        where raw_state = @raw_state and project_state = @project_state
            and start_date <= @start and end_date >= @end
        limit 1
        """,  # noqa: S608 our own name
        {"raw_state": raw_state, "project_state": project_state, "start": start, "end": end},
    )
    return bool(found.num_rows > 0)


def forget_builds(
    warehouse: Warehouse, start: date, end: date, raw_state: str, project_state: str
) -> None:
    """Forget the builds that a range about to be built from these states leaves untrue.

    These are the ones that overlap the range, and those of other states anywhere: what all inputs
    are made of, the analytics tables, is built whole.
    """
    if not warehouse.has_table(BUILDS_TABLE):
        return
    stale = warehouse.query(
        f"select build_id from {BUILDS_TABLE} "  # noqa: S608 our own name
        "where (start_date <= @end and end_date >= @start) "
        "or raw_state != @raw_state or project_state != @project_state",
        {"start": start, "end": end, "raw_state": raw_state, "project_state": project_state},
    )
    if stale.num_rows:
        warehouse.commit([TableChange(BUILDS_TABLE, delete_keys=stale)])


def note_build(
    warehouse: Warehouse, run_id: str, start: date, end: date, raw_state: str, project_state: str
) -> None:
    """Note that the inputs of a range are built from these states."""
    row = {
        "build_id": run_id,
        "raw_state": raw_state,
        "project_state": project_state,
        "start_date": start,
        "end_date": end,
        "built_at": datetime.now(UTC),
    }
    schema = pa.schema(
        [
            ("build_id", pa.string()),
            ("raw_state", pa.string()),
            ("project_state", pa.string()),
            ("start_date", pa.date32()),
            ("end_date", pa.date32()),
            ("built_at", pa.timestamp("us", tz="UTC")),
        ]
    )
    rows = pa.Table.from_pylist([row], schema=schema)
    warehouse.commit([TableChange(BUILDS_TABLE, rows=rows, delete_keys=rows.select(["build_id"]))])
