"""The BigQuery warehouse against the emulator, without faults."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from python_workers.errors import BackcourtError
from python_workers.raw.load import load_directory
from python_workers.warehouse.base import Column, TableChange, TableSpec, UpsertCounts, Warehouse
from python_workers.warehouse.bigquery.jobs import JobCounts
from python_workers.warehouse.bigquery.sql import with_dataset_prefix
from python_workers.warehouse.bigquery.warehouse import BigQueryWarehouse
from python_workers.warehouse.job_labels import labelling
from python_workers.warehouse.stored_rows import StoredRows
from tests.python.bigquery.fault_proxy import FaultProxy
from tests.python.bigquery.sent_jobs import sent_jobs
from tests.python.bigquery.tables import (
    FEATURES,
    FIRST,
    NOW,
    PLAYERS,
    RUNS,
    SECOND,
    THIRD,
    chunk,
    dates_of,
    features,
    players,
    run_ids,
    scores,
    staging_tables,
)
from tests.python.support.raw_factories import (
    OPENING_GAME,
    game,
    league,
    line,
    shot,
    write_league,
    write_rows,
)

Connect = Callable[..., BigQueryWarehouse]

LUKA = (1629029, "Luka Dončić", dt.date(1999, 2, 28), "PG")
ADAMS = (203500, 'Steven "Big Kiwi" Adams; --', None, None)


def test_it_is_a_warehouse(warehouse: BigQueryWarehouse) -> None:
    assert isinstance(warehouse, Warehouse)


def test_missing_datasets_and_tables_are_created_with_their_layout(
    warehouse: BigQueryWarehouse, prefix: str
) -> None:
    assert not warehouse.has_table(FEATURES.name)
    warehouse.ensure_tables([FEATURES, PLAYERS])
    assert warehouse.has_table(FEATURES.name)
    assert warehouse.columns(FEATURES.name) == FEATURES.columns
    table = warehouse._connection.client.get_table(f"{prefix}{FEATURES.name}")
    assert table.time_partitioning is not None
    assert table.time_partitioning.field == "analysis_date"
    assert table.clustering_fields == ["player_id"]


def test_a_missing_column_is_added_and_an_existing_one_stays(warehouse: BigQueryWarehouse) -> None:
    warehouse.ensure_tables([PLAYERS])
    warehouse.upsert(PLAYERS, players(LUKA))
    changed = TableSpec(
        name=PLAYERS.name,
        # A type that differs from the existing one is left alone.
        columns=(*PLAYERS.columns[:2], Column("position", "int64"), Column("height_cm", "int64")),
        key=PLAYERS.key,
    )
    warehouse.ensure_tables([changed])
    assert warehouse.columns(PLAYERS.name) == (*PLAYERS.columns, Column("height_cm", "int64"))
    assert warehouse.query("select position from nba_raw.players").to_pylist() == [
        {"position": "PG"}
    ]


def test_an_upsert_writes_only_what_changed(warehouse: BigQueryWarehouse) -> None:
    warehouse.ensure_tables([PLAYERS])
    assert warehouse.upsert(PLAYERS, players(LUKA, ADAMS)) == UpsertCounts(2, 0, 0)
    before = warehouse.jobs_run
    assert warehouse.upsert(PLAYERS, players(LUKA, ADAMS)) == UpsertCounts(0, 0, 2)
    assert warehouse.jobs_run.table_modifications == before.table_modifications
    corrected = (ADAMS[0], ADAMS[1], dt.date(1993, 7, 20), "C")
    rookie = (1641705, "Victor Wembanyama", dt.date(2004, 1, 4), "C")
    assert warehouse.upsert(PLAYERS, players(LUKA, corrected, rookie)) == UpsertCounts(1, 1, 1)
    found = warehouse.query("select * from nba_raw.players order by player_id")
    assert [tuple(row.values()) for row in found.to_pylist()] == [corrected, LUKA, rookie]
    assert warehouse.upsert(PLAYERS, players(LUKA).slice(1)) == UpsertCounts(0, 0, 0)
    assert staging_tables(warehouse) == []


def test_a_load_notes_the_games_that_it_changes_and_a_whole_game_loses_what_its_file_lacks(
    warehouse: BigQueryWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Fail if the warehouse reads all stored rows into memory.
    monkeypatch.delattr(StoredRows, "table")
    lines = [line(1), line(2)]
    whole = league(player_box_scores=lines, shots=[shot(1, 1), shot(2, 2)])
    for _ in range(2):
        load_directory(warehouse, write_league(tmp_path / "raw", whole))
    write_rows(tmp_path / "fix" / "shots" / "fix.csv", [shot(9001, 1), shot(2, 2)])
    fixed = load_directory(warehouse, tmp_path / "fix", tables=["shots"], replace_games=True)
    assert fixed.tables[0].counts == UpsertCounts(inserted=1, updated=0, unchanged=1, deleted=1)
    moved = league(games=[game(game_date="2021-10-20")], player_box_scores=lines)
    load_directory(warehouse, write_league(tmp_path / "moved", moved), tables=["games"])
    found = warehouse.query(
        """
        select
            table_name, game_id, season, inserted, updated, deleted, game_date, former_game_date
        from nba_raw.changed_games
        order by loaded_at, table_name
        """
    )
    day, season = dt.date(2021, 10, 19), "2021-22"
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        ("games", OPENING_GAME, season, 1, 0, 0, day, None),
        ("player_box_scores", OPENING_GAME, season, 2, 0, 0, day, None),
        ("shots", OPENING_GAME, season, 2, 0, 0, day, None),
        ("shots", OPENING_GAME, season, 1, 0, 1, day, None),
        ("games", OPENING_GAME, season, 0, 1, 0, dt.date(2021, 10, 20), day),
    ]
    assert staging_tables(warehouse) == []


def test_a_duplicate_key_is_refused(warehouse: BigQueryWarehouse) -> None:
    warehouse.ensure_tables([PLAYERS])
    with pytest.raises(BackcourtError, match="are duplicated"):
        warehouse.upsert(PLAYERS, players(LUKA, (LUKA[0], "Someone Else", None, None)))


def test_a_commit_replaces_exactly_its_dates(warehouse: BigQueryWarehouse) -> None:
    warehouse.ensure_tables([FEATURES, RUNS])
    warehouse.commit(chunk("one", [FIRST, SECOND], 1.5))
    warehouse.commit(chunk("two", [SECOND, THIRD], 2.5))
    assert scores(warehouse) == [
        (FIRST, 1, 1.5),
        (FIRST, 2, 1.5),
        (SECOND, 1, 2.5),
        (SECOND, 2, 2.5),
        (THIRD, 1, 2.5),
        (THIRD, 2, 2.5),
    ]
    assert run_ids(warehouse) == [(FIRST, "one"), (SECOND, "two"), (THIRD, "two")]
    assert staging_tables(warehouse) == []


def test_a_commit_may_only_delete_or_only_insert(warehouse: BigQueryWarehouse) -> None:
    warehouse.ensure_tables([FEATURES])
    insert = TableChange(FEATURES.name, FEATURES.key, features([FIRST, SECOND], 1.0))
    warehouse.commit([insert])
    one_player = pa.table({"analysis_date": dates_of([FIRST])["analysis_date"], "player_id": [2]})
    warehouse.commit([TableChange(FEATURES.name, FEATURES.key, delete_keys=one_player)])
    assert scores(warehouse) == [(FIRST, 1, 1.0), (SECOND, 1, 1.0), (SECOND, 2, 1.0)]
    before = warehouse.jobs_run
    warehouse.commit([TableChange(FEATURES.name, FEATURES.key, delete_keys=one_player.slice(1))])
    warehouse.commit([])
    assert warehouse.jobs_run == before


def test_a_commit_that_fails_in_its_second_table_leaves_the_first_as_it_was(
    warehouse: BigQueryWarehouse,
) -> None:
    warehouse.ensure_tables([FEATURES, RUNS])
    warehouse.commit(chunk("one", [FIRST], 1.0))
    warehouse.columns(RUNS.name)
    warehouse.commit(chunk("two", [FIRST], 2.0))
    warehouse._connection.client.query_and_wait(f"drop table {warehouse._prefix}{RUNS.name}")
    with pytest.raises(BackcourtError):
        warehouse.commit(chunk("three", [FIRST], 3.0))
    assert scores(warehouse) == [(FIRST, 1, 2.0), (FIRST, 2, 2.0)]
    assert staging_tables(warehouse) == []


def test_a_commit_is_one_load_per_table_and_one_transaction(warehouse: BigQueryWarehouse) -> None:
    warehouse.ensure_tables([FEATURES, RUNS])
    warehouse.commit(chunk("one", [FIRST, SECOND, THIRD], 1.0))
    assert warehouse.jobs_run == JobCounts(loads=2, queries=0, writes=1, table_modifications=2)


def test_a_deletion_is_bounded_to_the_partitions_of_its_keys(
    warehouse: BigQueryWarehouse, proxy: FaultProxy
) -> None:
    warehouse.ensure_tables([FEATURES])
    warehouse.commit(
        [TableChange(FEATURES.name, ("analysis_date",), delete_keys=dates_of([THIRD, FIRST]))]
    )
    (sent,) = [one.body for one in proxy.requests("POST", "/jobs") if b"begin tr" in one.body]
    assert b"target.`analysis_date` between @from_0 and @to_0" in sent
    assert b'"2021-12-01"' in sent
    assert b'"2021-12-03"' in sent


def test_every_job_carries_labels_and_a_limit(connect: Connect, proxy: FaultProxy) -> None:
    warehouse = connect(maximum_bytes_billed=123_456)
    warehouse.ensure_tables([FEATURES, PLAYERS])
    with labelling(run_id="2021-12-01T00:00 #7"), labelling(processor="Dončić " * 20):
        warehouse.commit([TableChange(FEATURES.name, FEATURES.key, features([FIRST], 1.0))])
        warehouse.query("select 1 as one")
        warehouse.upsert(PLAYERS, players(LUKA))
        warehouse.dry_run("select 1 as one")
    jobs = sent_jobs(proxy.seen)
    # A load and a transaction; a query; a load, a count and a MERGE; a dry run.
    assert len(jobs) == 7
    for job in jobs:
        assert job.labels == {
            "app": "backcourt",
            "run_id": "2021-12-01t00_00__7",
            "processor": ("don_i_ " * 20).replace(" ", "_")[:63],
        }
        if job.statement and not job.is_dry:
            assert job.configuration["query"]["maximumBytesBilled"] == "123456"
    warehouse.query("select 1 as one")
    assert sent_jobs(proxy.seen)[-1].labels == {"app": "backcourt"}


def test_values_are_parameters_of_their_types(warehouse: BigQueryWarehouse) -> None:
    found = warehouse.query(
        """
        select
            @flag as flag, @number as number, @ratio as ratio, @name as name, @day as day,
            @instant as instant, @day in unnest(@days) as is_listed,
            'x' in unnest(@nothing) as is_in_nothing
        """,
        {
            "flag": True,
            "number": 2**53 + 1,
            "ratio": 0.1,
            "name": "O'Neale; drop table x --",
            "day": FIRST,
            "instant": NOW,
            "days": [FIRST, SECOND],
            "nothing": pa.array([], pa.string()),
        },
    )
    assert found.to_pylist() == [
        {
            "flag": True,
            "number": 2**53 + 1,
            "ratio": 0.1,
            "name": "O'Neale; drop table x --",
            "day": FIRST,
            "instant": NOW,
            "is_listed": True,
            "is_in_nothing": False,
        }
    ]
    assert found.schema.field("day").type == pa.date32()
    assert found.schema.field("number").type == pa.int64()


@pytest.mark.parametrize("value", [[], None, dt.datetime(2021, 12, 1)])  # noqa: DTZ001
def test_a_value_without_a_type_is_refused(warehouse: BigQueryWarehouse, value: object) -> None:
    with pytest.raises(ValueError, match="parameter 'x'"):
        warehouse.query("select @x as x", {"x": value})


@pytest.mark.parametrize("storage", ["read", "rest"])
def test_rows_come_back_as_they_were_written(connect: Connect, storage: str) -> None:
    warehouse = connect(**({} if storage == "read" else {"storage_endpoint": None}))
    assert (warehouse._connection.storage is not None) == (storage == "read")
    warehouse.ensure_tables([FEATURES])
    ids = list(range(30_000))
    warehouse.commit([TableChange(FEATURES.name, FEATURES.key, features([FIRST], -0.1, ids))])
    found = warehouse.query("select * from nba_precompute.features order by player_id")
    assert found.column_names == list(FEATURES.column_names)
    assert found.select(["player_id", "score", "created_at"]).equals(
        features([FIRST], -0.1, ids).select(["player_id", "score", "created_at"])
    )


def test_the_content_state_changes_with_the_content_alone(warehouse: BigQueryWarehouse) -> None:
    tables = [FEATURES.name, RUNS.name]
    states = [warehouse.content_state(tables)]
    warehouse.ensure_tables([FEATURES, RUNS])
    states.append(warehouse.content_state(tables))
    warehouse.commit(chunk("one", [FIRST], 1.0))
    states.append(warehouse.content_state(tables))
    # The number of rows stays the same, so only the content differs.
    warehouse.commit(chunk("two", [FIRST], 2.0))
    states.append(warehouse.content_state(tables))
    warehouse.execute(
        "update nba_precompute.features set score = 3 where analysis_date = @d", {"d": FIRST}
    )
    states.append(warehouse.content_state(tables))
    assert len(set(states)) == len(states)
    warehouse.query("select * from nba_precompute.features")
    assert warehouse.content_state(tables[::-1]) == states[-1]


def test_a_dry_run_answers_in_bytes_and_runs_nothing(warehouse: BigQueryWarehouse) -> None:
    warehouse.ensure_tables([FEATURES])
    before = warehouse.jobs_run
    assert warehouse.dry_run("select * from nba_precompute.features") == 0
    assert warehouse.jobs_run == before


def test_a_closed_warehouse_opens_again(warehouse: BigQueryWarehouse) -> None:
    with warehouse:
        assert warehouse.query("select 1 as one").to_pylist() == [{"one": 1}]
    assert warehouse.query("select 2 as two").to_pylist() == [{"two": 2}]


def test_a_prefix_is_put_before_datasets_and_nowhere_else() -> None:
    sql = """
        select 'nba_raw.games', "nba_raw.games", x.nba_raw.y -- nba_raw.games
        from nba_raw.games join `nba_analytics.team` on games.nba_raw = my_nba_raw.x /* nba_raw.x */
    """
    expected = sql.replace("from nba_raw.", "from dev_nba_raw.").replace("`nba_", "`dev_nba_")
    assert with_dataset_prefix(sql, "dev_") == expected
    assert with_dataset_prefix(sql, "") == sql
