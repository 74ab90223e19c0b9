"""Leagues of a few teams made by hand: complete unless a test takes something away."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.python.support.raw_factories import Row, game, line, player, shot

OPENING_NIGHT = dt.date(2021, 10, 19)

# Attempts and makes of a default line by zone; with a free throw they give 12 points.
ATTEMPTS = {"paint": 5, "mid_range": 2, "three": 3}
MAKES = {"paint": 3, "mid_range": 1, "three": 1}
LABELS = {
    "paint": "Restricted Area",
    "mid_range": "Mid-Range",
    "three": "Above the Break 3",
}


def days(count: int, step: int = 2, first: dt.date = OPENING_NIGHT) -> list[dt.date]:
    """Return dates a few days apart, from opening night on."""
    return [first + dt.timedelta(days=step * number) for number in range(count)]


class League:
    """Raw rows of one or more seasons.

    A team is whoever `rosters` lists at the time of a game, so a trade is a change of two lists.
    """

    def __init__(self, teams: Mapping[str, Iterable[int]], season: str = "2021-22") -> None:
        self.rosters = {team: list(players) for team, players in teams.items()}
        self.season = season
        self.names: dict[int, str] = {}
        self.games: list[Row] = []
        self.lines: list[Row] = []
        self.shots: list[Row] = []
        self._numbers = itertools.count(1)

    def play(
        self,
        day: dt.date,
        home: str,
        away: str,
        *,
        status: str = "final",
        box_score: bool = True,
        shots: bool = True,
        changes: Mapping[int, Row] | None = None,
        unlisted: Iterable[int] = (),
    ) -> str:
        """Add a game; `changes` replaces values of a player's line, `unlisted` leaves his out."""
        game_id = f"002{self.season[2:4]}{next(self._numbers):05d}"
        scored = status == "final"
        self.games.append(
            game(
                game_id,
                season=self.season,
                game_date=day,
                home_team_abbr=home,
                away_team_abbr=away,
                home_score=110 if scored else None,
                away_score=101 if scored else None,
                status=status,
            )
        )
        listed = [
            (team, each)
            for team in (home, away)
            for each in self.rosters[team]
            if each not in set(unlisted)
        ]
        events = itertools.count(1)
        for team, each in listed if box_score and status in ("final", "in_progress") else ():
            row = full_line(each, game_id, team, self.name(each)) | (changes or {}).get(each, {})
            self.lines.append(row)
            if shots and row["fga"]:
                self.shots += shots_of(row, events)
        return game_id

    def schedule(self, day: dt.date, home: str, away: str, status: str = "scheduled") -> str:
        """Add a game without a result."""
        return self.play(day, home, away, status=status, box_score=False)

    def name(self, player_id: int) -> str:
        return self.names.get(player_id, f"Player Number{player_id}")

    @property
    def players(self) -> list[Row]:
        """All players who are listed or on a roster."""
        known = {each for roster in self.rosters.values() for each in roster}
        known |= {row["player_id"] for row in self.lines}
        return [
            player(each, player_name=self.name(each), birth_date=dt.date(1995, 1, each % 28 + 1))
            for each in sorted(known)
        ]

    def tables(self) -> dict[str, list[Row]]:
        return {
            "games": self.games,
            "players": self.players,
            "player_box_scores": self.lines,
            "shots": self.shots,
        }

    def write(self, folder: Path) -> Path:
        """Write one Parquet file a table and return the folder."""
        return write_tables(folder, [self])


def random_league(seed: int, season: str, first: dt.date, first_player: int = 1) -> League:
    """Return a league with every irregularity that data can have, some of them often."""
    chance = random.Random(seed)  # noqa: S311 -- a league, not a secret
    half = random.Random(-1 - seed)  # noqa: S311 -- which games lack a side
    teams = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")
    players = itertools.count(first_player)
    league = League({team: [next(players) for _ in range(4)] for team in teams}, season)
    bench = [league.rosters[team].pop() for team in teams[:3]]
    for number, day in enumerate(random_dates(chance, first)):
        order = chance.sample(teams, len(teams))
        if number % 4 == 3:
            trade(chance, league, bench)
        for home, away in zip(order[::2], order[1::2], strict=True):
            if chance.random() < 0.08:
                continue
            everybody = [*league.rosters[home], *league.rosters[away]]
            gone = league.rosters[away] if half.random() < 0.02 else []
            league.play(
                day,
                home,
                away,
                status=chance.choices(
                    ("final", "postponed", "scheduled", "in_progress"), (90, 4, 3, 3)
                )[0],
                box_score=chance.random() < 0.97,
                shots=chance.random() < 0.98,
                changes={each: random_changes(chance) for each in everybody},
                unlisted=[each for each in everybody if chance.random() < 0.1 or each in gone],
            )
    return league


