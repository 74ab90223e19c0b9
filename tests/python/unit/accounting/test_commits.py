from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from python_workers import table_names
from python_workers.accounting.commits import commit_of_pool_rows
from python_workers.accounting.ledger import Ledger
from python_workers.accounting.processed_dates import BOOKKEEPING, WhatIsRead, read_current
from python_workers.accounting.run_records import Counts
from python_workers.processors.base import Processor
from python_workers.processors.composite_factors import COMPOSITE_FACTORS
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.failures import ChunkResult
from python_workers.warehouse.base import TableChange
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.factories import (
    DAY,
    NO_BOX_SCORE,
    box_score,
    regular,
)
from tests.python.unit.accounting.made_commits import (
    BETTER_GAMES,
    FIVE_GAMES,
    commit,
    compute,
    opened_warehouse,
    run,
    stored,
)

NEXT_DAY = DAY + dt.timedelta(days=1)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    with opened_warehouse(tmp_path) as opened:
        yield opened


def test_rows_failures_and_records_of_a_commit_appear_together(warehouse: DuckDBWarehouse) -> None:
    result = compute(regular(FIVE_GAMES, 1), regular([NO_BOX_SCORE, *FIVE_GAMES], 2))
    made = commit(warehouse, 1, result)
    assert [row["player_id"] for row in stored(warehouse)] == [1]
    (failure,) = stored(warehouse, table_names.PRECOMPUTE_FAILURES)
    assert (failure["processor_name"], failure["player_id"], failure["run_id"]) == (
        DAILY_CACHE.name,
        2,
        "run1",
    )
    (record,) = stored(warehouse, table_names.PROCESSOR_RUNS)
    assert record["status"] == "investigate"
    assert (record["expected"], record["records"], record["failures"]) == (2, 1, 1)
    assert (record["inserted"], record["incomplete_upstream"], record["seconds"]) == (1, 1, 0.5)
    assert record["input_fingerprint"] == WhatIsRead("f1", "psza:1").fingerprint
    assert record["output_digest"] == made.records[DAY].output_digest
    assert made.records[DAY].investigate == 1


def test_the_same_rows_again_write_only_the_run_record(warehouse: DuckDBWarehouse) -> None:
    result = compute(regular(FIVE_GAMES, 1), regular([box_score()], 2))
    first = commit(warehouse, 1, result)
    before = stored(warehouse), stored(warehouse, table_names.PRECOMPUTE_FAILURES)
    second = commit(warehouse, 2, result)
    assert (stored(warehouse), stored(warehouse, table_names.PRECOMPUTE_FAILURES)) == before
    assert [row["run_id"] for row in stored(warehouse, table_names.PROCESSOR_RUNS)] == [
        "run1",
        "run2",
    ]
    (current,) = stored(warehouse, table_names.PROCESSED_DATES)
    assert (current["run_id"], current["input_fingerprint"]) == ("run2", "f2")
    assert second.counts[DAY].unchanged == second.counts[DAY].records == 1
    assert second.records[DAY].output_digest == first.records[DAY].output_digest


def test_a_changed_row_keeps_its_time_of_creation(warehouse: DuckDBWarehouse) -> None:
    commit(warehouse, 1, compute(regular(FIVE_GAMES, 1), regular(FIVE_GAMES, 2)))
    one, two = stored(warehouse)
    made = commit(warehouse, 2, compute(regular(FIVE_GAMES, 1), regular(BETTER_GAMES, 2)))
    same, changed = stored(warehouse)
    assert same == one
    assert changed["points_avg_last_5"] == 31.0
    assert changed["created_at"] == two["created_at"]
    assert changed["processed_at"] > two["processed_at"]
    assert (two["run_id"], changed["run_id"]) == ("run1", "run2")
    assert (made.counts[DAY].updated, made.counts[DAY].unchanged) == (1, 1)


