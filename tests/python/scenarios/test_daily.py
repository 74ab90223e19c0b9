"""Daily mode: what a morning knows, what it requires, and what the circuit breaker does."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from python_workers.accounting.coverage import exit_code
from python_workers.backfill.outcome import BackfillResult
from python_workers.daily.breaker import open_breakers, reset
from python_workers.daily.readiness import check_dependencies
from python_workers.errors import BackcourtError
from python_workers.processors.shot_zones import SHOT_ZONES
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.engine import Engine
from tests.python.support.mornings import Mornings

# After the season's first 30 days and before its last 14 regular ones, so nothing is waived.
FIRST = dt.date(2021, 11, 19)
LOADED_30_HOURS_AGO = "update nba_raw.loads set loaded_at = now() - interval 30 hour"


@pytest.fixture
def mornings(simulated_raw: Engine, tmp_path: Path) -> Mornings:
    return Mornings(simulated_raw, tmp_path / "mornings", FIRST)


@pytest.fixture(scope="module")
def first_morning(
    simulated_raw: Engine, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Mornings, BackfillResult]:
    """Run the first day without the stages after the pool, on loads that are 30 hours old."""
    mornings = Mornings(simulated_raw, tmp_path_factory.mktemp("first"), FIRST)
    mornings.engine.execute(LOADED_30_HOURS_AGO)
    (day,) = game_days(mornings.engine, FIRST, 1)
    return mornings, mornings.daily(day, skip_downstream=True, fresh_hours=31.0)


@dataclass(frozen=True)
class Locked:
    """A day that was tried four times while a box score of the day before was missing.

    `failed` is how many players lacked it at the third attempt, and `fourth` the last attempt.
    """

    mornings: Mornings
    day: dt.date
    missing_game: str
    failed: int
    fourth: BackfillResult

    def try_again(self) -> BackfillResult:
        return self.mornings.daily(self.day, allow_incomplete=True, skip_downstream=True)


@pytest.fixture(scope="module")
def locked_once(simulated_raw: Engine, tmp_path_factory: pytest.TempPathFactory) -> Locked:
    mornings = Mornings(simulated_raw, tmp_path_factory.mktemp("locked"), FIRST)
    day, next_day = game_days(mornings.engine, FIRST, 2)
    game = first_game(mornings.engine, day)["game_id"]
    mornings.deliver(day, without_box_score=[game])
    for _ in range(3):
        mornings.daily(next_day, allow_incomplete=True, skip_downstream=True)
    failed = categories(mornings.engine, "psza", next_day)["INCOMPLETE_UPSTREAM"]
    fourth = mornings.daily(next_day, allow_incomplete=True, skip_downstream=True)
    return Locked(mornings, next_day, game, failed, fourth)


@pytest.fixture
def locked(locked_once: Locked, tmp_path: Path) -> Locked:
    return replace(locked_once, mornings=locked_once.mornings.copy(tmp_path))


def game_days(engine: Engine, first: dt.date, count: int) -> list[dt.date]:
    found = engine.query(
        "select distinct game_date from nba_raw.games where game_date >= ? order by 1 limit ?",
        [first, count],
    )
    return [row["game_date"] for row in found]


def first_game(engine: Engine, day: dt.date) -> dict[str, Any]:
    return engine.query(
        "select * from nba_raw.games where game_date = ? order by 1 limit 1", [day]
    )[0]


def categories(engine: Engine, short: str, day: dt.date) -> Counter[str]:
    return Counter(
        failure["failure_category"]
        for (date, _), failure in engine.failures(short).items()
        if date == day
    )


def test_a_morning_knows_the_roster_and_neither_projected_usage_nor_stars_out(
    first_morning: tuple[Mornings, BackfillResult],
) -> None:
    mornings, result = first_morning
    assert result.run.mode == "daily"
    rows = mornings.engine.rows("pcf")
    assert rows
    for row in rows.values():
        assert row["population_source"] == "recent_roster"
        assert row["projected_usage_rate"] is None
        assert row["star_teammates_out"] is None
        assert "projected_usage_rate" in row["missing_data_fields"]
        assert row["days_rest"] is not None or "days_rest" in row["missing_data_fields"]


def test_a_missing_box_score_stops_the_day_and_is_named(mornings: Mornings) -> None:
    day, next_day = game_days(mornings.engine, FIRST, 2)
    game = first_game(mornings.engine, day)
    mornings.deliver(day, without_box_score=[game["game_id"]])
    with pytest.raises(BackcourtError) as caught:
        mornings.daily(next_day)
    assert caught.value.exit_code == 3
    assert f"not ready for {next_day}: 1 game incomplete" in caught.value.message
    assert any(
        game["game_id"] in line and "no box score and no shots" in line
        for line in caught.value.hint
    )


def test_the_missing_side_of_a_game_stops_the_day_and_is_named(mornings: Mornings) -> None:
    day, next_day = game_days(mornings.engine, FIRST, 2)
    game = first_game(mornings.engine, day)
    mornings.deliver(day)
    of_home = f"game_id = '{game['game_id']}' and team_abbr = '{game['home_team_abbr']}'"
    mornings.engine.execute(f"delete from nba_raw.player_box_scores where {of_home}")
    with pytest.raises(BackcourtError) as caught:
        mornings.daily(next_day)
    assert caught.value.hint[0].endswith(f": no box score of {game['home_team_abbr']}")
    mornings.engine.execute(f"delete from nba_raw.shots where {of_home}")
    with pytest.raises(BackcourtError) as caught:
        mornings.daily(next_day)
    assert caught.value.hint[0].endswith(" and no shots of " + game["home_team_abbr"])


def test_results_that_have_not_arrived_stop_the_day(mornings: Mornings) -> None:
    _, next_day = game_days(mornings.engine, FIRST, 2)
    with pytest.raises(BackcourtError, match="incomplete") as caught:
        mornings.daily(next_day)
    assert any("still scheduled" in line for line in caught.value.hint)


def test_old_loads_stop_the_day(mornings: Mornings) -> None:
    (day,) = game_days(mornings.engine, FIRST, 1)
    mornings.engine.execute(LOADED_30_HOURS_AGO)
    with pytest.raises(BackcourtError, match="raw data is old") as caught:
        mornings.daily(day)
    assert any("BACKCOURT_FRESH_HOURS" in line for line in caught.value.hint)


def test_a_load_from_before_the_clock_was_set_back_is_no_fresh_one(mornings: Mornings) -> None:
    (day,) = game_days(mornings.engine, FIRST, 1)
    mornings.engine.execute("update nba_raw.loads set loaded_at = now() + interval 10 year")
    with pytest.raises(BackcourtError, match="raw data is old") as caught:
        mornings.daily(day)
    assert sum("the clock was set back" in line for line in caught.value.hint) == 3
    mornings.engine.execute(
        "insert into nba_raw.loads by name "
        "select * replace ('again' as load_id, now() as loaded_at) from nba_raw.loads"
    )
    with DuckDBWarehouse(mornings.engine.path) as warehouse:
        assert check_dependencies(warehouse, day, 24.0).are_met


def test_the_third_unsuccessful_attempt_locks_and_the_missing_data_opens_the_lock(
    locked: Locked,
) -> None:
    mornings, next_day = locked.mornings, locked.day
    assert locked.failed > 0
    assert categories(mornings.engine, "psza", next_day)["CIRCUIT_BREAKER_ACTIVE"] == locked.failed
    assert locked.fourth.counts["psza"].investigate == locked.failed
    # The lock only stops attempts: the missing data still needs attention in both.
    found = mornings.engine.coverage(next_day, next_day)
    assert {
        row["coverage_status"] for row in found.by_date if row["processor_name"] == SHOT_ZONES.name
    } == {"investigate"}
    assert exit_code(found) == 1
    reasons = {
        failure["failure_reason"]
        for failure in mornings.engine.failures("psza").values()
        if failure["failure_category"] == "CIRCUIT_BREAKER_ACTIVE"
    }
    assert all(reason.startswith("3 unsuccessful attempts, locked until ") for reason in reasons)
    assert locked.try_again().dates["psza"] == 0

    mornings.deliver_box_score(locked.missing_game)
    mornings.daily(next_day)
    assert set(categories(mornings.engine, "psza", next_day)) <= {"EXPECTED_INCOMPLETE"}
    statuses = mornings.engine.query(
        "select distinct status from nba_processing.reprocess_attempts "
        "where processor_name = 'PlayerShotZoneAnalysisProcessor'"
    )
    assert {row["status"] for row in statuses} == {"released"}
    with DuckDBWarehouse(mornings.engine.path) as warehouse:
        assert open_breakers(warehouse) == []


def test_a_lock_can_be_reset_and_a_lock_whose_time_is_over_tries_again(locked: Locked) -> None:
    engine = locked.mornings.engine
    with DuckDBWarehouse(engine.path) as warehouse:
        breakers = open_breakers(warehouse)
        assert breakers
        one = breakers[0]
        assert reset(warehouse, [one["processor_name"]], one["entity_id"], None) == 1
        assert len(open_breakers(warehouse)) == len(breakers) - 1
        # Any command that computes the date on other inputs opens the lock, such as a backfill.
        fingerprints = "update nba_precompute.input_fingerprints set input_fingerprint = "
        warehouse.execute(f"{fingerprints} 'x' || input_fingerprint")
        assert open_breakers(warehouse) == []
        warehouse.execute(f"{fingerprints} input_fingerprint[2:]")
    engine.execute(
        "update nba_processing.reprocess_attempts "
        "set locked_until = now() - interval 1 minute where status = 'locked'"
    )
    locked.try_again()
    attempts = engine.query(
        "select distinct attempt_count, status from nba_processing.reprocess_attempts"
    )
    assert attempts == [{"attempt_count": 1, "status": "counting"}]


def test_a_backfill_reads_neither_loads_nor_attempts(
    mornings: Mornings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (day,) = game_days(mornings.engine, FIRST, 1)
    asked: list[str] = []
    query = DuckDBWarehouse.query

    def counted(self: DuckDBWarehouse, sql: str, params: Any = None, **options: Any) -> Any:
        asked.append(sql)
        return query(self, sql, params, **options)

    monkeypatch.setattr(DuckDBWarehouse, "query", counted)
    mornings.engine.backfill(day, day)
    guarded = ("reprocess_attempts", "nba_raw.loads")
    assert not [sql for sql in asked if any(each in sql for each in guarded)]
    asked.clear()
    mornings.daily(day)
    attempts = [sql for sql in asked if "reprocess_attempts" in sql]
    assert len(attempts) == 1


def test_waived_days_neither_count_attempts_nor_fail_for_a_gap(
    simulated_raw: Engine, tmp_path: Path
) -> None:
    first = dt.date(2021, 11, 12)
    mornings = Mornings(simulated_raw, tmp_path / "waived", first)
    day, next_day, third_day = game_days(mornings.engine, first, 3)
    assert third_day < FIRST
    mornings.deliver(day, without_box_score=[first_game(mornings.engine, day)["game_id"]])
    mornings.deliver(next_day)
    mornings.daily(third_day, allow_incomplete=True)
    for failure in mornings.engine.failures("pdc").values():
        if failure["failure_category"] == "INCOMPLETE_UPSTREAM":
            # Fewer than five games have a box score.
            missing = json.loads(failure["missing_game_dates"])
            assert failure["actual_game_count"] - len(missing) < 5
    rows = mornings.engine.rows("pdc")
    gaps = [row for row in rows.values() if not row["all_windows_complete"]]
    assert gaps
    assert all(row["is_season_boundary"] for row in gaps)
    assert mornings.engine.query("select * from nba_processing.reprocess_attempts") == []


def test_skip_downstream_leaves_the_feature_store_alone(
    first_morning: tuple[Mornings, BackfillResult],
) -> None:
    mornings, result = first_morning
    assert "mlfs" not in result.counts
    assert mornings.engine.rows("mlfs") == {}
    assert mornings.engine.rows("pdc")
