"""Upserts and commits on DuckDB write only changed rows, all or nothing."""

from __future__ import annotations

import threading

import duckdb
import pyarrow as pa
import pytest

from python_workers.errors import BackcourtError
from python_workers.warehouse.base import (
    ChangeNote,
    TableChange,
    UpsertCounts,
)
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.small_tables import GAMES, LINES, NOTES, games, lines, rows_of


def test_an_upsert_writes_only_what_changed(warehouse: DuckDBWarehouse) -> None:
    assert warehouse.upsert(GAMES, games(104, 99, None)) == UpsertCounts(3, 0, 0)
    assert warehouse.upsert(GAMES, games(104, 99, None)) == UpsertCounts(0, 0, 3)
    assert warehouse.upsert(GAMES, games(104, 98, 120, 101)) == UpsertCounts(1, 2, 1)
    assert warehouse.upsert(GAMES, games(104, None)) == UpsertCounts(0, 1, 1)
    scores = [row["home_score"] for row in rows_of(warehouse, "nba_raw.games")]
    assert scores == [104, None, 120, 101]


def test_an_upsert_by_two_columns_keeps_rows_apart(warehouse: DuckDBWarehouse) -> None:
    warehouse.upsert(LINES, lines(("a", 1, 10), ("a", 2, 20), ("b", 1, 30)))
    assert warehouse.upsert(LINES, lines(("a", 2, 21), ("b", 2, 5))) == UpsertCounts(1, 1, 0)
    assert [tuple(row.values()) for row in rows_of(warehouse, "nba_raw.lines")] == [
        ("a", 1, 10),
        ("a", 2, 21),
        ("b", 1, 30),
        ("b", 2, 5),
    ]


def test_an_upsert_of_whole_games_deletes_what_they_lack(warehouse: DuckDBWarehouse) -> None:
    warehouse.upsert(LINES, lines(("a", 1, 10), ("a", 2, 20), ("b", 1, 30)))
    same = lines(("a", 2, 20), ("c", 1, 5))
    assert warehouse.upsert(LINES, same, whole="game_id") == UpsertCounts(1, 0, 1, 1)
    assert warehouse.upsert(LINES, same, whole="game_id") == UpsertCounts(0, 0, 2, 0)
    assert [(row["game_id"], row["player_id"]) for row in rows_of(warehouse, LINES.name)] == [
        ("a", 2),
        ("b", 1),
        ("c", 1),
    ]


def test_an_upsert_notes_what_it_changes_in_its_own_transaction(
    warehouse: DuckDBWarehouse,
) -> None:
    warehouse.ensure_tables([NOTES])
    insertion = (
        "insert into {table} select @label as label, game_id, change, count(*) as changes "
        "from {{changes}} as changes group by game_id, change"
    )
    note = ChangeNote(insertion.format(table=NOTES.name), {"label": "one"})
    warehouse.upsert(LINES, lines(("a", 1, 10), ("a", 2, 20)))
    changed = lines(("a", 1, 11), ("b", 1, 30))
    broken = ChangeNote(insertion.format(table="nba_raw.nowhere"), {"label": "one"})
    with pytest.raises(BackcourtError, match="nowhere is missing"):
        warehouse.upsert(LINES, changed, whole="game_id", note=broken)
    for _ in range(2):
        warehouse.upsert(LINES, changed, whole="game_id", note=note)
    noted = warehouse.query("select * from nba_raw.notes order by all").to_pylist()
    assert [tuple(row.values()) for row in noted] == [
        ("one", "a", "deleted", 1),
        ("one", "a", "updated", 1),
        ("one", "b", "inserted", 1),
    ]


@pytest.mark.parametrize(
    "rows",
    [
        lines(("a", 1, 10), ("a", 1, 11)),
        lines(("a", 1, 10)).set_column(0, "game_id", pa.array([None], pa.string())),
        lines(("a", 1, 10)).drop_columns(["points"]),
    ],
    ids=["duplicate key", "null key", "missing column"],
)
def test_an_upsert_refuses_rows_it_cannot_place(warehouse: DuckDBWarehouse, rows: pa.Table) -> None:
    with pytest.raises(ValueError, match=r"nba_raw\.lines"):
        warehouse.upsert(LINES, rows)
    assert rows_of(warehouse, "nba_raw.lines") == []
    assert warehouse.upsert(LINES, lines(("a", 1, 10))) == UpsertCounts(1, 0, 0)


def test_a_commit_replaces_by_key_in_several_tables(warehouse: DuckDBWarehouse) -> None:
    warehouse.upsert(LINES, lines(("a", 1, 10), ("a", 2, 20), ("b", 1, 30)))
    warehouse.commit(
        [
            TableChange("nba_raw.lines", ("game_id",), lines(("a", 3, 33))),
            TableChange(GAMES.name, GAMES.key, games(104).select(["game_date", "game_id"])),
            TableChange(
                LINES.name, LINES.key, None, pa.table({"game_id": ["b"], "player_id": [9]})
            ),
            TableChange(LINES.name, LINES.key),
        ]
    )
    assert [tuple(row.values()) for row in rows_of(warehouse, "nba_raw.lines")] == [
        ("a", 3, 33),
        ("b", 1, 30),
    ]
    assert rows_of(warehouse, "nba_raw.games")[0]["home_score"] is None


def test_a_commit_that_fails_halfway_leaves_everything_as_it_was(
    warehouse: DuckDBWarehouse,
) -> None:
    warehouse.upsert(LINES, lines(("a", 1, 10)))
    good = TableChange(LINES.name, ("game_id",), lines(("b", 1, 30)), pa.table({"game_id": ["a"]}))
    bad = TableChange("nba_raw.games", ("game_id",), pa.table({"game_id": ["g"], "no_column": [1]}))
    with pytest.raises(duckdb.Error):
        warehouse.commit([good, bad])
    with pytest.raises(ValueError, match="NULL"):
        warehouse.commit(
            [good, TableChange(LINES.name, ("game_id",), None, pa.table({"game_id": [None]}))]
        )
    assert [tuple(row.values()) for row in rows_of(warehouse, "nba_raw.lines")] == [("a", 1, 10)]


def test_a_commit_ends_with_the_same_rows_however_often_it_runs(
    warehouse: DuckDBWarehouse,
) -> None:
    first = TableChange(LINES.name, LINES.key, lines(("a", 1, 10), ("b", 1, 30)))
    second = TableChange(LINES.name, LINES.key, lines(("b", 1, 31)))
    for change in (first, first, second, second):
        warehouse.commit([change])
    assert [tuple(row.values()) for row in rows_of(warehouse, LINES.name)] == [
        ("a", 1, 10),
        ("b", 1, 31),
    ]


def test_threads_read_while_another_commits(warehouse: DuckDBWarehouse) -> None:
    warehouse.upsert(LINES, lines(("a", 1, 0), ("a", 2, 0)))
    torn: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            points = {row["points"] for row in rows_of(warehouse, "nba_raw.lines")}
            if len(points) != 1:
                torn.append(points)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for points in range(1, 40):
        warehouse.commit(
            [TableChange(LINES.name, ("game_id",), lines(("a", 1, points), ("a", 2, points)))]
        )
    done.set()
    for reader in readers:
        reader.join()
    assert torn == []
