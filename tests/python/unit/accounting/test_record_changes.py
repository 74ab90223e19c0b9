"""The log of restated rows, and records that stand twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from python_workers import table_names
from python_workers.accounting import record_changes
from python_workers.accounting.stray_rows import delete_strays, find_strays
from python_workers.processors.daily_cache import DAILY_CACHE, OUTPUT
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.factories import (
    DAY,
    NO_BOX_SCORE,
    regular,
)
from tests.python.unit.accounting.made_commits import (
    BETTER_GAMES,
    FIVE_GAMES,
    commit,
    compute,
    opened_warehouse,
    stored,
)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    with opened_warehouse(tmp_path) as opened:
        yield opened


def test_updates_and_deletions_are_logged_and_first_inserts_are_not(
    warehouse: DuckDBWarehouse,
) -> None:
    commit(warehouse, 1, compute(*(regular(FIVE_GAMES, player) for player in (1, 2, 3))))
    assert stored(warehouse, table_names.RECORD_CHANGES) == []
    old = {row["player_id"]: row for row in stored(warehouse)}
    result = compute(
        regular(BETTER_GAMES, 1),
        regular([NO_BOX_SCORE, *FIVE_GAMES], 2),
        regular(FIVE_GAMES, 3),
        regular(FIVE_GAMES, 4),
    )
    commit(warehouse, 2, result)
    new = {row["player_id"]: row for row in stored(warehouse)}
    deleted, updated = stored(warehouse, table_names.RECORD_CHANGES)
    changed = [name for name in OUTPUT.schema.names if old[1][name] != new[1][name]]
    assert "points_avg_last_5" in changed
    shared = {
        "processor_name": DAILY_CACHE.name,
        "run_id": "run2",
        "analysis_date": DAY,
        "changed_at": new[1]["processed_at"],
    }
    assert deleted == shared | {
        "change": "deleted",
        "entity_id": old[2]["player_lookup"],
        "player_id": 2,
        "old_hash": old[2]["data_hash"],
        "new_hash": None,
        "changed_columns": None,
    }
    assert updated == shared | {
        "change": "updated",
        "entity_id": old[1]["player_lookup"],
        "player_id": 1,
        "old_hash": old[1]["data_hash"],
        "new_hash": new[1]["data_hash"],
        "changed_columns": ", ".join(changed),
    }


def test_rows_that_share_a_name_are_logged_once_each(warehouse: DuckDBWarehouse) -> None:
    players = [regular(FIVE_GAMES, player) for player in (1, 2, 3, 4)]
    commit(warehouse, 1, compute(*players))
    names = {row["player_id"]: row["player_lookup"] for row in stored(warehouse)}
    warehouse.execute(f"update {DAILY_CACHE.table} set player_lookup = 'zz'")
    commit(warehouse, 2, compute(*players[:2]), is_altered=True)
    assert [
        (row["change"], row["entity_id"]) for row in stored(warehouse, table_names.RECORD_CHANGES)
    ] == [("deleted", "zz"), ("updated", names[1]), ("updated", names[2])]


def test_records_that_stand_twice_are_strays_of_which_one_stays(
    warehouse: DuckDBWarehouse,
) -> None:
    for number, games in enumerate((FIVE_GAMES, BETTER_GAMES), start=1):
        commit(warehouse, number, compute(regular(games)))
    tables = table_names.PROCESSOR_RUNS, table_names.RECORD_CHANGES
    before = [stored(warehouse, table) for table in tables]
    assert find_strays(warehouse) == []
    for table in tables:
        warehouse.execute(f"insert into {table} select * from {table}")
    found = delete_strays(warehouse)
    assert sorted(map(str, found)) == [
        f"1 row of {table_names.RECORD_CHANGES} whose key stands more than once",
        f"2 rows of {table_names.PROCESSOR_RUNS} whose key stands more than once",
    ]
    assert [stored(warehouse, table) for table in tables] == before
    assert find_strays(warehouse) == []


def test_old_entries_of_the_log_are_deleted(warehouse: DuckDBWarehouse) -> None:
    for number, games in enumerate((FIVE_GAMES, BETTER_GAMES), start=1):
        commit(warehouse, number, compute(regular(games)))
    (entry,) = stored(warehouse, table_names.RECORD_CHANGES)
    record_changes.forget_old_changes(warehouse, 10, entry["changed_at"] + dt.timedelta(days=10))
    assert stored(warehouse, table_names.RECORD_CHANGES) == [entry]
    record_changes.forget_old_changes(warehouse, 10, entry["changed_at"] + dt.timedelta(days=11))
    assert stored(warehouse, table_names.RECORD_CHANGES) == []
