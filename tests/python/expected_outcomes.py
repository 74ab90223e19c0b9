"""Who is expected of a league and what becomes of him, in plain Python from the raw rows.

An independent reading of the rules of population and failure, one player and date at a time.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from raw_factories import Row

Outcomes = dict[tuple[dt.date, Any], str]

ROSTER_DAYS = 30
STALE_DAYS = 30


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
        self.has_box_score = {row["game_id"] for row in self.lines}
        self.attempts: dict[tuple[str, int], int] = defaultdict(int)
        for shot in tables["shots"]:
            self.attempts[shot["game_id"], shot["player_id"]] += 1
        self.has_shots = {shot["game_id"] for shot in tables["shots"]}
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

    def actual_games(self, player_id: int) -> list[tuple[dt.date, str, bool, bool]]:
        """Return (date, game, has box score, has complete zones) in order."""
        found = [
            (self.day(row["game_id"]), row["game_id"], True, self.is_complete(row))
            for row in self.lines
            if row["player_id"] == player_id and has_played(row)
        ]
        for game_id, row in self.games.items():
            if row["status"] != "final" or game_id in self.has_box_score:
                continue
            elsewhere = any(day == row["game_date"] for day, _, _ in self.listings[player_id])
            if not elsewhere and self.team_on_eve(player_id, row["game_date"]) in teams_of(row):
                found.append((row["game_date"], game_id, False, False))
        return sorted(found)

    def is_complete(self, row: Row) -> bool:
        attempts = self.attempts[row["game_id"], row["player_id"]]
        return row["game_id"] in self.has_shots and abs(attempts - row["fga"]) <= 1

    def outcomes(self) -> dict[str, Outcomes]:
        found: dict[str, Outcomes] = {short: {} for short in ("tdza", "psza", "pcf", "pdc", "mlfs")}
        for day in self.dates:
            for team in self.teams:
                found["tdza"][day, team] = self.defence(team, day)
            for player_id in self.listings:
                games = [each for each in self.actual[player_id] if each[0] < day]
                if any(has_box_score for _, _, has_box_score, _ in games):
                    found["psza"][day, player_id] = shot_zones(games)
            for player_id in self.population(day):
                games = [each for each in self.actual[player_id] if each[0] < day]
                found["pcf"][day, player_id] = found["mlfs"][day, player_id] = "row"
                found["pdc"][day, player_id] = daily_cache(games, day)
        return found

    def population(self, day: dt.date) -> set[int]:
        of_day = {game_id: row for game_id, row in self.games.items() if row["game_date"] == day}
        listed = {row["player_id"] for row in self.lines if row["game_id"] in of_day}
        unlisted = {
            team
            for game_id, row in of_day.items()
            if game_id not in self.has_box_score
            for team in teams_of(row)
        }
        return listed | {each for each in self.listings if self.team_on_eve(each, day) in unlisted}

    def defence(self, team: str, day: dt.date) -> str:
        games = [
            (game_id, row)
            for game_id, row in self.games.items()
            if team in teams_of(row) and row["game_date"] < day
        ]
        available = sum(game_id in self.has_box_score for game_id, _ in games)
        actual = sum(
            game_id in self.has_box_score or row["status"] == "final" for game_id, row in games
        )
        if available >= 5:
            return "row"
        return "EXPECTED_INCOMPLETE" if actual < 5 else "INCOMPLETE_UPSTREAM"


def shot_zones(games: Sequence[tuple[dt.date, str, bool, bool]]) -> str:
    if len(games) < 10:
        return "EXPECTED_INCOMPLETE"
    complete = all(is_complete for _, _, _, is_complete in games[-10:])
    return "row" if complete else "INCOMPLETE_UPSTREAM"


def daily_cache(games: Sequence[tuple[dt.date, str, bool, bool]], day: dt.date) -> str:
    if len(games) < 5:
        return "EXPECTED_INCOMPLETE"
    played = [date for date, _, has_box_score, _ in games if has_box_score]
    if not played or (day - played[-1]).days > STALE_DAYS:
        return "STALE_DATA"
    complete = all(has_box_score for _, _, has_box_score, _ in games[-10:])
    return "row" if complete else "INCOMPLETE_UPSTREAM"


def has_played(row: Row) -> bool:
    if row["minutes"] is None:
        return bool(row["points"] or row["fga"] or row["fta"])
    return row["minutes"] not in ("0:00", "0", 0)


def teams_of(row: Row) -> tuple[str, str]:
    return row["home_team_abbr"], row["away_team_abbr"]