def test_rows_keep_their_time_of_creation_beside_new_rows(
    warehouse: DuckDBWarehouse,
) -> None:
    commit(warehouse, 1, compute(regular(FIVE_GAMES, 1)))
    commit(warehouse, 2, compute(regular(FIVE_GAMES, 1), regular(FIVE_GAMES, 3)))
    made = {row["player_id"]: row["created_at"] for row in stored(warehouse)}
    commit(warehouse, 3, compute(*(regular(BETTER_GAMES, each) for each in (1, 2, 3))))
    after = {row["player_id"]: row["created_at"] for row in stored(warehouse)}
    assert {1: after[1], 3: after[3]} == made
    assert made[1] < made[3] < after[2]


def test_bookkeeping_outside_the_hash_is_written_too(warehouse: DuckDBWarehouse) -> None:
    commit(warehouse, 1, compute(regular(FIVE_GAMES)))
    (before,) = stored(warehouse)
    commit(warehouse, 2, compute(regular(FIVE_GAMES, actual_games_in_last_7_days=4)))
    (after,) = stored(warehouse)
    assert after["data_hash"] == before["data_hash"]
    assert (before["l7d_completeness_pct"], after["l7d_completeness_pct"]) == (100.0, 75.0)


OWN = DAILY_CACHE.table


@pytest.mark.parametrize(
    "alter",
    [
        f"update {DAILY_CACHE.table} set points_avg_last_5 = 99",
        f"update {DAILY_CACHE.table} set data_hash = 'forged'",
        f"delete from {DAILY_CACHE.table}",
        f"insert into {DAILY_CACHE.table} from {DAILY_CACHE.table}",
        f"insert into {DAILY_CACHE.table} select * replace (null as player_id) from {OWN}",
        f"update {DAILY_CACHE.table} set player_id = null, player_lookup = null",
        f"update {DAILY_CACHE.table} set run_id = 'forged'",
        f"update {DAILY_CACHE.table} set run_id = null",
        f"update {table_names.PRECOMPUTE_FAILURES} set failure_category = 'STALE_DATA'",
        f"update {table_names.PRECOMPUTE_FAILURES} set run_id = 'forged'",
        f"update {table_names.PRECOMPUTE_FAILURES} set entity_id = null",
        f"insert into {table_names.PRECOMPUTE_FAILURES} from {table_names.PRECOMPUTE_FAILURES}",
        f"delete from {table_names.PROCESSOR_RUNS}",
        f"update {table_names.PROCESSOR_RUNS} set status = 'failed'",
        f"update {table_names.PROCESSOR_RUNS} set output_digest = 'forged'",
        f"update {table_names.PROCESSOR_RUNS} set stale_data = stale_data + 1",
        f"insert into {table_names.PROCESSED_DATES} from {table_names.PROCESSED_DATES}",
        f"update {table_names.PROCESSED_DATES} set investigate = 99",
    ],
)
def test_altered_rows_and_failures_are_noticed_and_written_again(
    warehouse: DuckDBWarehouse, alter: str
) -> None:
    players = (regular(FIVE_GAMES, 1), regular(BETTER_GAMES, 2), regular([box_score()], 3))
    result = compute(*players, regular(FIVE_GAMES, 1, NEXT_DAY))
    commit(warehouse, 1, result, (DAY, NEXT_DAY))
    tables = DAILY_CACHE.table, table_names.PRECOMPUTE_FAILURES
    before = [stored(warehouse, table) for table in tables]

    def altered() -> set[dt.date]:
        ledger = Ledger.read(warehouse, DAY, NEXT_DAY)
        return set(ledger.altered_dates(DAILY_CACHE, [DAY, NEXT_DAY]))

    assert altered() == set()
    warehouse.execute(f"{alter} where analysis_date = @day", {"day": DAY})
    assert altered() == {DAY}
    commit(warehouse, 2, compute(*players), is_altered=True)
    assert altered() == set()
    after = [stored(warehouse, table) for table in tables]
    for old, new in zip(before, after, strict=True):
        kept = [{name: row[name] for name in row if name not in BOOKKEEPING} for row in old]
        assert [{name: row[name] for name in row if name not in BOOKKEEPING} for row in new] == kept


