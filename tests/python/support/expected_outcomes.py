"""Computes the expected entities of a league and their outcomes from the raw rows.

This is an independent reading of the rules, in plain Python, one player and date at a time.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tests.python.support.raw_factories import Row

Outcomes = dict[tuple[dt.date, Any], str]

ROSTER_DAYS = 30
STALE_DAYS = 30

COUNTS = ("points", "fgm", "fga", "fg3m", "fg3a", "ftm", "fta", "oreb", "dreb")
MORE_COUNTS = ("ast", "stl", "blk", "tov", "pf")


class ActualGame(NamedTuple):
    """A game that a player played, or may have played."""

    date: dt.date
    game_id: str
    is_played: bool
    is_known: bool
    is_complete: bool


def expected_outcomes(tables: Mapping[str, Sequence[Row]]) -> dict[str, Outcomes]:
    """Return outcomes by processor of one season, keyed by date and player (or team)."""
    return _Season(tables).outcomes()


class _Season:
    def __init__(self, tables: Mapping[str, Sequence[Row]]) -> None:
        self.games = {
            row["game_id"]: row for row in tables["games"] if row["status"] != "postponed"
        }
        self.lines = [row for row in tables["player_box_scores"] if row["game_id"] in self.games]
        self.dates = sorted({row["game_date"] for row in self.games.values()})
        self.teams = {team for row in self.games.values() for team in teams_of(row)}
        self.has_box_score = {(row["game_id"], row["team_abbr"]) for row in self.lines}
        self.attempts: dict[tuple[str, int], int] = defaultdict(int)
        for shot in tables["shots"]:
            self.attempts[shot["game_id"], shot["player_id"]] += 1
        self.has_shots = {(shot["game_id"], shot["team_abbr"]) for shot in tables["shots"]}
        self.listings: dict[int, list[tuple[dt.date, str, str]]] = defaultdict(list)
        for row in self.lines:
            day = self.day(row["game_id"])
            self.listings[row["player_id"]].append((day, row["game_id"], row["team_abbr"]))
        for listed in self.listings.values():
            listed.sort()
        self.actual = {each: self.actual_games(each) for each in self.listings}

    def day(self, game_id: str) -> dt.date:
        day: dt.date = self.games[game_id]["game_date"]
        return day

    def team_on_eve(self, player_id: int, day: dt.date) -> str | None:
        """Return the team of a player's latest listing before a day, if it is recent enough."""
        before = [each for each in self.listings[player_id] if each[0] < day]
        if not before or (day - before[-1][0]).days > ROSTER_DAYS:
            return None
        return before[-1][2]

    def actual_games(self, player_id: int) -> list[ActualGame]:
        """Return a player's actual games in order."""
        found = [
            ActualGame(
                self.day(row["game_id"]),
                row["game_id"],
                True,
                is_known(row),
                is_known(row) and self.is_complete(row),
            )
            for row in self.lines
            if row["player_id"] == player_id and self.has_played(row)
        ]
        for game_id, row in self.games.items():
            day = row["game_date"]
            team = self.team_on_eve(player_id, day)
            if row["status"] != "final" or (game_id, team) in self.has_box_score:
                continue
            elsewhere = any(day == listed for listed, _, _ in self.listings[player_id])
            if not elsewhere and team in teams_of(row):
                found.append(ActualGame(day, game_id, False, False, False))
        return sorted(found)

    def has_played(self, row: Row) -> bool:
        counts = any(row[name] for name in (*COUNTS, *MORE_COUNTS))
        return has_minutes(row) or counts or bool(self.attempts[row["game_id"], row["player_id"]])

    def is_complete(self, row: Row) -> bool:
        attempts = self.attempts[row["game_id"], row["player_id"]]
        has_shots = (row["game_id"], row["team_abbr"]) in self.has_shots
        return has_shots and abs(attempts - row["fga"]) <= 1

    def outcomes(self) -> dict[str, Outcomes]:
        found: dict[str, Outcomes] = {short: {} for short in ("tdza", "psza", "pcf", "pdc", "mlfs")}
        for day in self.dates:
            for team in self.teams:
                found["tdza"][day, team] = self.defence(team, day)
            for player_id in self.listings:
                games = [each for each in self.actual[player_id] if each.date < day]
                if any(game.is_played for game in games):
                    found["psza"][day, player_id] = shot_zones(games)
            for player_id in self.population(day):
                games = [each for each in self.actual[player_id] if each.date < day]
                found["pcf"][day, player_id] = found["mlfs"][day, player_id] = "row"
                found["pdc"][day, player_id] = daily_cache(games, day)
        return found

    def population(self, day: dt.date) -> set[int]:
        of_day = {game_id: row for game_id, row in self.games.items() if row["game_date"] == day}
        listed = {row["player_id"] for row in self.lines if row["game_id"] in of_day}
        unlisted = {
            team
            for game_id, row in of_day.items()
            for team in teams_of(row)
            if (game_id, team) not in self.has_box_score
        }
        return listed | {each for each in self.listings if self.team_on_eve(each, day) in unlisted}

    def defence(self, team: str, day: dt.date) -> str:
        games = [
            (game_id, row)
            for game_id, row in self.games.items()
            if team in teams_of(row) and row["game_date"] < day
        ]
        both = [
            all((game_id, each) in self.has_box_score for each in teams_of(row))
            for game_id, row in games
        ]
        available = sum(both)
        actual = sum(
            has_both or row["status"] == "final"
            for has_both, (_, row) in zip(both, games, strict=True)
        )
        if available >= 5:
            return "row"
        return "EXPECTED_INCOMPLETE" if actual < 5 else "INCOMPLETE_UPSTREAM"


def shot_zones(games: Sequence[ActualGame]) -> str:
    if len(games) < 10:
        return "EXPECTED_INCOMPLETE"
    return "row" if all(game.is_complete for game in games[-10:]) else "INCOMPLETE_UPSTREAM"


def daily_cache(games: Sequence[ActualGame], day: dt.date) -> str:
    if len(games) < 5:
        return "EXPECTED_INCOMPLETE"
    played = [game.date for game in games if game.is_played]
    if not played or (day - played[-1]).days > STALE_DAYS:
        return "STALE_DATA"
    return "row" if all(game.is_known for game in games[-10:]) else "INCOMPLETE_UPSTREAM"


def has_minutes(row: Row) -> bool:
    return row["minutes"] not in (None, "0:00", "0", 0)


def is_known(row: Row) -> bool:
    """Tell whether a line of a played game is free of contradictions."""
    return has_minutes(row) and row["points"] == 2 * row["fgm"] + row["fg3m"] + row["ftm"]


def teams_of(row: Row) -> tuple[str, str]:
    return row["home_team_abbr"], row["away_team_abbr"]
