"""Recorded answers of the public sources are converted, loaded and backfilled."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from python_workers.feeds.convert import convert
from python_workers.feeds.feed import find_feed
from tests.python.support.engine import Engine
from tests.python.support.feed_answers import schedule, scheduled_game, write_json
from tests.python.support.folders import REPOSITORY, SAMPLES
from tests.python.support.replayed_season import STATISTICS, SeasonReplay
from tests.python.support.replayed_site import served

REAL = REPOSITORY.parent / "shared" / "data" / "nba"


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


# Columns that answers lack or write differently: a line's position, the tenths of a clock; the raw
# files lack the distance.
COMPARED = {
    "games": "*",
    "player_box_scores": "game_id, player_id, player_name, team_abbr, is_starter, is_dnp, "
    "case when not is_dnp then {minutes} end as minutes, "
    + ", ".join(f"coalesce({column}, 0) as {column}" for column in STATISTICS),
    "shots": "game_id, event_number, period, floor(clock_seconds) as clock_seconds, player_id, "
    "team_abbr, shot_value, is_made, is_assisted, assist_player_id, block_player_id, zone_basic, "
    "loc_x, loc_y",
    "players": "player_id, player_name, birth_date",
}


def assert_converted_is(raw: Path, converted: Path, last: dt.date) -> None:
    """Assert that converted files have the rows of the raw folder until a date."""
    games = f"(select game_id from '{raw}/games/2022_23.parquet' where game_date <= '{last}')"
    of_games = dict.fromkeys(COMPARED, f"where game_id in {games}")
    of_games["players"] = (
        f"where player_id in (select player_id from '{raw}/player_box_scores/2022_23.parquet' "
        f"where game_id in {games})"
    )
    for table, columns in COMPARED.items():
        file = "players" if table == "players" else "2022_23"
        whole = "case when minutes like '%:%' then 0 else minutes::double end"
        wanted = (
            f"select {columns.format(minutes=whole)} from '{raw}/{table}/{file}.parquet' "
            + of_games[table]
        )
        clock = "split_part(minutes, ':', 1)::double"
        found = f"select {columns.format(minutes=clock)} from '{converted}/{table}/nba_api.parquet'"
        (counts,) = duckdb.sql(
            f"select (select count(*) from ({wanted})), (select count(*) from ({found})), "
            f"(select count(*) from ({wanted} except all {found}))"
        ).fetchall()
        assert counts[0] > 0
        assert counts[:2] == (counts[0], counts[0]), table
        assert counts[2] == 0, table


@pytest.mark.skipif(not REAL.is_dir(), reason="no real seasons here")
def test_games_fetched_with_two_kills_are_those_of_the_raw_files(tmp_path: Path) -> None:
    pytest.importorskip("nba_api", reason="the extra nba is not installed")
    last = dt.date(2022, 10, 19)
    replay = SeasonReplay(REAL, "2022-23", last)
    fetching: list[subprocess.Popen[bytes]] = []
    kills = [20, 50]

    def kill_some(number: int) -> None:
        if kills and number >= kills[0]:
            kills.pop(0)
            fetching[-1].kill()

    command = [sys.executable, "-m", "python_workers", "fetch", "--season", "2022-23"]
    command += ["--out", str(tmp_path / "answers"), "--pace", "0"]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    codes = []
    with served(replay, kill_some) as address:
        for _ in range(3):
            fetching.append(
                subprocess.Popen(command, env={**environment, "BACKCOURT_STATS_ADDRESS": address})
            )
            codes.append(fetching[-1].wait())
    assert codes == [-9, -9, 0]
    files = 2 + 4 * len(replay.games) + replay.players
    assert len(list((tmp_path / "answers").rglob("*.json"))) == files
    # A kill loses only the answer under way; each call asks for the schedule again.
    assert replay.asked.total() == files + 2 + 2
    conversion = convert(find_feed("nba_api"), tmp_path / "answers", tmp_path / "raw")
    assert (conversion.files, conversion.warnings) == (files, ())
    assert_converted_is(REAL, tmp_path / "raw", last)
