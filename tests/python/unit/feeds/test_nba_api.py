"""The answers of stats.nba.com become lines, shots and games."""

from __future__ import annotations

import pandas as pd
import pytest

from python_workers.errors import BackcourtError
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
from tests.python.support.feed_folder import Folder, refusal


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


BOX_V3 = dict.fromkeys(
    [
        *("fieldGoalsMade", "fieldGoalsAttempted", "threePointersMade", "threePointersAttempted"),
        *("freeThrowsMade", "freeThrowsAttempted", "reboundsOffensive", "reboundsDefensive"),
        *("assists", "steals", "blocks", "turnovers", "foulsPersonal", "points"),
    ],
    0,
) | {"position": "", "comment": "", "minutes": "28:12"}
OF_GAME = {"gameId": "0022100732", "teamTricode": "DAL", "personId": 1}
INACTIVE = {"GAME_ID": "0022100732", "TEAM_ID": 9, "TEAM_ABBREVIATION": "DAL", "PLAYER_ID": 1}


@pytest.mark.parametrize("names", [("Nene", ""), ("", "Nene")])
@pytest.mark.parametrize(
    ("row", "columns", "table"),
    [
        (OF_GAME | BOX_V3, ("firstName", "familyName"), "player_box_scores"),
        (OF_GAME, ("firstName", "familyName"), "player_box_scores"),
        (INACTIVE, ("FIRST_NAME", "LAST_NAME"), "player_box_scores"),
        (
            {"PERSON_ID": 1, "POSITION": "C"},
            ("PLAYER_FIRST_NAME", "PLAYER_LAST_NAME"),
            "players",
        ),
    ],
    ids=["box score", "inactive v3", "inactive v2", "index"],
)
def test_a_player_may_have_a_single_name(
    folder: Folder,
    row: dict[str, object],
    columns: tuple[str, str],
    table: str,
    names: tuple[str, str],
) -> None:
    folder.game()
    # An empty value of a CSV file is missing; one of Parquet is an empty text.
    frame = pd.DataFrame([row | dict(zip(columns, names, strict=True))])
    frame.to_csv(folder.files / "a.csv", index=False)
    folder.convert()
    assert folder.rows(table, "player_id, player_name") == [(1, "Nene")]
    (folder.files / "a.csv").unlink()
    frame.to_parquet(folder.files / "a.parquet")
    folder.convert()
    assert folder.rows(table, "player_id, player_name") == [(1, "Nene")]


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
    assert done.warnings == (
        "games whose home and away teams are in no file are left out: 0022100735 (schedule.json)",
    )
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
    assert "4.json: games: rows share their key (game_id)" in refusal(folder, is_first=False)
    write_json(folder.files / "4.json", log(logged_team("POR", 113, WL="won")))
    assert "'won (neither w nor l)'" in refusal(folder, is_first=False)


@pytest.mark.parametrize(
    "matchups",
    [
        {"DAL": "DAL vs. POR", "POR": "POR vs. DAL"},
        {"DAL": "DAL @ POR", "POR": "POR @ DAL"},
        {"DAL": "DAL @ POR"},
        {"POR": "POR vs. DAL"},
        {"DAL": None, "POR": "POR vs. DAL"},
    ],
    ids=["no guest", "two guests", "guest alone", "host alone", "no matchup"],
)
def test_a_game_of_a_log_without_a_host_and_a_guest_is_named(
    folder: Folder, matchups: dict[str, str | None]
) -> None:
    rows = [logged_team(team, 99 + n) for n, team in enumerate(("DAL", "POR"))]
    for team, matchup in matchups.items():
        rows.append(logged_team(team, 100, GAME_ID="0022100733", MATCHUP=matchup))
    write_json(folder.files / "log.json", result_sets(LeagueGameLog=(LOG, rows)))
    assert folder.convert().warnings == (
        "games whose home and away teams are in no file are left out: 0022100733 (log.json)",
    )
    assert folder.rows("games", "game_id") == [("0022100732",)]
    # A schedule knows who is at home, before the game, too.
    coming = scheduled_game("0022100733", gameStatus=1)
    write_json(folder.files / "a_schedule.json", schedule(coming))
    assert folder.convert().warnings == ()
    assert folder.rows("games", "game_id, status", "order by 1") == [
        ("0022100732", "final"),
        ("0022100733", "scheduled"),
    ]


def test_a_line_score_without_its_summary_is_named(folder: Folder) -> None:
    folder.game()
    headers = ["GAME_ID", "TEAM_ID", "TEAM_ABBREVIATION", "PTS"]
    rows = [["0022100733", 1610612757, "POR", 112], ["0022100733", 1610612742, "DAL", 132]]
    write_json(folder.files / "scores.json", result_sets(LineScore=(headers, rows)))
    assert folder.convert().warnings == (
        "games whose home and away teams are in no file are left out: 0022100733 (scores.json)",
    )


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
