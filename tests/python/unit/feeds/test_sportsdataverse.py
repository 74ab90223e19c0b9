"""The tables of sportsdataverse become lines, shots and games."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from python_workers.feeds.feed import find_feed
from tests.python.support.feed_folder import Folder, refusal
from tests.python.support.folders import SAMPLES


def espn_line(**values: object) -> dict[str, object]:
    return {
        "game_id": 401360000,
        "season": 2022,
        "season_type": 2,
        "game_date": "2022-01-26",
        "athlete_id": 11,
        "athlete_display_name": "One",
        "team_abbreviation": "GS",
        "home_away": "home",
        "team_score": 100,
        "opponent_team_score": 90,
        "opponent_team_abbreviation": "UTAH",
        "minutes": 34.0,
        "starter": True,
        "did_not_play": False,
        "plus_minus": "+5",
        "points": 3,
        **dict.fromkeys(
            (
                "field_goals_made",
                "field_goals_attempted",
                "three_point_field_goals_made",
                "three_point_field_goals_attempted",
                "free_throws_made",
                "free_throws_attempted",
                "offensive_rebounds",
                "defensive_rebounds",
                "assists",
                "steals",
                "blocks",
                "turnovers",
                "fouls",
            ),
            1,
        ),
        **values,
    }


def espn_play(**values: object) -> dict[str, object]:
    return {
        "game_id": 401360000,
        "id": 4013600001234,
        "type_text": "Jump Shot",
        "text": "One makes 26-foot three point jumper (Two assists)",
        "period_number": 1,
        "clock_display_value": "11:05",
        "scoring_play": True,
        "shooting_play": True,
        "score_value": 3,
        "athlete_id_1": 11,
        "athlete_id_2": 12,
        "coordinate_x": -16.75,
        "coordinate_y": 7.0,
        **values,
    }


def test_the_tables_of_sportsdataverse(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "sportsdataverse")
    pd.DataFrame(
        [
            espn_line(),
            espn_line(athlete_id=12, athlete_display_name="Two", minutes=None, did_not_play=True),
            # He played, but the source does not say how long.
            espn_line(athlete_id=13, athlete_display_name="Three", minutes=0.0, points=7),
        ]
    ).to_parquet(folder.files / "player_box_2022.parquet")
    plays = [
        espn_play(),
        espn_play(
            id=2,
            coordinate_x=-214748340.0,
            text="One misses layup",
            scoring_play=False,
            score_value=0,
        ),
        espn_play(id=3, type_text="Free Throw - 1 of 2", score_value=1),
    ]
    pd.DataFrame(plays).to_parquet(folder.files / "play_by_play_2022.parquet")
    folder.convert()
    columns = "game_id, season, home_team_abbr, away_team_abbr, home_score, away_score, status"
    assert folder.rows("games", columns) == [
        ("E401360000", "2021-22", "GSW", "UTA", 100, 90, "final")
    ]
    columns = "player_id, is_dnp, minutes, plus_minus, points"
    assert folder.rows("player_box_scores", columns, "order by 1") == [
        (11, False, 34, 5, 3),
        (12, True, None, None, 3),
        (13, False, None, 5, 7),
    ]
    columns = (
        "event_number, clock_seconds, team_abbr, shot_value, is_made, assist_player_id, loc_x, "
        "loc_y, shot_distance_ft"
    )
    assert folder.rows("shots", columns, "order by 1") == [
        (2, 665.0, "GSW", 2, False, None, None, None, None),
        (4013600001234, 665.0, "GSW", 3, True, 12, 70.0, 250.0, 26.0),
    ]


def espn_game(game: int, home: str, **values: object) -> dict[str, object]:
    return {
        "game_id": game,
        "season": 2024,
        "season_type": 2,
        "game_date": "2023-12-09",
        "status_type_completed": True,
        "home_abbreviation": home,
        "away_abbreviation": "IND",
        "home_score": 123,
        "away_score": 109,
        "neutral_site": True,
        "notes_headline": None,
        **values,
    }


def test_espn_s_all_star_game_and_cup_final_count_for_no_season(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "sportsdataverse")
    games = [
        espn_game(401600001, "LAL"),
        espn_game(401600002, "LAL", notes_headline="In-Season Tournament - Championship"),
        espn_game(401600003, "EAST"),
        espn_game(401600004, "LAL", season_type=3, notes_headline="NBA Finals - Game 1"),
        espn_game(401600005, "RMA", season_type=1),
    ]
    pd.DataFrame(games).to_parquet(folder.files / "schedule_2024.parquet")
    line = {"season": 2024, "game_date": "2023-12-09", "starter": None}
    lines = [
        espn_line(game_id=game["game_id"], team_abbreviation=game["home_abbreviation"], **line)
        for game in games
    ]
    pd.DataFrame(lines).to_parquet(folder.files / "player_box_2024.parquet")
    done = folder.convert()
    assert done.excluded == {"All-Star": 1, "Cup final": 1, "preseason": 1}
    kept = [("E401600001", "regular"), ("E401600004", "playoffs")]
    assert folder.rows("games", "game_id, season_type", "order by 1") == kept
    assert folder.rows("player_box_scores", "game_id, is_starter", "order by 1") == [
        ("E401600001", False),
        ("E401600004", False),
    ]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="no descriptions of the public sources here")
def test_sportsdataverse_needs_columns_that_the_source_has() -> None:
    facts = (SAMPLES.parent / "README.md").read_text()
    described = facts[facts.index("## sportsdataverse") : facts.index("## Public dumps")]
    columns = set(re.findall(r"\w+", described.replace("field_goals_made/", "field_goals_made, ")))
    # Written there with an ellipsis.
    columns |= {
        f"{kind}_{what}"
        for kind in ("field_goals", "three_point_field_goals", "free_throws")
        for what in ("made", "attempted")
    }
    for source in find_feed("sportsdataverse").sources:
        assert set(source.needs) <= columns, source.name


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([espn_play(shooting_play="yes")], "'yes (neither true nor false)'"),
        ([espn_play(scoring_play="made")], "'made (neither true nor false)'"),
        ([espn_line(did_not_play="x")], "'x (neither true nor false)'"),
        ([espn_line(starter="x")], "'x (neither true nor false)'"),
        ([espn_line(home_away="neutral")], "'neutral (neither home nor away)'"),
        ([espn_game(401600001, "LAL", status_type_completed="?")], "'? (neither true nor false)'"),
    ],
)
def test_an_unknown_flag_of_espn_is_refused_with_its_file(
    tmp_path: Path, rows: list[dict[str, object]], expected: str
) -> None:
    folder = Folder(tmp_path, "sportsdataverse")
    pd.DataFrame(rows).to_parquet(folder.files / "rows.parquet")
    said = refusal(folder)
    assert expected in said
    assert "rows.parquet" in said


def test_a_final_game_of_espn_counts_more_than_an_earlier_schedule(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "sportsdataverse")
    planned = {"status_type_completed": False, "home_score": 0, "away_score": 0}
    games = [
        espn_game(401600001, "GS", **planned),
        espn_game(401600002, "GS", **planned, notes_headline="NBA Cup - Championship"),
    ]
    pd.DataFrame(games).to_parquet(folder.files / "schedule.parquet")
    lines = [
        espn_line(game_id=game, season=2024, game_date="2023-12-09", home_away=side, **values)
        for game in (401600001, 401600002)
        for side, values in (
            ("Home", {"opponent_team_abbreviation": "IND"}),
            (
                "away",
                {
                    "athlete_id": 12,
                    "team_abbreviation": "IND",
                    "team_score": 90,
                    "opponent_team_abbreviation": "GS",
                },
            ),
        )
    ]
    # The rows of a team may be a file.
    for number in (0, 1):
        frame = pd.DataFrame(lines[number::2]).drop(columns="opponent_team_score")
        frame.to_parquet(folder.files / f"player_box_{number}.parquet")
    done = folder.convert()
    columns = "game_id, home_team_abbr, home_score, away_score, status"
    assert folder.rows("games", columns) == [("E401600001", "GSW", 100, 90, "final")]
    assert done.excluded == {"Cup final": 1}