def test_a_commit_records_no_date_between_its_own(warehouse: DuckDBWarehouse) -> None:
    days = DAY, NEXT_DAY, NEXT_DAY + dt.timedelta(days=1)
    commit(warehouse, 1, compute(*(regular(FIVE_GAMES, 1, day) for day in days)), days)
    warehouse.execute(f"update {DAILY_CACHE.table} set points_avg_last_5 = 99")
    ends = days[0], days[2]
    commit(
        warehouse, 2, compute(*(regular(FIVE_GAMES, 1, day) for day in ends)), ends, is_altered=True
    )
    ledger = Ledger.read(warehouse, days[0], days[2])
    assert ledger.altered_dates(DAILY_CACHE, days) == [NEXT_DAY]


def test_a_failure_replaces_a_row_and_a_row_a_failure(warehouse: DuckDBWarehouse) -> None:
    commit(warehouse, 1, compute(regular(FIVE_GAMES)))
    made = commit(warehouse, 2, compute(regular([box_score()])))
    assert (stored(warehouse), made.counts[DAY].deleted) == ([], 1)
    assert [
        row["failure_category"] for row in stored(warehouse, table_names.PRECOMPUTE_FAILURES)
    ] == ["EXPECTED_INCOMPLETE"]
    made = commit(warehouse, 3, compute(regular(FIVE_GAMES)))
    assert len(stored(warehouse)) == made.counts[DAY].inserted == 1
    assert stored(warehouse, table_names.PRECOMPUTE_FAILURES) == []


def test_a_reworded_failure_replaces_the_old_one(warehouse: DuckDBWarehouse) -> None:
    commit(warehouse, 1, compute(regular([box_score()])))
    commit(warehouse, 2, compute(regular([box_score()] * 2)))
    (failure,) = stored(warehouse, table_names.PRECOMPUTE_FAILURES)
    assert (failure["actual_game_count"], failure["run_id"]) == (2, "run2")


def test_a_date_without_players_becomes_empty(warehouse: DuckDBWarehouse) -> None:
    commit(warehouse, 1, compute(regular(FIVE_GAMES, 1), regular([box_score()], 2)))
    made = commit(warehouse, 2, compute())
    assert stored(warehouse) == stored(warehouse, table_names.PRECOMPUTE_FAILURES) == []
    assert made.counts[DAY] == Counts(deleted=1, failures=Counter())
    assert stored(warehouse, table_names.PROCESSOR_RUNS)[-1]["status"] == "complete"


def test_other_dates_and_other_processors_stay_as_they_are(warehouse: DuckDBWarehouse) -> None:
    commit(warehouse, 1, compute(regular(FIVE_GAMES), regular([box_score()], 2)))
    foreign = store_failures_of(warehouse, COMPOSITE_FACTORS)
    commit(
        warehouse,
        2,
        compute(regular(BETTER_GAMES, day=NEXT_DAY), regular([box_score()], 2, NEXT_DAY)),
        (NEXT_DAY,),
    )
    commit(warehouse, 3, compute(), (NEXT_DAY,))
    assert [row["analysis_date"] for row in stored(warehouse)] == [DAY]
    failures = stored(warehouse, table_names.PRECOMPUTE_FAILURES)
    assert {row["processor_name"] for row in failures} == {DAILY_CACHE.name, COMPOSITE_FACTORS.name}
    assert {row["analysis_date"] for row in failures} == {DAY, NEXT_DAY}
    assert foreign == [row for row in failures if row["processor_name"] == COMPOSITE_FACTORS.name]


def store_failures_of(warehouse: DuckDBWarehouse, processor: Processor) -> list[dict[str, Any]]:
    """Store two failures of another processor, on the same dates and of the same player."""
    rows = [
        {
            "processor_name": processor.name,
            "analysis_date": day,
            "entity_id": "player2",
            "player_id": 2,
            "failure_category": "PROCESSING_ERROR",
        }
        for day in (DAY, NEXT_DAY)
    ]
    key = ("processor_name", "analysis_date", "entity_id")
    warehouse.commit(
        [TableChange(table_names.PRECOMPUTE_FAILURES, key, pa.Table.from_pylist(rows))]
    )
    found = stored(warehouse, table_names.PRECOMPUTE_FAILURES)
    return [row for row in found if row["processor_name"] == processor.name]


