"""Made-up answers in the forms of the public sources."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

COUNTS_V2 = (
    "FGM",
    "FGA",
    "FG3M",
    "FG3A",
    "FTM",
    "FTA",
    "OREB",
    "DREB",
    "AST",
    "STL",
    "BLK",
    "TO",
    "PF",
    "PTS",
)
BOX_V2 = (
    "GAME_ID",
    "TEAM_ABBREVIATION",
    "PLAYER_ID",
    "PLAYER_NAME",
    "START_POSITION",
    "COMMENT",
    "MIN",
    *COUNTS_V2,
)
CHART = (
    "GAME_ID",
    "GAME_EVENT_ID",
    "PLAYER_ID",
    "PLAYER_NAME",
    "TEAM_ID",
    "PERIOD",
    "MINUTES_REMAINING",
    "SECONDS_REMAINING",
    "SHOT_TYPE",
    "SHOT_ZONE_BASIC",
    "SHOT_DISTANCE",
    "LOC_X",
    "LOC_Y",
    "SHOT_MADE_FLAG",
    "GAME_DATE",
    "HTM",
    "VTM",
)


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def result_sets(
    parameters: Mapping[str, object] | None = None,
    /,
    **sets: tuple[Sequence[str], Sequence[Sequence[object]]],
) -> dict[str, object]:
    """Return an answer with headers and rows."""
    return {
        "parameters": parameters or {},
        "resultSets": [
            {"name": name, "headers": headers, "rowSet": rows}
            for name, (headers, rows) in sets.items()
        ],
    }


def box_line_v2(player: int, minutes: str | None, **values: object) -> list[object]:
    counts = None if minutes is None else 0
    line = {
        "GAME_ID": "0022100732",
        "TEAM_ABBREVIATION": "DAL",
        "PLAYER_ID": player,
        "PLAYER_NAME": f"Player {player}",
        "START_POSITION": "",
        "COMMENT": "",
        "MIN": minutes,
        **dict.fromkeys(COUNTS_V2, counts),
        **values,
    }
    return [line[name] for name in BOX_V2]


def chart_line(event: int, **values: object) -> list[object]:
    line = {
        "GAME_ID": "0022100732",
        "GAME_EVENT_ID": event,
        "PLAYER_ID": 1,
        "PLAYER_NAME": "Player 1",
        "TEAM_ID": 1610612742,
        "PERIOD": 1,
        "MINUTES_REMAINING": 11,
        "SECONDS_REMAINING": 5,
        "SHOT_TYPE": "2PT Field Goal",
        "SHOT_ZONE_BASIC": "Mid-Range",
        "SHOT_DISTANCE": 15,
        "LOC_X": 10,
        "LOC_Y": 150,
        "SHOT_MADE_FLAG": 1,
        "GAME_DATE": "20220126",
        "HTM": "POR",
        "VTM": "DAL",
        **values,
    }
    return [line[name] for name in CHART]


def action(number: int, **values: object) -> dict[str, Any]:
    """Return an action of PlayByPlayV3: by default a made shot."""
    return {
        "actionNumber": number,
        "actionId": number + 1,
        "clock": "PT11M05.00S",
        "period": 1,
        "teamTricode": "DAL",
        "personId": 1,
        "playerName": "One",
        "playerNameI": "A. One",
        "xLegacy": 10,
        "yLegacy": 150,
        "shotDistance": 15,
        "shotResult": "Made",
        "shotValue": 2,
        "isFieldGoal": 1,
        "description": "One 15' Jump Shot (2 PTS)",
        **values,
    }


def end_of_period(period: int, home: int, away: int) -> dict[str, Any]:
    """Return the action of PlayByPlayV3 that ends a period."""
    nobody = {"teamTricode": "", "personId": 0, "playerName": "", "playerNameI": ""}
    nothing = {"xLegacy": 0, "yLegacy": 0, "shotDistance": 0, "shotResult": "", "isFieldGoal": 0}
    return action(
        9000 + period,
        **nobody,
        **nothing,
        clock="PT00M00.00S",
        period=period,
        shotValue=0,
        actionType="period",
        subType="end",
        scoreHome=str(home),
        scoreAway=str(away),
        description=f"End of period {period}",
    )


def play_by_play(*actions: Mapping[str, Any], game_id: str = "0022100732") -> dict[str, object]:
    return {"game": {"gameId": game_id, "actions": list(actions)}}


def scheduled_game(game_id: str, **values: object) -> dict[str, object]:
    return {
        "gameId": game_id,
        "gameDateEst": "2022-01-26T00:00:00Z",
        "gameStatus": 3,
        "gameDateTimeUTC": "2022-01-27T03:00:00Z",
        "homeTeam": {"teamTricode": "POR", "score": 112},
        "awayTeam": {"teamTricode": "DAL", "score": 132},
        **values,
    }


def schedule(*games: Mapping[str, object]) -> dict[str, object]:
    return {"leagueSchedule": {"gameDates": [{"games": list(games)}]}}