def random_dates(chance: random.Random, first: dt.date) -> list[dt.date]:
    """Return 34 dates one to three days apart, with one break of five weeks."""
    steps = [chance.choice((1, 1, 2, 3)) for _ in range(34)]
    steps[28] = 35
    return [first + dt.timedelta(days=sum(steps[:number])) for number in range(len(steps))]


def random_changes(chance: random.Random) -> Row:
    """Return what differs from a default line; most often nothing."""
    fate = chance.random()
    if fate < 0.08:
        return did_not_play()
    if fate < 0.10:
        return did_not_play(points=2, minutes="0:00")
    if fate < 0.12:
        return {"minutes": None}
    if fate < 0.14:
        return {"fga": 13}
    if fate < 0.18:
        return {"fga": 11}
    return {"minutes": f"{chance.randint(1, 40)}:{chance.randint(0, 59):02d}"}


def trade(chance: random.Random, league: League, bench: list[int]) -> None:
    """Send one player elsewhere, and exchange another one for somebody without a team."""
    one, other = chance.sample(sorted(league.rosters), 2)
    league.rosters[other].append(league.rosters[one].pop(chance.randrange(2)))
    bench.append(league.rosters[other].pop(0))
    league.rosters[one].append(bench.pop(0))


def write_tables(folder: Path, leagues: Sequence[League]) -> Path:
    """Write leagues, for example of several seasons, into one folder of raw files."""
    examples = {"games": game(), "players": player(), "player_box_scores": line(), "shots": shot()}
    for name, number in itertools.product(examples, range(len(leagues))):
        path = folder / name / f"{number}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = leagues[number].tables()[name]
        # A table without rows has its columns all the same.
        table = pa.Table.from_pylist(rows or [examples[name]]).slice(0, len(rows))
        pq.write_table(table, path)
    return folder


def full_line(player_id: int, game_id: str, team: str, name: str) -> Row:
    """Return a line of 30 minutes whose attempts and makes are those of `shots_of`."""
    makes = sum(MAKES.values())
    return line(
        player_id,
        game_id,
        player_name=name,
        team_abbr=team,
        is_starter=True,
        minutes="30:00",
        points=2 * makes + MAKES["three"] + 1,
        fgm=makes,
        fga=sum(ATTEMPTS.values()),
        fg3m=MAKES["three"],
        fg3a=ATTEMPTS["three"],
        ftm=1,
        fta=2,
    )


def did_not_play(**changes: Any) -> Row:
    """Return the changes that make a line one of a player who stayed on the bench."""
    counts = ("points", "fgm", "fga", "fg3m", "fg3a", "ftm", "fta", "oreb", "dreb", "ast", "stl")
    zeros = dict.fromkeys((*counts, "blk", "tov", "pf"), 0)
    bench = {"is_dnp": True, "is_starter": False, "minutes": None, "dnp_reason": "DNP - Rest"}
    return bench | zeros | changes


def shots_of(row: Row, events: Iterator[int]) -> list[Row]:
    """Return the default shots of a line."""
    return [
        shot(
            next(events),
            row["player_id"],
            game_id=row["game_id"],
            team_abbr=row["team_abbr"],
            shot_value=3 if zone == "three" else 2,
            is_made=number < MAKES[zone],
            is_assisted=zone == "three" and number < MAKES[zone],
            zone_basic=LABELS[zone],
            loc_x=None,
            loc_y=None,
            shot_distance_ft=None,
        )
        for zone, attempts in ATTEMPTS.items()
        for number in range(attempts)
    ]
