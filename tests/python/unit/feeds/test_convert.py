"""Feeds convert files of public sources to the raw format, or a message says why not."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from python_workers.errors import BackcourtError
from python_workers.feeds.convert import Conversion, convert
from python_workers.feeds.feed import find_feed, shipped_feeds
from tests.python.support.feed_answers import (
    BOX_V2,
    CHART,
    action,
    box_line_v2,
    chart_line,
    play_by_play,
    result_sets,
    schedule,
    scheduled_game,
    write_json,
)
from tests.python.support.folders import REPOSITORY

SAMPLES = REPOSITORY.parent / "shared" / "feeds" / "samples"
REAL = REPOSITORY.parent / "shared" / "data" / "nba"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="no recorded answers here")


class Folder:
    """A folder with files of a feed, and the raw files that they are converted to."""

    def __init__(self, path: Path, feed: str = "nba_api") -> None:
        self.files, self.raw, self._feed = path / "files", path / "raw", feed
        self.files.mkdir()

    def convert(self, files: Path | None = None) -> Conversion:
        return convert(find_feed(self._feed), files or self.files, self.raw)

    def rows(self, table: str, columns: str = "*", rest: str = "") -> list[tuple[Any, ...]]:
        path = self.raw / table / f"{Path(self._feed).name}.parquet"
        return duckdb.sql(f"select {columns} from '{path}' {rest}").fetchall()

    def game(self) -> None:
        write_json(self.files / "schedule.json", schedule(scheduled_game("0022100732")))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def refusal(folder: Folder) -> str:
    with pytest.raises(BackcourtError) as caught:
        folder.convert()
    assert not folder.raw.exists()
    return caught.value.render()


@needs_samples
@pytest.mark.parametrize(
    ("feed", "sample", "game", "points", "attempts"),
    [
        ("nba_live", "nba_live", "0022000001", {"BKN": 125, "GSW": 99}, 191),
        ("nba_api", "nba_api_v2", "0022100732", {"DAL": 132, "POR": 112}, 170),
        ("nba_api", "nba_api_v3", "0022200552", {"CLE": 145, "CHI": 134}, 187),
    ],
)
def test_points_of_shots_and_free_throws_are_those_of_the_box_score(
    tmp_path: Path, feed: str, sample: str, game: str, points: dict[str, int], attempts: int
) -> None:
    folder = Folder(tmp_path, feed)
    folder.convert(SAMPLES / sample)
    of_game = f"where game_id = '{game}'"
    box = folder.rows("player_box_scores", "team_abbr, sum(points)", f"{of_game} group by all")
    assert dict(box) == points
    shots = folder.rows(
        "shots", "team_abbr, sum(shot_value) filter (where is_made)", f"{of_game} group by all"
    )
    free_throws = folder.rows("player_box_scores", "team_abbr, sum(ftm)", f"{of_game} group by all")
    assert {team: dict(shots)[team] + dict(free_throws)[team] for team in points} == points
    assert folder.rows("shots", "count(*)", of_game) == [(attempts,)]
    assert folder.rows("player_box_scores", "sum(fga)", of_game) == [(attempts,)]


@needs_samples
@pytest.mark.skipif(not REAL.is_dir(), reason="no real seasons here")
def test_a_real_box_score_equals_that_of_the_season(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.convert(SAMPLES / "nba_api_v3")
    columns = (
        "player_id, team_abbr, is_starter, is_dnp, points, fgm, fga, fg3m, fg3a, ftm, fta, oreb, "
        "dreb, ast, stl, blk, tov, pf"
    )
    mine = folder.rows("player_box_scores", columns, "order by player_id")
    dressed = ", ".join(str(row[0]) for row in mine)
    assert len(mine) == 23
    assert (
        mine
        == duckdb.sql(
            f"select {columns} from '{REAL}/player_box_scores/2022_23.parquet' "
            f"where game_id = '0022200552' and player_id in ({dressed}) order by player_id"
        ).fetchall()
    )
    assisted = "count(*) filter (where is_assisted), count(*) filter (where is_made)"
    assert folder.rows("shots", assisted, "where game_id = '0022200552'") == [(49, 95)]


def test_result_sets_become_lines_and_the_inactive_are_listed(folder: Folder) -> None:
    folder.game()
    lines = [
        box_line_v2(1, "28:12", START_POSITION="F", PTS=11, FGM=4, FGA=7),
        box_line_v2(2, None, COMMENT="DNP - Coach's Decision "),
    ]
    write_json(folder.files / "box.json", result_sets(PlayerStats=(BOX_V2, lines)))
    inactive = (
        ["PLAYER_ID", "FIRST_NAME", "LAST_NAME", "TEAM_ID", "TEAM_ABBREVIATION"],
        [[3, "C", "D", 9, "DAL"]],
    )
    write_json(
        folder.files / "summary.json",
        result_sets({"GameID": "0022100732"}, InactivePlayers=inactive),
    )
    folder.convert()
    columns = "player_id, is_starter, is_dnp, minutes, points, dnp_reason"
    assert folder.rows("player_box_scores", columns, "order by 1") == [
        (1, True, False, "28:12", 11, None),
        (2, False, True, None, None, "DNP - Coach's Decision"),
        (3, False, True, None, None, "Inactive"),
    ]


def test_a_player_whom_both_teams_list_has_the_line_that_he_played(folder: Folder) -> None:
    folder.game()
    lines = [
        box_line_v2(1, None, TEAM_ABBREVIATION="DAL"),
        box_line_v2(1, "28:12", TEAM_ABBREVIATION="POR"),
        box_line_v2(2, None, TEAM_ABBREVIATION="POR"),
        box_line_v2(2, None, TEAM_ABBREVIATION="DAL"),
    ]
    write_json(folder.files / "box.json", result_sets(PlayerStats=(BOX_V2, lines)))
    chart = result_sets(Shot_Chart_Detail=(CHART, [chart_line(7)]))
    write_json(folder.files / "chart.json", chart)
    assert folder.convert().warnings == ()
    listed = folder.rows("player_box_scores", "player_id, team_abbr, is_dnp", "order by 1")
    assert listed == [(1, "POR", False), (2, "DAL", True)]
    assert folder.rows("shots", "event_number, team_abbr") == [(7, "POR")]


def test_a_late_game_keeps_its_evening_and_others_are_left_out(folder: Folder) -> None:
    unknown = {"teamTricode": "", "score": 0}
    write_json(
        folder.files / "schedule.json",
        schedule(
            scheduled_game("0022100732"),
            scheduled_game("0022100733", gameStatus=1, postponedStatus="A"),
            scheduled_game("0022100734", gameStatus=1, gameStatusText="PPD"),
            scheduled_game("0022100735", gameStatus=1, homeTeam=unknown, awayTeam=unknown),
            scheduled_game("0012100001"),
            scheduled_game("0032100001"),
            scheduled_game("0062300001"),
            scheduled_game("0052100101"),
        ),
    )
    write_json(folder.files / "pbp.json", play_by_play(action(7), game_id="0062300001"))
    done = folder.convert()
    columns = "game_id, season, season_type, game_date::varchar, home_score, status"
    assert folder.rows("games", columns, "order by 1") == [
        ("0022100732", "2021-22", "regular", "2022-01-26", 112, "final"),
        ("0022100733", "2021-22", "regular", "2022-01-26", None, "scheduled"),
        ("0022100734", "2021-22", "regular", "2022-01-26", None, "postponed"),
        ("0052100101", "2021-22", "play_in", "2022-01-26", 112, "final"),
    ]
    assert done.excluded == {"All-Star": 1, "Cup final": 1, "preseason": 1}
    assert done.warnings == ("games without teams yet are left out: 0022100735 (schedule.json)",)
    assert [table.table for table in done.tables] == ["games"]


def test_the_play_by_play_gives_assists_blocks_and_missed_shots(folder: Folder) -> None:
    folder.game()
    write_json(
        folder.files / "a_pbp.json",
        play_by_play(
            action(7, description="One 15' Jump Shot (2 PTS) (Vucevic 1 AST)"),
            action(9, description="One 26' 3PT Jump Shot (5 PTS) (Twin 1 AST)", shotValue=0),
            action(11, shotResult="Missed", description="MISS One 1' Layup", shotDistance=0),
            action(
                11,
                actionId=99,
                isFieldGoal=0,
                shotResult="",
                personId=8,
                playerName="Block",
                teamTricode="POR",
                description="Block BLOCK (1 BLK)",
            ),
            action(13, personId=2, playerName="Vučević", description="Vucevic 2' Dunk (2 PTS)"),
            action(14, personId=3, playerName="Twin", description="Twin 2' Dunk (2 PTS)"),
            action(15, personId=4, playerName="Twin", description="Twin 2' Dunk (2 PTS)"),
            action(16, isFieldGoal=0, shotResult="", description="One Free Throw 1 of 2 (1 PTS)"),
        ),
    )
    # By default the site's chart has only made shots.
    chart = [chart_line(7, LOC_X=12), chart_line(9, SHOT_TYPE="3PT Field Goal")]
    write_json(folder.files / "chart.json", result_sets(Shot_Chart_Detail=(CHART, chart)))
    folder.convert()
    columns = (
        "event_number, shot_value, is_made, is_assisted, assist_player_id, block_player_id, loc_x, "
        "zone_basic, shot_distance_ft"
    )
    assert folder.rows("shots", columns, "order by 1") == [
        (7, 2, True, True, 2, None, 12.0, "Mid-Range", 15.0),
        (9, 3, True, True, None, None, 10.0, "Mid-Range", 15.0),
        (11, 2, False, False, None, 8, 10.0, None, 15.0),
        (13, 2, True, False, None, None, 10.0, None, 15.0),
        (14, 2, True, False, None, None, 10.0, None, 15.0),
        (15, 2, True, False, None, None, 10.0, None, 15.0),
    ]


def test_without_a_play_by_play_assists_are_unknown(folder: Folder) -> None:
    folder.game()
    write_json(folder.files / "chart.json", result_sets(Shot_Chart_Detail=(CHART, [chart_line(7)])))
    done = folder.convert()
    assert folder.rows("shots", "is_assisted, team_abbr") == [(None, "DAL")]
    assert "is_assisted" in {table.table: table for table in done.tables}["shots"].empty_columns


def test_two_shots_under_one_number_stay_two(folder: Folder) -> None:
    write_json(folder.files / "pbp.json", play_by_play(action(7), action(7, actionId=30)))
    folder.convert()
    assert folder.rows("shots", "count(distinct event_number)") == [(2,)]


def test_the_later_file_counts_and_a_warning_says_so(folder: Folder) -> None:
    write_json(folder.files / "2.json", schedule(scheduled_game("0022100732")))
    other = {"teamTricode": "POR", "score": 113}
    write_json(folder.files / "10.json", schedule(scheduled_game("0022100732", homeTeam=other)))
    write_json(folder.files / "99.json", schedule(scheduled_game("0022100732", gameStatus=1)))
    done = folder.convert()
    assert folder.rows("games", "home_score, status") == [(112, "final")]
    assert done.warnings == (
        (
            "games: rows on which files contradict each other: 1; the later file counts "
            "(0022100732: 10.json, 2.json)"
        ),
    )


def test_two_rows_of_one_file_that_contradict_each_other_end_the_conversion(
    folder: Folder,
) -> None:
    folder.game()
    lines = [box_line_v2(1, "28:12", AST=2), box_line_v2(1, "28:12", AST=3)]
    box = result_sets(PlayerStats=(BOX_V2, lines))
    write_json(folder.files / "box.json", box)
    assert "box.json: player_box_scores: rows share their key (game_id, player_id)" in refusal(
        folder
    )
    # The same row twice is one.
    write_json(folder.files / "box.json", result_sets(PlayerStats=(BOX_V2, lines[:1] * 2)))
    chart = [chart_line(7, LOC_X=10), chart_line(7, LOC_X=11)]
    write_json(folder.files / "chart.json", result_sets(Shot_Chart_Detail=(CHART, chart)))
    assert "chart.json: shots: rows share their key (game_id, event_number)" in refusal(folder)


def test_the_same_answers_in_two_files_are_one(folder: Folder) -> None:
    folder.game()
    for name in ("1", "2"):
        write_json(folder.files / name / "plays.json", play_by_play(action(7), action(8)))
        chart = result_sets(Shot_Chart_Detail=(CHART, [chart_line(7), chart_line(8)]))
        write_json(folder.files / name / "chart.json", chart)
    assert folder.convert().warnings == ()
    assert folder.rows("shots", "event_number, is_assisted", "order by 1") == [
        (7, False),
        (8, False),
    ]
    other = result_sets(Shot_Chart_Detail=(CHART, [chart_line(7, LOC_X=11), chart_line(8)]))
    write_json(folder.files / "3.json", other)
    assert folder.convert().warnings == (
        (
            "shots: rows on which files contradict each other: 1; the later file counts "
            "(0022100732, 7: 1/chart.json, 2/chart.json, 3.json)"
        ),
    )
    assert folder.rows("shots", "loc_x", "order by event_number") == [(11.0,), (10.0,)]


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


def test_long_play_by_plays_fit_the_memory(folder: Folder) -> None:
    plays = [action(number, description=f"{'x' * 600} (2 PTS)") for number in range(600)]
    for game in range(8):
        write_json(folder.files / f"{game}.json", play_by_play(*plays, game_id=f"002210000{game}"))
    folder.convert()
    assert folder.rows("shots", "count(*), count(distinct game_id)") == [(8 * 600, 8)]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.json", "<html>Access denied</html>", "a.json is HTML"),
        ("a.json", '{"game": {"gameId"', "a.json is no JSON"),
        ("a.json", b"\xff\xfe{\x00", "a.json is not UTF-8 text"),
        ("a.parquet", "no Parquet", "a.parquet cannot be read"),
        ("a.json", "{}", "no file that the feed nba_api reads"),
        ("a.txt", "nothing", "no file that the feed nba_api reads"),
    ],
)
def test_a_file_that_is_no_answer_is_named(
    folder: Folder, name: str, text: str | bytes, expected: str
) -> None:
    content = text if isinstance(text, bytes) else text.encode()
    (folder.files / name).write_bytes(content)
    assert expected in refusal(folder)


def test_a_changed_column_is_named(folder: Folder) -> None:
    headers = ["MINUTES" if name == "MIN" else name for name in BOX_V2]
    write_json(
        folder.files / "box.json", result_sets(PlayerStats=(headers, [box_line_v2(1, "28:12")]))
    )
    assert "box.json: PlayerStats has no MIN" in refusal(folder)
    renamed = [
        {("person" if key == "personId" else key): value for key, value in action(7).items()}
    ]
    write_json(folder.files / "box.json", play_by_play(*renamed))
    assert "box.json: game.actions has no personId" in refusal(folder)


def test_a_play_by_play_of_another_feed_is_named(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "nba_live")
    write_json(folder.files / "plays.json", play_by_play(action(7, actionType="Made Shot")))
    said = refusal(folder)
    assert "plays.json: game.actions has no orderNumber" in said
    assert "One of the feeds nba_api, nba_dump may read such files." in said
    # No dump has box scores.
    write_json(
        folder.files / "box.json", result_sets(PlayerStats=(BOX_V2, [box_line_v2(1, "1:00")]))
    )
    assert "The feed nba_api reads such files." in refusal(folder)


def test_unknown_files_are_named_and_hidden_ones_are_not(folder: Folder) -> None:
    folder.game()
    write_json(folder.files / "other.json", {"players": []})
    write_json(folder.files / ".hidden" / "other.json", {"players": []})
    assert folder.convert().warnings == ("of no kind that nba_api reads: other.json",)


def test_every_shipped_feed_says_what_it_lacks() -> None:
    names = [feed.name for feed in shipped_feeds()]
    assert names == ["nba_api", "nba_dump", "nba_live", "sportsdataverse"]
    feeds: Sequence[Path] = [REPOSITORY / "python_workers" / "feeds" / name for name in names]
    assert all("lacks" in (path / "README.md").read_text() for path in feeds)
    with pytest.raises(BackcourtError, match="is not a feed"):
        find_feed("nothing")


def test_the_same_files_give_the_same_bytes(folder: Folder) -> None:
    folder.game()
    shots = [action(number) for number in range(1, 400)]
    (folder.files / "pbp.json").write_text(json.dumps(play_by_play(*shots)))
    folder.convert()
    first = [path.read_bytes() for path in sorted(folder.raw.rglob("*.parquet"))]
    folder.convert()
    assert [path.read_bytes() for path in sorted(folder.raw.rglob("*.parquet"))] == first


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


def test_a_corrected_play_by_play_replaces_the_former_one(folder: Folder) -> None:
    last = action(9, isFieldGoal=0, shotResult="")
    write_json(folder.files / "1.json", play_by_play(action(7), action(8), last))
    # It lacks a shot, and another has its number.
    moved = action(8, actionId=8, xLegacy=20)
    write_json(folder.files / "2.json", play_by_play(moved, last))
    write_json(folder.files / "0.json", play_by_play(action(1), action(8), last))
    folder.convert()
    assert folder.rows("shots", "event_number, loc_x", "order by 1") == [(1, 10.0), (8, 20.0)]


def test_a_play_by_play_may_be_cut_and_repeat_its_lines(folder: Folder) -> None:
    shots = [{"gameId": "0022100732", **action(number)} for number in (7, 8, 9)]
    pd.DataFrame([*shots[:2], *shots[:2]]).to_csv(folder.files / "1.csv", index=False)
    pd.DataFrame(shots[2:]).to_csv(folder.files / "2.csv", index=False)
    write_json(folder.files / "chart.json", result_sets(Shot_Chart_Detail=(CHART, [chart_line(7)])))
    folder.convert()
    assert folder.rows("shots", "event_number, zone_basic", "order by 1") == [
        (7, "Mid-Range"),
        (8, None),
        (9, None),
    ]


def live_game(**of_player: object) -> dict[str, object]:
    """Return a box score of the live feed with one player."""
    player = {
        "personId": 1,
        "name": "One",
        "starter": "1",
        "played": "1",
        "statistics": {
            "minutes": "PT34M12.00S",
            **dict.fromkeys(
                (
                    *("fieldGoalsMade", "fieldGoalsAttempted", "threePointersMade"),
                    *("threePointersAttempted", "freeThrowsMade", "freeThrowsAttempted"),
                    *("reboundsOffensive", "reboundsDefensive", "assists", "steals", "blocks"),
                    *("turnovers", "foulsPersonal", "points"),
                ),
                0,
            ),
        },
        **of_player,
    }
    home = {"teamTricode": "POR", "score": 112, "players": [player]}
    away = {"teamTricode": "DAL", "score": 132, "players": []}
    game = {"gameId": "0022100732", "gameEt": "2022-01-26T22:00:00Z", "gameStatus": 3}
    return {"game": {**game, "homeTeam": home, "awayTeam": away}}


def live_plays(*actions: dict[str, Any]) -> dict[str, object]:
    orders = [
        {**each, "orderNumber": 10 * each["actionNumber"], "actionType": "2pt"} for each in actions
    ]
    return play_by_play(*orders)


def test_a_corrected_play_by_play_of_the_live_feed_replaces_the_former_one(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "nba_live")
    write_json(folder.files / "1.json", live_plays(action(6), action(7), action(8), action(9)))
    write_json(folder.files / "2.json", live_plays(action(7), action(9)))
    folder.convert()
    assert folder.rows("shots", "event_number", "order by 1") == [(6,), (7,), (9,)]


def test_flags_may_be_numbers_or_words(tmp_path: Path) -> None:
    words = (1, True, "TRUE ", "1.0")
    live = Folder(tmp_path, "nba_live")
    shots = [action(number, isFieldGoal=word) for number, word in enumerate(words)]
    other = action(9, isFieldGoal="False", shotResult=None)
    write_json(live.files / "plays.json", live_plays(*shots, other))
    write_json(live.files / "box.json", live_game(starter=False, played=True))
    live.convert()
    assert live.rows("shots", "count(*)") == [(4,)]
    columns = "is_starter, is_dnp, minutes"
    assert live.rows("player_box_scores", columns) == [(False, False, "PT34M12.00S")]
    (tmp_path / "api").mkdir()
    api = Folder(tmp_path / "api")
    shots[1]["shotResult"] = " missed"
    write_json(api.files / "plays.json", play_by_play(*shots, other))
    api.convert()
    assert api.rows("shots", "is_made", "order by event_number") == [
        (True,),
        (False,),
        (True,),
        (True,),
    ]


@pytest.mark.parametrize(
    ("feed", "answer", "expected"),
    [
        ("nba_api", play_by_play(action(7, isFieldGoal="Y")), "'Y (neither true nor false)'"),
        ("nba_api", play_by_play(action(7, shotResult="in")), "'in (neither made nor missed)'"),
        ("nba_api", play_by_play(action(7, shotResult=""), action(8)), "is_made must not be empty"),
        ("nba_live", live_plays(action(7, isFieldGoal="yes")), "'yes (neither true nor false)'"),
        ("nba_live", live_plays(action(7, shotResult="no")), "'no (neither made nor missed)'"),
        ("nba_live", live_game(played="y"), "'y (neither true nor false)'"),
        ("nba_live", live_game(starter="2"), "'2 (neither true nor false)'"),
    ],
)
def test_an_unknown_flag_is_refused_with_its_file(
    tmp_path: Path, feed: str, answer: object, expected: str
) -> None:
    folder = Folder(tmp_path, feed)
    write_json(folder.files / "answer.json", answer)
    said = refusal(folder)
    assert expected in said
    assert "answer.json" in said


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


LOG = ("SEASON_ID", "GAME_ID", "GAME_DATE", "MATCHUP", "TEAM_ABBREVIATION", "WL", "PTS")


def logged_team(team: str, points: int, **values: object) -> list[object]:
    """Return a team's row of LeagueGameLog."""
    row = {
        "SEASON_ID": "22021",
        "GAME_ID": "0022100732",
        "GAME_DATE": "2022-01-26",
        "MATCHUP": "DAL @ POR" if team == "DAL" else "POR vs. DAL",
        "TEAM_ABBREVIATION": team,
        "WL": "W" if team == "DAL" else "L",
        "PTS": points,
        **values,
    }
    return [row[name] for name in LOG]


