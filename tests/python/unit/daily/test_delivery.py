"""A morning fetches and loads the missing games of the last days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from python_workers.daily.delivery import deliver
from python_workers.errors import BackcourtError
from python_workers.feeds.site import ATTEMPTS, Answer, Site
from python_workers.settings import load_settings
from python_workers.warehouse.base import Warehouse
from python_workers.warehouse.open import open_warehouse
from tests.python.support.feed_answers import scheduled_game
from tests.python.support.replayed_site import FINAL, LATER, Replay

MORNING = dt.date(2022, 1, 28)


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    path = tmp_path / "w.duckdb"
    monkeypatch.setenv("BACKCOURT_DUCKDB_PATH", str(path))
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema nba_staging")
        connection.execute(
            "create table nba_staging.seasons as select '2021-22' as season, "
            "date '2021-10-19' as first_date, date '2022-06-30' as last_date"
        )
    with open_warehouse(load_settings(), must_exist=False) as opened:
        yield opened


def test_a_morning_loads_the_results_of_the_evening_and_of_a_late_game(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    replay, folder = Replay(), tmp_path / "answers"
    late = scheduled_game(LATER, gameDateEst="2022-01-22T00:00:00Z")
    old = scheduled_game("0022100001", gameDateEst="2022-01-20T00:00:00Z")
    replay.games = [scheduled_game(FINAL), late, old]
    # The late game's play-by-play is still missing this morning.
    replay.faults["playbyplayv3"] = [Answer(500, "")] * ATTEMPTS
    site = Site(replay, pace_seconds=0, pause=lambda _: None)
    first = deliver(warehouse, site, folder, MORNING)
    assert len(first.fetched.missing) == 1
    lines = "select game_id, count(*) as n from nba_raw.player_box_scores group by 1 order by 1"
    assert warehouse.query(lines).to_pylist() == [
        {"game_id": FINAL, "n": 11},
        {"game_id": LATER, "n": 11},
    ]
    games = "select count(*) as n from nba_raw.games"
    assert warehouse.query(games).to_pylist() == [{"n": 3}]
    second = deliver(warehouse, site, folder, MORNING)
    assert second.fetched.missing == {}
    # The chart had all of the shot except the assist.
    assert {game.game_id for game in second.load.changed_games} <= {FINAL, LATER}
    assert not deliver(warehouse, site, folder, MORNING).load.changed_games


def test_a_morning_outside_the_seasons_is_a_usage_error(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    with pytest.raises(BackcourtError, match="2023-08-01 is in no season"):
        deliver(warehouse, Site(Replay()), tmp_path, dt.date(2023, 8, 1))
