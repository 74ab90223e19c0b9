"""`backcourt explain`: formulas give the stored values, and failures name their games."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from python_workers.accounting.ledger import Ledger
from python_workers.explain.answer import Explanation, explain
from python_workers.explain.entities import find
from python_workers.explain.model_sql import Renderer
from python_workers.processors.base import PoolWork, Processor
from python_workers.processors.catalogue import BY_KEY, PROCESSORS
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.shot_zones import SHOT_ZONES
from python_workers.settings import resolve_project_dir
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.command import CommandLine
from tests.python.support.engine import Engine

POOL_SAMPLE, SQL_SAMPLE = 12, 3


@pytest.fixture(scope="module")
def league(four_seasons: Engine) -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(four_seasons.path, read_only=True) as warehouse:
        yield warehouse


def some(rows: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return list(rows[:: max(len(rows) // count, 1)])[:count]


def entities(warehouse: DuckDBWarehouse, processor: Processor) -> list[dict[str, Any]]:
    """Return some of the dates and entities that have a row, and some that have a failure."""
    is_pool = isinstance(processor.work, PoolWork)
    rows = warehouse.query(
        f"select {processor.date_column} as day, {processor.entity_name} as entity "
        f"from {processor.table} order by hash({processor.entity}, {processor.date_column})"
    ).to_pylist()
    failures = warehouse.query(
        "select analysis_date as day, entity_id as entity, failure_category "
        "from nba_processing.precompute_failures where processor_name = @name "
        "order by hash(entity_id, analysis_date)",
        {"name": processor.name},
    ).to_pylist()
    by_category = {row["failure_category"]: row for row in failures}
    return some(rows, POOL_SAMPLE if is_pool else SQL_SAMPLE) + list(by_category.values())


def explained(
    warehouse: DuckDBWarehouse, processor: Processor, day: dt.date, entity: str
) -> Explanation:
    return explain(
        warehouse,
        Ledger.read(warehouse, day, day),
        processor,
        day,
        find(warehouse, entity),
        resolve_project_dir(),
    )


@pytest.mark.parametrize("key", list(BY_KEY))
def test_stored_values_hashes_and_failures_are_what_is_computed_now(
    league: DuckDBWarehouse, key: str
) -> None:
    processor = BY_KEY[key]
    for row in entities(league, processor):
        found = explained(league, processor, row["day"], row["entity"])
        assert found.problems == [], row
        if found.row is not None:
            shown = [line.name for line in found.lines if line.is_column]
            assert set(shown) <= set(found.row)
            assert all(line.formula for line in found.lines if not line.is_column)
        if isinstance(processor.work, PoolWork):
            assert (found.hash is None) == (found.row is None)


def test_the_windows_games_are_those_that_the_row_counts(league: DuckDBWarehouse) -> None:
    for row in some(entities(league, SHOT_ZONES), 8):
        found = explained(league, SHOT_ZONES, row["day"], row["entity"])
        days = [game.day for game in found.games]
        assert days == sorted(days, reverse=True)
        assert all(day < row["day"] for day in days)
        assert all(game.opponent for game in found.games)
        if found.row is not None:
            counted = sum(game.is_counted for game in found.games)
            assert counted == found.row["games_in_sample_20"]


def test_a_failure_names_the_games_that_lack_data_and_the_repair(league: DuckDBWarehouse) -> None:
    failures = league.query(
        "select * from nba_processing.precompute_failures "
        "where processor_name = @name and failure_category = 'INCOMPLETE_UPSTREAM' "
        "order by analysis_date, entity_id limit 3",
        {"name": SHOT_ZONES.name},
    ).to_pylist()
    assert failures
    for failure in failures:
        found = explained(league, SHOT_ZONES, failure["analysis_date"], failure["entity_id"])
        lacking = [game for game in found.games[:10] if not game.is_counted]
        assert lacking
        for game in lacking:
            assert str(game.day) in failure["missing_game_dates"]
            assert "has_complete_shot_zones" in game.missing
            assert str(game.game_id) in found.repair[0]
        day = failure["analysis_date"]
        assert found.repair[-1] == f"backcourt backfill --start {day} --end {day}"
        assert found.needs_attention


@pytest.mark.parametrize("processor", [each for each in PROCESSORS if each.engine == "sql"])
def test_a_model_rendered_without_dbt_gives_the_rows_that_dbt_has_built(
    league: DuckDBWarehouse, processor: Processor
) -> None:
    days = league.query(
        f"select distinct {processor.date_column} as day from {processor.table} order by 1"
    )["day"].to_pylist()
    for day in (days[0], days[len(days) // 2], days[-1]):
        sql = Renderer(resolve_project_dir(), "duckdb", day).model(processor.model)
        built = league.query(sql).to_pylist()
        stored = league.query(
            f"select * from {processor.table} where {processor.date_column} = @day", {"day": day}
        ).to_pylist()
        assert stored

        def by_entity(rows: list[dict[str, Any]]) -> dict[Any, dict[str, Any]]:
            return {row[processor.entity]: row for row in rows}

        assert by_entity(built) == by_entity(stored)


def test_a_changed_value_is_an_error_that_is_named(backfilled: CommandLine, engine: Engine) -> None:
    (row,) = engine.query(
        f"select * from {DAILY_CACHE.table} order by analysis_date desc, player_id limit 1"
    )
    asked = ("explain", row["player_id"], "--date", row["analysis_date"], "--processor", "pdc")
    right = backfilled.ok(*asked)
    assert f"points_avg_last_5 = {row['points_avg_last_5']}" in right.out
    assert "= round(points_sum_last_5 / points_games_last_5, 4)" in right.out
    assert row["data_hash"] in right.out
    assert max(map(len, right.out.splitlines())) <= 80
    engine.execute(
        f"update {DAILY_CACHE.table} set points_avg_last_5 = 99 "
        f"where analysis_date = date '{row['analysis_date']}' and player_id = {row['player_id']}"
    )
    wrong = backfilled.attention(*asked)
    assert f"points_avg_last_5 = {row['points_avg_last_5']}, stored 99.0" in wrong.out
    (found,) = backfilled.attention(*asked, "--format", "json").json()
    assert found["problems"] == [
        "data_hash is not the hash of the stored values",
        "points_avg_last_5: stored is 99.0",
        "the date is stale: its rows differ from those recorded",
    ]
    (line,) = [each for each in found["columns"] if each["name"] == "points_avg_last_5"]
    assert (line["value"], line["stored"]) == (row["points_avg_last_5"], 99.0)


def test_a_lost_row_of_an_expected_player_is_an_error(
    backfilled: CommandLine, engine: Engine
) -> None:
    (row,) = engine.query(
        f"select * from {DAILY_CACHE.table} order by analysis_date desc, player_id limit 1"
    )
    engine.execute(
        f"delete from {DAILY_CACHE.table} "
        f"where analysis_date = date '{row['analysis_date']}' and player_id = {row['player_id']}"
    )
    lost = backfilled.attention(
        "explain", row["player_lookup"], "--date", row["analysis_date"], "--processor", "pdc"
    )
    assert "error: expected, but neither a row nor a failure is there" in lost.out
    assert f"do: backcourt backfill --start {row['analysis_date']}" in lost.out


def test_players_and_teams_are_found_by_what_people_call_them(
    backfilled: CommandLine, engine: Engine
) -> None:
    (row,) = engine.query(
        "select r.*, p.analysis_date from nba_raw.player_registry as r "
        f"join {DAILY_CACHE.table} as p using (player_id) order by 1 limit 1"
    )
    (team,) = engine.query("select max(home_team_abbr) as team from nba_raw.games")
    day = row["analysis_date"]
    for named in (row["player_id"], row["player_lookup"], row["player_name"].upper()):
        found = backfilled("explain", named, "--date", day, "--format", "json").json()
        assert {each["player_id"] for each in found} == {row["player_id"]}
        assert len(found) == len([each for each in PROCESSORS if each.entity == "player_id"])
    (of_team,) = backfilled(
        "explain", team["team"].lower(), "--date", day, "--format", "json"
    ).json()
    assert (of_team["processor"], of_team["games"] != []) == (BY_KEY["tdza"].name, True)
    several = backfilled("explain", "a", "--date", day)
    assert (several.code, "may be one of" in several.err) == (2, True)
    nobody = backfilled("explain", "Nobody At All", "--date", day)
    assert (nobody.code, "no player and no team" in nobody.err) == (2, True)
    mixed = backfilled("explain", row["player_id"], "--date", day, "--processor", "tdza")
    assert (mixed.code, "has no rows of such" in mixed.err) == (2, True)
    no_game = backfilled("explain", row["player_id"], "--date", "2021-07-15")
    assert (no_game.code, "no raw games on 2021-07-15" in no_game.err) == (3, True)