def test_a_log_may_be_cut_between_the_teams_of_a_game(folder: Folder) -> None:
    def log(*rows: list[object]) -> dict[str, object]:
        return result_sets(LeagueGameLog=(LOG, rows))

    columns = "home_team_abbr, home_score, away_score, status"
    write_json(folder.files / "1.json", log(logged_team("DAL", 132), logged_team("DAL", 132)))
    with pytest.raises(BackcourtError):
        folder.convert()
    write_json(folder.files / "2.json", log(logged_team("POR", 112)))
    assert folder.convert().warnings == ()
    assert folder.rows("games", columns) == [("POR", 112, 132, "final")]
    write_json(folder.files / "3.json", log(logged_team("DAL", 133)))
    assert folder.convert().warnings == (
        (
            "games: rows on which files contradict each other: 1; the later file counts "
            "(0022100732: 2.json, 3.json)"
        ),
    )
    assert folder.rows("games", columns) == [("POR", 112, 133, "final")]
    write_json(folder.files / "4.json", log(logged_team("POR", 1), logged_team("POR", 2)))
    assert "4.json: games: rows share their key (game_id)" in refusal_after(folder)
    write_json(folder.files / "4.json", log(logged_team("POR", 113, WL="won")))
    assert "'won (neither w nor l)'" in refusal_after(folder)


