"""Recorded answers of the public sources are converted, loaded and backfilled."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from python_workers.feeds.convert import convert
from python_workers.feeds.feed import find_feed
from tests.python.support.engine import Engine
from tests.python.support.feed_answers import schedule, scheduled_game, write_json
from tests.python.support.folders import REPOSITORY

SAMPLES = REPOSITORY.parent / "shared" / "feeds" / "samples"


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="no recorded answers here")
def test_recorded_games_are_computed_and_accounted_for(tmp_path: Path) -> None:
    third = tmp_path / "v3"
    third.mkdir()
    for name in ("BoxScoreTraditionalV3", "PlayByPlayV3", "CommonPlayerInfo"):
        shutil.copy(SAMPLES / "nba_api_v3" / f"{name}.json", third)
    # The recorded schedule does not have this game.
    teams = {
        "homeTeam": {"teamTricode": "CLE", "score": 145},
        "awayTeam": {"teamTricode": "CHI", "score": 134},
    }
    evening = {"gameDateEst": "2023-01-02T00:00:00Z"}
    write_json(third / "schedule.json", schedule(scheduled_game("0022200552", **evening, **teams)))
    for feed, files in (
        ("nba_live", SAMPLES / "nba_live"),
        ("nba_api", SAMPLES / "nba_api_v2"),
        ("nba_api", third),
    ):
        convert(find_feed(feed), files, tmp_path / "raw" / files.name)
        raw = tmp_path / "raw" / files.name
        Engine(tmp_path).load(raw, *(path.name for path in raw.iterdir()))
    engine = Engine(tmp_path)
    days = (dt.date(2020, 12, 22), dt.date(2022, 1, 26), dt.date(2023, 1, 2))
    for day in days:
        engine.backfill(day, day)
    played = engine.query(
        "select game_date, count(*) as players, sum(points) as points, "
        "sum(2 * (paint_makes + mid_range_makes) + 3 * three_makes_pbp + ft_makes) as by_shots "
        "from nba_analytics.player_game_summary where is_played group by all order by 1"
    )
    assert [(row["game_date"], row["points"]) for row in played] == [
        (day, points) for day, points in zip(days, (224, 244, 279), strict=True)
    ]
    assert all(row["points"] == row["by_shots"] for row in played)
    unaccounted = engine.query(
        "select count(*) as n from nba_processing.backfill_coverage where unaccounted > 0"
    )
    assert unaccounted == [{"n": 0}]
