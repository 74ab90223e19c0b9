from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_workers import table_names
from python_workers.accounting import record_changes
from python_workers.accounting.commits import Commit, commit_of_pool_rows
from python_workers.accounting.ledger import Ledger
from python_workers.accounting.processed_dates import BOOKKEEPING, WhatIsRead, read_current
from python_workers.accounting.record_diff import count_by_date, diff_records
from python_workers.accounting.run_records import Counts, Run, run_changes
from python_workers.accounting.stray_rows import delete_strays, find_strays
from python_workers.processors import daily_cache
from python_workers.processors.base import Processor
from python_workers.processors.composite_factors import COMPOSITE_FACTORS
from python_workers.processors.daily_cache import DAILY_CACHE, OUTPUT
from python_workers.processors.failures import FAILURE_SCHEMA, ChunkResult
from python_workers.warehouse.base import Column, TableChange, TableSpec
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.factories import (
    DAY,
    NO_BOX_SCORE,
    Row,
    box_score,
    daily_cache_tables,
    regular,
)

NEXT_DAY = DAY + dt.timedelta(days=1)
FIVE_GAMES = [box_score()] * 5
BETTER_GAMES = [box_score(points=31)] * 5


def run(number: int) -> Run:
    return Run(f"run{number}", "backfill", dt.datetime(2022, 2, number, tzinfo=dt.UTC))


def spec(name: str, schema: pa.Schema, *instants: str) -> TableSpec:
    types: dict[str, Any] = {
        "double": "float64",
        "date32[day]": "date",
        "timestamp[us, tz=UTC]": "timestamp",
    }
    columns = [Column(each.name, types.get(str(each.type), str(each.type))) for each in schema]
    columns += [Column(each, "timestamp") for each in instants]
    return TableSpec(name, tuple(columns), key=("analysis_date",))


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    """Return a warehouse with the tables that a commit of DAILY_CACHE writes, empty."""
    text = pa.string()
    rows = compute(regular(FIVE_GAMES)).rows.schema.append(pa.field("run_id", text))
    failures = FAILURE_SCHEMA.append(pa.field("processor_name", text)).append(
        pa.field("run_id", text)
    )
    history, current = (
        change.rows.schema
        for change in run_changes(DAILY_CACHE, run(1), {}, {}, 0.0, run(1).started_at)
        if change.rows is not None
    )
    with DuckDBWarehouse(tmp_path / "backcourt.duckdb") as opened:
        opened.ensure_tables(
            [
                spec(DAILY_CACHE.table, rows, "created_at", "processed_at"),
                spec(table_names.PRECOMPUTE_FAILURES, failures, "created_at"),
                spec(table_names.PROCESSOR_RUNS, history),
                spec(table_names.PROCESSED_DATES, current),
                spec(table_names.RECORD_CHANGES, record_changes.SCHEMA),
            ]
        )
        yield opened


def compute(*players: Row) -> ChunkResult:
    """Compute date by date, since here a player's games differ between dates."""
    results = [
        daily_cache.compute(daily_cache_tables(of_day), {})
        for _, of_day in itertools.groupby(players, key=lambda player: player["analysis_date"])
    ] or [daily_cache.compute(daily_cache_tables(()), {})]
    return ChunkResult(
        pa.concat_tables([result.rows for result in results]),
        pa.concat_tables([result.failures for result in results]),
    )


def commit(
    warehouse: DuckDBWarehouse,
    number: int,
    result: ChunkResult,
    days: tuple[dt.date, ...] = (DAY,),
    processor: Processor = DAILY_CACHE,
    *,
    is_altered: bool = False,
) -> Commit:
    read = dict.fromkeys(days, WhatIsRead(f"f{number}", "psza:1"))
    made = commit_of_pool_rows(
        warehouse,
        processor,
        run(number),
        read,
        result.rows,
        result.failures,
        0.5,
        altered=days if is_altered else (),
    )
    warehouse.commit(made.changes, made.statements)
    return made


def stored(warehouse: DuckDBWarehouse, table: str = DAILY_CACHE.table) -> list[dict[str, Any]]:
    order = {
        table_names.RECORD_CHANGES: "change, entity_id",
        table_names.PROCESSOR_RUNS: "finished_at",
        table_names.PROCESSED_DATES: "processor_name",
    }.get(table, "player_id")
    found: list[dict[str, Any]] = warehouse.query(
        f"select * from {table} order by analysis_date, {order}"
    ).to_pylist()
    return found


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


records = st.dictionaries(st.tuples(st.integers(0, 2), st.integers(0, 5)), st.integers(0, 2))


def records_table(found: dict[tuple[int, int], int]) -> pa.Table:
    days = pa.array([DAY + dt.timedelta(days=day) for day, _ in found], pa.date32())
    players = pa.array([player for _, player in found], pa.int64())
    values = pa.array([value or None for value in found.values()], pa.int64())
    return pa.table({"analysis_date": days, "player_id": players, "value": values})


@given(records, records)
def test_a_comparison_says_what_happens_to_each_row(
    old: dict[tuple[int, int], int], new: dict[tuple[int, int], int]
) -> None:
    diff = diff_records(
        records_table(old), records_table(new), ("analysis_date", "player_id"), ["value"]
    )
    old_keys, new_keys = list(old), list(new)
    both = old.keys() & new.keys()

    def keys(positions: Any, of: list[tuple[int, int]]) -> list[tuple[int, int]]:
        return [of[position] for position in positions]

    assert set(keys(diff.inserted, new_keys)) == new.keys() - old.keys()
    assert set(keys(diff.deleted, old_keys)) == old.keys() - new.keys()
    assert set(keys(diff.updated, new_keys)) == {key for key in both if old[key] != new[key]}
    assert set(keys(diff.unchanged, new_keys)) == {key for key in both if old[key] == new[key]}
    assert keys(diff.replaced, old_keys) == keys(diff.updated, new_keys)
    days = records_table(new).column("analysis_date")
    assert sum(count_by_date(days, diff.inserted).values()) == len(diff.inserted)


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
