"""A replay of stats.nba.com that answers with the games of a raw folder."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb

from tests.python.support.feed_answers import (
    CHART,
    action,
    end_of_period,
    play_by_play,
    result_sets,
    schedule,
    scheduled_game,
)
from tests.python.support.replayed_site import Replay

# Raw column and name in a line of BoxScoreTraditionalV3.
STATISTICS = {
    "fgm": "fieldGoalsMade",
    "fga": "fieldGoalsAttempted",
    "fg3m": "threePointersMade",
    "fg3a": "threePointersAttempted",
    "ftm": "freeThrowsMade",
    "fta": "freeThrowsAttempted",
    "oreb": "reboundsOffensive",
    "dreb": "reboundsDefensive",
    "ast": "assists",
    "stl": "steals",
    "blk": "blocks",
    "tov": "turnovers",
    "pf": "foulsPersonal",
    "points": "points",
}
# A game has some 560 actions, of which 180 are shots.
_OTHER_ACTIONS = 380
_OTHER_ACTION = {
    "teamId": 1610612742,
    "location": "h",
    "videoAvailable": 1,
    "pointsTotal": 0,
    "actionType": "Rebound",
    "subType": "Unknown",
    "scoreHome": "",
    "scoreAway": "",
}

Row = Mapping[str, Any]


class SeasonReplay(Replay):
    """The answers of a season's games, in the forms and about the sizes of the site's.

    Parameters
    ----------
    raw, season
        The raw folder, and the season in it, such as ``2022-23``.
    last
        No games after this date.
    """

    def __init__(self, raw: Path, season: str, last: dt.date = dt.date.max) -> None:
        super().__init__()
        with duckdb.connect() as connection:
            connection.execute(
                f"create table games as from '{raw}/games/*.parquet' "
                f"where season = '{season}' and game_date <= '{last}'"
            )

            def rows(table: str, rest: str) -> list[dict[str, Any]]:
                found = connection.execute(f"from '{raw}/{table}/*.parquet' {rest} order by all")
                return list(found.to_arrow_table().to_pylist())

            of_games = "where game_id in (select game_id from games)"
            self._games = {
                row["game_id"]: row
                for row in connection.execute("from games").to_arrow_table().to_pylist()
            }
            self._lines = _by_game(rows("player_box_scores", of_games))
            self._shots = _by_game(rows("shots", of_games))
            self._players = {row["player_id"]: row for row in rows("players", "")}
        self._names = {
            line["player_id"]: line["player_name"]
            for lines in self._lines.values()
            for line in lines
        }
        self.games = [_scheduled(game) for game in self._games.values()]

    @property
    def players(self) -> int:
        """Number of players in the games."""
        return len(self._names)

    def right(self, endpoint: str, parameters: Mapping[str, Any]) -> object:
        """Return the answer of an endpoint."""
        game = str(parameters.get("GameID", ""))
        answers: dict[str, Callable[[], object]] = {
            "scheduleleaguev2": lambda: schedule(*self.games),
            "boxscoretraditionalv3": lambda: {
                "boxScoreTraditional": self._sides(game, "players", is_listed=True)
            },
            "boxscoresummaryv3": lambda: {
                "boxScoreSummary": self._sides(game, "inactives", is_listed=False)
            },
            "playbyplayv3": lambda: play_by_play(*self._actions(game), game_id=game),
            "shotchartdetail": lambda: self._chart(game),
            "playerindex": self._index,
            "commonplayerinfo": lambda: self._info(int(parameters["PlayerID"])),
        }
        return answers[endpoint]()

    def _chart(self, game_id: str) -> object:
        charted = [shot for shot in self._shots[game_id] if shot["loc_x"] is not None]
        return result_sets(Shot_Chart_Detail=(CHART, [_charted(shot) for shot in charted]))

    def _index(self) -> object:
        headers = ["PERSON_ID", "PLAYER_LAST_NAME", "PLAYER_FIRST_NAME", "POSITION"]
        found = [[player, *reversed(_split(name)), "F"] for player, name in self._names.items()]
        return result_sets(PlayerIndex=(headers, found))

    def _info(self, player_id: int) -> object:
        player = self._players[player_id]
        headers = ["PERSON_ID", "DISPLAY_FIRST_LAST", "BIRTHDATE", "POSITION"]
        born = f"{player['birth_date']}T00:00:00" if player["birth_date"] else None
        facts = [player["player_id"], player["player_name"], born, player["position"]]
        return result_sets(CommonPlayerInfo=(headers, [facts]))

    def _sides(self, game_id: str, kind: str, *, is_listed: bool) -> dict[str, object]:
        game = self._games[game_id]

        def side(code: str) -> dict[str, object]:
            lines = [line for line in self._lines[game_id] if line["team_abbr"] == code]
            found = [_line(line) for line in lines if _is_inactive(line) is not is_listed]
            return {"teamTricode": code, kind: found}

        return {
            "gameId": game_id,
            "homeTeam": side(game["home_team_abbr"]),
            "awayTeam": side(game["away_team_abbr"]),
        }

    def _actions(self, game_id: str) -> Iterable[dict[str, Any]]:
        """Yield substitutions, shots with their blocks, and other actions."""
        order = 0
        for line in self._lines[game_id]:
            order += 1
            yield self._action(order, 0, line, shotResult="", isFieldGoal=0, description="SUB")
        for shot in self._shots[game_id]:
            order += 1
            yield self._shot(order, shot)
            if shot["block_player_id"] is not None:
                order += 1
                blocker = {"player_id": shot["block_player_id"], "team_abbr": ""}
                facts = {"shotResult": "", "isFieldGoal": 0, "description": "X BLOCK (1 BLK)"}
                yield self._action(order, shot["event_number"], blocker, **facts)
        for number in range(_OTHER_ACTIONS):
            order += 1
            facts = {"shotResult": "", "isFieldGoal": 0, "description": "X REBOUND (Off:0 Def:1)"}
            line = self._lines[game_id][number % len(self._lines[game_id])]
            yield self._action(order, 2000 + number, line, **facts)
        game = self._games[game_id]
        last = max(shot["period"] for shot in self._shots[game_id])
        yield end_of_period(last, game["home_score"], game["away_score"])

    def _action(self, order: int, number: int, who: Row, **values: object) -> dict[str, Any]:
        name = self._names[who["player_id"]]
        facts = {"personId": who["player_id"], "teamTricode": who["team_abbr"]}
        names = {"playerName": name, "playerNameI": name}
        return action(number, **{"actionId": order, **_OTHER_ACTION, **facts, **names, **values})

    def _shot(self, order: int, shot: Row) -> dict[str, Any]:
        minutes, seconds = divmod(shot["clock_seconds"], 60)
        assist = f" ({self._names[shot['assist_player_id']]} 1 AST)" if shot["is_assisted"] else ""
        return self._action(
            order,
            shot["event_number"],
            shot,
            clock=f"PT{int(minutes):02}M{seconds:05.2f}S",
            period=shot["period"],
            xLegacy=shot["loc_x"],
            yLegacy=shot["loc_y"],
            shotDistance=shot["shot_distance_ft"],
            shotResult="Made" if shot["is_made"] else "Missed",
            shotValue=shot["shot_value"],
            isFieldGoal=1,
            description=f"X Jump Shot (2 PTS){assist}",
        )


def _by_game(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["game_id"]].append(row)
    return found


def _scheduled(game: Row) -> dict[str, object]:
    return scheduled_game(
        game["game_id"],
        gameDateEst=f"{game['game_date']}T00:00:00Z",
        homeTeam={"teamTricode": game["home_team_abbr"], "score": game["home_score"]},
        awayTeam={"teamTricode": game["away_team_abbr"], "score": game["away_score"]},
    )


def _is_inactive(line: Row) -> bool:
    """Tell whether the summary has the line: some of those who did not play."""
    return bool(line["is_dnp"]) and line["player_id"] % 2 == 0


def _line(line: Row) -> dict[str, object]:
    first, last = _split(line["player_name"])
    minutes = line["minutes"] if ":" in line["minutes"] else f"{line['minutes']}:00"
    return {
        "personId": line["player_id"],
        "firstName": first,
        "familyName": last,
        "position": (line["position"] or "F") if line["is_starter"] else "",
        "comment": "DNP - Coach's Decision" if line["is_dnp"] else "",
        "statistics": {
            "minutes": "" if line["is_dnp"] else minutes,
            **{name: line[column] for column, name in STATISTICS.items()},
        },
    }


def _charted(shot: Row) -> list[object]:
    minutes, seconds = divmod(int(shot["clock_seconds"]), 60)
    values = {
        "GAME_ID": shot["game_id"],
        "GAME_EVENT_ID": shot["event_number"],
        "PLAYER_ID": shot["player_id"],
        "PLAYER_NAME": "",
        "TEAM_ID": 0,
        "PERIOD": shot["period"],
        "MINUTES_REMAINING": minutes,
        "SECONDS_REMAINING": seconds,
        "SHOT_TYPE": f"{shot['shot_value']}PT Field Goal",
        "SHOT_ZONE_BASIC": shot["zone_basic"],
        "SHOT_DISTANCE": math.floor(math.hypot(shot["loc_x"], shot["loc_y"]) / 10),
        "LOC_X": shot["loc_x"],
        "LOC_Y": shot["loc_y"],
        "SHOT_MADE_FLAG": int(shot["is_made"]),
    }
    return [values.get(name) for name in CHART]


def _split(name: str) -> tuple[str, str]:
    first, _, last = name.partition(" ")
    return first, last