def refusal_after(folder: Folder) -> str:
    """Return the refusal of a folder of which there is an earlier conversion."""
    with pytest.raises(BackcourtError) as caught:
        folder.convert()
    return caught.value.render()


def test_a_log_of_players_is_of_no_kind(folder: Folder) -> None:
    headers = (*LOG, "TEAM_ID", "PLAYER_ID")
    rows = [[*logged_team(team, 20), 9, player] for player, team in enumerate(("DAL", "POR"))]
    write_json(folder.files / "log.json", result_sets(LeagueGameLog=(headers, rows)))
    pd.DataFrame(rows, columns=headers).to_csv(folder.files / "log.csv", index=False)
    assert "Of another kind: log.csv, log.json." in refusal(folder)


def test_the_sets_of_a_summary_may_be_files(folder: Folder) -> None:
    sets = {
        "GameSummary": {
            "GAME_ID": "0022100732",
            "GAME_DATE_EST": "2022-01-26T00:00:00",
            "GAME_STATUS_ID": 3,
            "HOME_TEAM_ID": 1610612757,
            "VISITOR_TEAM_ID": 1610612742,
        },
        "InactivePlayers": {
            "PLAYER_ID": 3,
            "FIRST_NAME": "C",
            "LAST_NAME": "D",
            "TEAM_ID": 1610612742,
            "TEAM_ABBREVIATION": "DAL",
        },
    }
    for name, row in sets.items():
        pd.DataFrame([row]).to_csv(folder.files / f"{name}.csv", index=False)
    teams = {"POR": (1610612757, 112), "DAL": (1610612742, 132)}
    lines = [("0022100732", number, team, points) for team, (number, points) in teams.items()]
    line_score = pd.DataFrame(lines, columns=["GAME_ID", "TEAM_ID", "TEAM_ABBREVIATION", "PTS"])
    for team, rows in line_score.groupby("TEAM_ABBREVIATION"):
        rows.to_csv(folder.files / f"LineScore_{team}.csv", index=False)
    done = folder.convert()
    assert folder.rows("games", "home_team_abbr, home_score, away_score, status") == [
        ("POR", 112, 132, "final")
    ]
    # Its frame does not say of which game the players are.
    assert done.warnings == ("of no kind that nba_api reads: InactivePlayers.csv",)
