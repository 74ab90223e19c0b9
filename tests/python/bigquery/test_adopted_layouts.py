"""The SELECTs of docs/adopt are BigQuery's, and tables of their layouts stand for raw tables."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping

import pytest

from python_workers.errors import BackcourtError
from python_workers.feeds.feed import find_feed
from python_workers.raw.adoption import adopt, adopted_tables, check_adopted
from python_workers.raw.schema import RAW_TABLES
from python_workers.raw.selects import read_selects
from python_workers.warehouse.bigquery.warehouse import BigQueryWarehouse
from tests.python.bigquery.analyzer import check_statements
from tests.python.support.folders import REPOSITORY

LAYOUTS = REPOSITORY / "docs" / "adopt"
# The frames of nba_api give these as numbers, and all else as text.
NUMBERS = re.compile(
    r"(?i).*(made|attempted|rebounds.*|assists|steals|blocks|turnovers|points|personal|status|score"
    r"|personid|player_id|person_id|event_id|period|remaining|distance|loc_[xy]|flag|number|isfieldgoal"
    r"|pts)$"
)
TABLES = {
    "nba.schedule_league_v2": "schedule",
    "nba.box_score_traditional_v3": "box_score_v3",
    "nba.shot_chart_detail": "shot_chart",
    "nba.play_by_play_v3": "play_by_play",
    "nba.common_player_info": "player_info",
    "nba.game_log": "game_log",
}


def columns() -> dict[str, Iterable[tuple[str, str]]]:
    sources = {source.name: source for source in find_feed("nba_api").sources}
    tables = {
        table: [
            (name, "int64" if NUMBERS.fullmatch(name) else "string")
            for name in sources[source].columns
        ]
        for table, source in TABLES.items()
    }
    tables["nba.game_log"].append(("_table_suffix", "string"))
    return {**tables}


@pytest.mark.parametrize("layout", ["nba_api_tables", "season_tables"])
def test_the_selects_of_a_layout_are_bigquery_s(layout: str) -> None:
    selects = read_selects(LAYOUTS / layout)
    # The analyser knows no wildcard tables.
    statements = [
        re.sub(r"^--.*\n", "", select).replace("`nba.game_log_*`", "nba.game_log")
        for select in selects.values()
    ]
    assert check_statements(columns(), statements).findings == ()


def test_the_layout_of_nba_api_gives_every_needed_column() -> None:
    selects = read_selects(LAYOUTS / "nba_api_tables")
    for schema in RAW_TABLES:
        given = set(re.findall(r"(?:as )?(\w+),?\n", selects[schema.name] + "\n"))
        needed = {column.name for column in schema.columns if column.is_required}
        assert needed <= given, (schema.name, needed - given)


GAME = "0022100732"


def create(warehouse: BigQueryWarehouse, table: str, *rows: Mapping[str, object]) -> None:
    """Create a table of the user's own with some rows."""
    selects = (
        ", ".join(f"{value!r} as {name}" for name, value in row.items()).replace("None", "null")
        for row in rows
    )
    text = " union all ".join(f"select {select}" for select in selects)
    warehouse.execute(f"create or replace table nba.{table} as {text}")


def box_line(player: int, team: str, minutes: str) -> dict[str, object]:
    source = next(
        source for source in find_feed("nba_api").sources if source.name == "box_score_v3"
    )
    facts = {
        "gameId": GAME,
        "personId": player,
        "firstName": "Al",
        "familyName": f"P{player}",
        "teamTricode": team,
        "position": "F" if player == 1 else "",
        "comment": "" if minutes else "DNP",
        "minutes": minutes,
        "plusMinusPoints": 5.0,
    }
    return dict.fromkeys(source.columns, 2) | facts


