"""Oddities of thirty seasons: moved franchises, moved games, players of two teams."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from python_workers.franchises import FRANCHISES
from python_workers.raw.load import LoadReport
from python_workers.raw.schema import BOX_COUNTS
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.folders import REPOSITORY
from tests.python.support.raw_factories import game, line, player, shot

Load = Callable[..., LoadReport]

# Last season with the old code, the old code and the new one.
MOVES = [
    ("2011-12", "NJN", "BKN"),
    ("2012-13", "NOH", "NOP"),
    ("2007-08", "SEA", "OKC"),
    ("2000-01", "VAN", "MEM"),
    ("2004-05", "NOH", "NOK"),
]


def season_after(season: str) -> str:
    year = int(season[:4]) + 1
    return f"{year}-{(year + 1) % 100:02}"


@pytest.mark.parametrize(("season", "before", "after"), MOVES)
def test_a_franchise_may_change_its_code_between_two_seasons(
    load: Load, season: str, before: str, after: str
) -> None:
    games = [
        game(
            f"002{name[2:4]}00001",
            season=name,
            game_date=f"{int(name[:4]) + 1}-01-15",
            home_team_abbr=code,
            away_team_abbr="BOS",
        )
        for name, code in ((season, before), (season_after(season), after))
    ]
    lines = [line(1, one["game_id"], team_abbr=one["home_team_abbr"]) for one in games]
    shots = [
        shot(player_id=1, game_id=one["game_id"], team_abbr=one["home_team_abbr"]) for one in games
    ]
    report = load(games=games, player_box_scores=lines, shots=shots, players=[player(1)])
    assert report.tables[0].counts.inserted == 2
    assert any({before, after} <= set(codes) for codes in FRANCHISES)


def test_postponed_moved_and_suspended_games_keep_their_id(
    load: Load, warehouse: DuckDBWarehouse
) -> None:
    unplayed: dict[str, Any] = {"home_score": None, "away_score": None}
    load(games=[game(status="scheduled", **unplayed)])
    load(games=[game(status="postponed", **unplayed)])
    # The game was suspended on its new date, and finished later.
    load(games=[game(status="in_progress", game_date="2022-01-04", **unplayed)])
    report = load(games=[game(status="final", game_date="2022-03-11")])
    assert [one.game_id for one in report.changed_games] == ["0022100001"]
    found = warehouse.query("select game_date, status, home_score from nba_raw.games").to_pylist()
    assert found == [{"game_date": dt.date(2022, 3, 11), "status": "final", "home_score": 127}]


def test_a_player_may_be_listed_by_two_teams_on_a_day_and_change_his_name(
    load: Load, warehouse: DuckDBWarehouse
) -> None:
    games = [game(), game("0022100002", home_team_abbr="LAL", away_team_abbr="GSW")]
    load(
        games=games,
        # A ten-day contract ended in the morning; his birth date is not known.
        player_box_scores=[
            line(1, is_dnp=True, is_starter=False, minutes=None) | dict.fromkeys(BOX_COUNTS, 0),
            line(1, "0022100002", team_abbr="LAL"),
        ],
        players=[player(1, player_name="Ron Artest", birth_date=None)],
        shots=[shot(player_id=1, game_id="0022100002", team_abbr="LAL")],
    )
    load(games=games, players=[player(1, player_name="Metta World Peace")])
    found = warehouse.query(
        "select player_lookup, count(*) as lines from nba_raw.player_registry "
        "inner join nba_raw.player_box_scores using (player_id) where player_id = 1 group by all"
    )
    assert found.to_pylist() == [{"player_lookup": "ronartest", "lines": 2}]


def test_the_seasons_follow_each_other() -> None:
    with (REPOSITORY / "seeds" / "seasons.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["season"] for row in rows][::29] == ["1996-97", "2025-26"]
    assert [row["season"] for row in rows[1:]] == [season_after(row["season"]) for row in rows[:-1]]
    days = [row[name] for row in rows for name in ("first_date", "regular_season_end", "last_date")]
    assert days == sorted(set(days))
    # The lockouts of 1998 and 2011, the bubble of 2020 and the winter after it.
    late = {row["season"] for row in rows if row["first_date"][5:7] not in ("10", "11")}
    assert late == {"1998-99", "2011-12", "2020-21"}
    assert {row["season"] for row in rows if row["last_date"][5:7] > "06"} == {"2019-20", "2020-21"}
