"""Dumps of shots and play-by-plays become shots."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd

from tests.python.support.feed_answers import (
    CHART,
    action,
    chart_line,
    play_by_play,
    schedule,
    scheduled_game,
    write_json,
)
from tests.python.support.feed_folder import Folder, refusal


def test_dumps_get_back_the_leading_zeros_of_their_ids(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "nba_dump")
    chart = pd.DataFrame([chart_line(7, GAME_ID=22100732)], columns=CHART)
    chart.to_csv(folder.files / "shotdetail_2021.csv", index=False)
    actions = [
        action(
            7, description="One 15' Jump Shot (2 PTS) (Two 1 AST)", scoreHome="0", scoreAway="2"
        ),
        action(
            8,
            isFieldGoal=0,
            shotResult="",
            subType="end",
            scoreHome="112",
            scoreAway="132",
            description="Game End",
        ),
    ]
    plays = pd.DataFrame(actions).drop(columns="shotValue").assign(gameId=22100732)
    with gzip.open(folder.files / "nbastatsv3_2021.csv.gz", "wt") as file:
        plays.to_csv(file, index=False)
    done = folder.convert()
    assert folder.rows("games", "game_id, game_date::varchar, home_score, away_score") == [
        ("0022100732", "2022-01-26", 112, 132)
    ]
    assert folder.rows("shots", "game_id, event_number, is_assisted") == [("0022100732", 7, True)]
    assert {table.table for table in done.tables} == {"games", "players", "shots"}


def dumped_shot(**values: object) -> dict[str, object]:
    """Return a line of NBA_YYYY_Shots.csv: the shot of `chart_line`."""
    return {
        "SEASON_1": 2022,
        "TEAM_ID": 1610612742,
        "PLAYER_ID": 1,
        "PLAYER_NAME": "Player 1",
        "GAME_DATE": "01-26-2022",
        "GAME_ID": 22100732,
        "HOME_TEAM": "POR",
        "AWAY_TEAM": "DAL",
        "EVENT_TYPE": "Made Shot",
        "SHOT_MADE": True,
        "SHOT_TYPE": "2PT Field Goal",
        "BASIC_ZONE": "Mid-Range",
        "LOC_X": -1.0,
        "LOC_Y": 20.25,
        "SHOT_DISTANCE": 15,
        "QUARTER": 1,
        "MINS_LEFT": 11,
        "SECS_LEFT": 5,
        **values,
    }


DUMPED = (
    "event_number, clock_seconds, team_abbr, shot_value, is_made, is_assisted, zone_basic, "
    "loc_x, loc_y, shot_distance_ft"
)


def test_a_dump_of_shots_without_numbers_has_the_court_of_the_league(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "nba_dump")
    shots = [dumped_shot(SECS_LEFT=1, SHOT_MADE=False), dumped_shot()]
    pd.DataFrame(shots).to_csv(folder.files / "NBA_2022_Shots.csv", index=False)
    done = folder.convert()
    assert folder.rows("shots", DUMPED, "order by 1") == [
        (1, 665.0, "DAL", 2, True, None, "Mid-Range", 10.0, 150.0, 15.0),
        (2, 661.0, "DAL", 2, False, None, "Mid-Range", 10.0, 150.0, 15.0),
    ]
    # A load refuses a final game without a score.
    assert not (folder.raw / "games").exists()
    assert done.warnings == (
        "final games whose score is in no file are left out: 0022100732 (NBA_2022_Shots.csv)",
        "shots has rows of 1 game that no file has as a game: 0022100732",
    )
    write_json(folder.files / "schedule.json", schedule(scheduled_game("0022100732")))
    assert folder.convert().warnings == ()
    assert folder.rows("games", "home_score, away_score") == [(112, 132)]


def test_a_dump_of_shots_labels_those_of_the_play_by_play(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "nba_dump")
    # Two misses in one second, and a shot that the play-by-play lacks.
    missed = {"SECS_LEFT": 1, "SHOT_MADE": False}
    shots = [
        dumped_shot(),
        dumped_shot(**missed, BASIC_ZONE="Restricted Area", LOC_Y=5.25, LOC_X=-0.1),
        dumped_shot(**missed, BASIC_ZONE="Restricted Area", LOC_Y=5.25, LOC_X=-0.3),
        dumped_shot(PLAYER_ID=9),
    ]
    pd.DataFrame(shots).to_csv(folder.files / "NBA_2022_Shots.csv", index=False)
    tips = [
        action(number, clock="PT11M01.40S", shotResult="Missed", description="MISS One Tip")
        for number in (11, 12)
    ]
    made = action(7, description="One 15' Jump Shot (2 PTS) (Two 1 AST)")
    # A repeated line is no other shot.
    write_json(folder.files / "plays.json", play_by_play(made, *tips, *tips))
    folder.convert()
    assert folder.rows("shots", "event_number, is_assisted, zone_basic, loc_x", "order by 1") == [
        (7, True, "Mid-Range", 10.0),
        (11, False, "Restricted Area", 1.0),
        (12, False, "Restricted Area", 3.0),
    ]
    # If the game has a chart, the dump of shots adds nothing.
    chart = pd.DataFrame([chart_line(7, SHOT_ZONE_BASIC="Restricted Area")], columns=CHART)
    chart.to_csv(folder.files / "shotdetail_2021.csv", index=False)
    folder.convert()
    zones = folder.rows("shots", "event_number, zone_basic", "order by 1")
    assert zones == [(7, "Restricted Area"), (11, None), (12, None)]


def test_a_dump_of_shots_may_be_cut_between_the_shots_of_a_game(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "nba_dump")
    missed = dumped_shot(SECS_LEFT=1, SHOT_MADE=False)
    shots = [dumped_shot(), missed, missed, dumped_shot(SECS_LEFT=0, PLAYER_ID=9)]
    pd.DataFrame(shots[:3]).to_csv(folder.files / "NBA_2022_Shots_1.csv", index=False)
    # The second part repeats lines of the first and corrects a place.
    again = [missed, missed, {**shots[0], "LOC_X": -2.0}, shots[3]]
    pd.DataFrame(again).to_csv(folder.files / "NBA_2022_Shots_2.csv", index=False)
    done = folder.convert()
    assert folder.rows("shots", "event_number, player_id, is_made, loc_x", "order by 1") == [
        (1, 1, True, 20.0),
        (2, 1, False, 10.0),
        (3, 1, False, 10.0),
        (4, 9, True, 10.0),
    ]
    assert (
        "shots: rows on which files contradict each other: 1; the later file counts "
        "(0022100732, 1: NBA_2022_Shots_1.csv, NBA_2022_Shots_2.csv)"
    ) in done.warnings


def test_a_dump_that_repeats_its_shots_is_refused(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "nba_dump")
    shots = [dumped_shot(), dumped_shot(SECS_LEFT=1, SHOT_MADE=False)]
    pd.DataFrame(shots).to_csv(folder.files / "1.csv", index=False)
    pd.DataFrame(shots * 2).to_csv(folder.files / "2.csv", index=False)
    said = refusal(folder)
    assert "a made shot is there twice: 0022100732" in said
    assert "the rows of 2.csv" in said