def test_frames_of_nba_api_in_tables_are_adopted(warehouse: BigQueryWarehouse) -> None:
    warehouse.execute("create schema if not exists nba")
    game = {"gameDateEst": "2022-01-26T00:00:00Z", "gameStatus": 3}
    teams = {"homeTeam_teamTricode": "POR", "awayTeam_teamTricode": "DAL"}
    scores = {"homeTeam_score": 112, "awayTeam_score": 132}
    create(
        warehouse,
        "schedule_league_v2",
        {"gameId": GAME, **game, **teams, **scores},
        {"gameId": "0012100001", **game, **teams, **scores},
    )
    lines = [box_line(1, "DAL", "34:12"), box_line(2, "POR", "")]
    create(warehouse, "box_score_traditional_v3", *lines)
    shot = {"GAME_ID": GAME, "GAME_EVENT_ID": 7, "PLAYER_ID": 1, "PERIOD": 1}
    clock = {"MINUTES_REMAINING": 11, "SECONDS_REMAINING": 5, "SHOT_TYPE": "2PT Field Goal"}
    zone = {"SHOT_ZONE_BASIC": "Mid-Range", "LOC_X": 10, "LOC_Y": 150, "SHOT_DISTANCE": 15}
    create(warehouse, "shot_chart_detail", shot | clock | zone | {"SHOT_MADE_FLAG": 1})
    play = {"gameId": GAME, "actionNumber": 7, "isFieldGoal": 1, "description": "x (Two 1 AST)"}
    create(warehouse, "play_by_play_v3", play)
    player = {"DISPLAY_FIRST_LAST": "Al P1", "BIRTHDATE": "1996-09-07T00:00:00", "POSITION": "F"}
    create(warehouse, "common_player_info", {"PERSON_ID": 1, **player})
    adopted = adopt(warehouse, read_selects(LAYOUTS / "nba_api_tables"))
    assert adopted.rows == {"games": 1, "players": 1, "player_box_scores": 2, "shots": 1}
    # The players of the lines, whether the table of players has them or not.
    assert adopted.new_players == 2
    games = warehouse.query(
        "select season, season_type, game_date, home_score, status from nba_raw.games"
    ).to_pylist()
    assert [tuple(row.values()) for row in games] == [
        ("2021-22", "regular", dt.date(2022, 1, 26), 112, "final")
    ]
    lines_found = warehouse.query(
        "select player_id, is_dnp, minutes, is_starter from nba_raw.player_box_scores "
        "order by player_id"
    ).to_pylist()
    assert [tuple(row.values()) for row in lines_found] == [
        (1, False, 34.2, True),
        (2, True, None, False),
    ]
    shots = warehouse.query(
        "select team_abbr, clock_seconds, is_assisted, shot_value from nba_raw.shots"
    ).to_pylist()
    assert [tuple(row.values()) for row in shots] == [("DAL", 665.0, True, 2)]
    # The rows below the views change: a backfill checks them again.
    assert adopted_tables(warehouse) == list(RAW_TABLES)
    check_adopted(warehouse, RAW_TABLES)
    warehouse.execute("update nba.shot_chart_detail set PERIOD = 99 where true")
    with pytest.raises(BackcourtError, match=r"^nba_raw\.shots: column period has") as caught:
        check_adopted(warehouse, RAW_TABLES)
    assert f"game_id = '{GAME}', event_number = 7, period = 99" in caught.value.hint


def test_a_select_that_bigquery_refuses_is_named(warehouse: BigQueryWarehouse) -> None:
    with pytest.raises(BackcourtError, match=r"^games\.sql: ") as caught:
        adopt(warehouse, {"games": "select nothing from (select 1 as one)"})
    assert "Nothing was adopted." in caught.value.hint


def test_a_game_log_per_season_is_adopted(warehouse: BigQueryWarehouse) -> None:
    warehouse.execute("create schema if not exists nba")
    day = {"GAME_ID": GAME, "GAME_DATE": "2022-01-26"}
    home = {"TEAM_ABBREVIATION": "POR", "MATCHUP": "POR vs. DAL", "PTS": 112, "WL": "L"}
    away = {"TEAM_ABBREVIATION": "DAL", "MATCHUP": "DAL @ POR", "PTS": 132, "WL": "W"}
    create(warehouse, "game_log_2021", day | home, day | away)
    later = {"GAME_ID": "0022200001", "GAME_DATE": "2022-10-18"}
    create(warehouse, "game_log_2022", later | home, later | away)
    adopt(warehouse, read_selects(LAYOUTS / "season_tables"))
    found = warehouse.query(
        "select game_id, season, home_team_abbr, away_score from nba_raw.games order by game_id"
    ).to_pylist()
    assert [tuple(row.values()) for row in found] == [
        (GAME, "2021-22", "POR", 132),
        ("0022200001", "2022-23", "POR", 132),
    ]