def test_the_digest_does_not_depend_on_the_order_of_rows(warehouse: DuckDBWarehouse) -> None:
    players = [regular([box_score(points=each)] * 5, each) for each in (3, 1, 2)]
    too_few = [regular([box_score()], each) for each in (6, 5, 4)]
    other_day = [regular(FIVE_GAMES, 7, NEXT_DAY)]
    result = compute(*players, *too_few, *other_day)
    made = commit(warehouse, 1, result, (DAY, NEXT_DAY))
    shuffled = ChunkResult(
        result.rows.take(pa.array([2, 0, 1, 3])), result.failures.take(pa.array([1, 2, 0]))
    )
    again = commit(warehouse, 2, shuffled, (DAY, NEXT_DAY))
    assert {day: record.output_digest for day, record in again.records.items()} == {
        day: record.output_digest for day, record in made.records.items()
    }
    other = commit(warehouse, 3, compute(*players[:2], *too_few, *other_day), (DAY, NEXT_DAY))
    assert other.records[DAY].output_digest != made.records[DAY].output_digest
    assert other.records[NEXT_DAY].output_digest == made.records[NEXT_DAY].output_digest
    fewer = commit(warehouse, 4, compute(*players, *too_few[1:], *other_day), (DAY, NEXT_DAY))
    assert fewer.records[DAY].output_digest != made.records[DAY].output_digest


def test_counts_are_kept_by_date(warehouse: DuckDBWarehouse) -> None:
    commit(
        warehouse,
        1,
        compute(regular(FIVE_GAMES, 1), regular(FIVE_GAMES, 2), regular(FIVE_GAMES, 1, NEXT_DAY)),
        (DAY, NEXT_DAY),
    )
    made = commit(
        warehouse,
        2,
        compute(regular(BETTER_GAMES, 1), regular(FIVE_GAMES, 3), regular(FIVE_GAMES, 1, NEXT_DAY)),
        (DAY, NEXT_DAY),
    )
    assert made.counts == {
        DAY: Counts(expected=2, records=2, inserted=1, updated=1, deleted=1, failures=Counter()),
        NEXT_DAY: Counts(expected=1, records=1, unchanged=1, failures=Counter()),
    }


TABLES_OF_A_COMMIT = (
    DAILY_CACHE.table,
    table_names.PRECOMPUTE_FAILURES,
    table_names.PROCESSED_DATES,
    table_names.PROCESSOR_RUNS,
)


def test_two_commits_prepared_from_one_state_leave_one_set_of_rows(
    warehouse: DuckDBWarehouse,
) -> None:
    result = compute(regular(FIVE_GAMES, 1), regular([box_score()], 2))
    read = {DAY: WhatIsRead("f1", "psza:1")}
    first, second = (
        commit_of_pool_rows(
            warehouse, DAILY_CACHE, run(number), read, result.rows, result.failures, 0.5
        )
        for number in (1, 2)
    )
    for made in (first, second, second):
        warehouse.commit(made.changes)
    counts = [len(stored(warehouse, table)) for table in TABLES_OF_A_COMMIT]
    assert counts == [1, 1, 1, 2]  # The history has both runs.
    assert stored(warehouse)[0]["run_id"] == "run2"


def test_a_commit_replaces_duplicate_rows_with_one(warehouse: DuckDBWarehouse) -> None:
    result = compute(regular(FIVE_GAMES, 1), regular(FIVE_GAMES, 3), regular([box_score()], 2))
    commit(warehouse, 1, result)
    created = stored(warehouse)[0]["created_at"]
    for table in TABLES_OF_A_COMMIT[:3]:
        condition = "player_id = 1" if table == DAILY_CACHE.table else "true"
        warehouse.execute(f"insert into {table} select * from {table} where {condition}")
    assert read_current(warehouse, DAY, DAY) == {}
    made = commit(warehouse, 2, result)
    assert [len(stored(warehouse, table)) for table in TABLES_OF_A_COMMIT] == [2, 1, 1, 2]
    assert (made.counts[DAY].updated, made.counts[DAY].unchanged) == (1, 1)
    rows = stored(warehouse)
    assert [(row["player_id"], row["run_id"]) for row in rows] == [(1, "run2"), (3, "run1")]
    assert rows[0]["created_at"] == created
    assert list(read_current(warehouse, DAY, DAY)) == [(DAILY_CACHE.key, DAY)]
