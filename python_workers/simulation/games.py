"""Simulates the games of a season: playing time and box scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from python_workers.simulation.league import (
    ZONES,
    Players,
    Rosters,
    draw_injuries,
)
from python_workers.simulation.schedule import Schedule
from python_workers.simulation.shots import (
    LEFT_CORNER,
    MID_RANGE,
    Shots,
    draw_shots,
)

# Share of court time by place in the rotation, in minutes of a regulation game.
_ROTATION_MINUTES = np.array([34.5, 33.0, 31.5, 30.0, 28.0, 24.0, 20.0, 16.5, 12.5, 7.0, 4.0])
_STARTERS = 5
_MIN_AVAILABLE = 9
_OVERTIME_SHARE = 0.06
_SECOND_OVERTIME_SHARE = 0.14
_REST_SHARE = 0.10
_STARS_A_TEAM = 2
_HOME_EDGE = 0.006
_TEAM_ATTEMPTS, _OVERTIME_ATTEMPTS = 88.0, 9.0
_PACE_SPREAD, _ATTEMPTS_SPREAD = 4.5, 1.5
_UNRECORDED_SHOT_SHARE = 0.003

PLAYED, RESERVE, HURT, RESTED = range(4)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Season:
    """A simulated season; arrays by team-game (home, away, home, away …) and roster slot.

    Parameters
    ----------
    rosters
        Player numbers, -1 where a slot is empty.
    teams
        Team number of each team-game.
    order
        Place in the rotation, 0 first.
    status
        `PLAYED`, `RESERVE`, `HURT` or `RESTED`.
    seconds
        Seconds on court.
    counts
        Box-score columns by name.
    scores
        Points of each team-game.
    shots, is_recorded
        Every shot, and whether the play-by-play has it.
    """

    rosters: Integers
    teams: Integers
    order: Integers
    status: Integers
    seconds: Integers
    counts: dict[str, Integers]
    scores: Integers
    shots: Shots
    is_recorded: Flags


def play_season(
    rng: np.random.Generator, schedule: Schedule, players: Players, rosters: Rosters
) -> Season:
    """Play every game of the schedule.

    Parameters
    ----------
    rng
        Random generator.
    schedule, players, rosters
        The games, the players and the rosters by day.
    """
    teams = np.column_stack([schedule.home, schedule.away]).ravel()
    days = np.repeat((schedule.dates - schedule.dates[0]).astype(np.int64), 2)
    slots = rosters.on(days, teams)
    games = len(schedule.dates)
    overtimes = (rng.random(games) < _OVERTIME_SHARE).astype(np.int64)
    overtimes += overtimes * (rng.random(games) < _SECOND_OVERTIME_SHARE)
    overtimes = np.repeat(overtimes, 2)

    order, status = _rotation(rng, players, slots, days, teams)
    seconds = _court_time(rng, order, status, overtimes)
    defense = rng.normal(0.0, 0.014, (teams.max() + 1, ZONES))[teams]
    defense = defense.reshape(-1, 2, ZONES)[:, ::-1].reshape(-1, ZONES)
    defense[0::2] += _HOME_EDGE
    # Both teams of a game have about the same number of possessions.
    pace = np.repeat(rng.normal(_TEAM_ATTEMPTS, _PACE_SPREAD, games), 2)
    pace = np.clip(pace + rng.normal(0.0, _ATTEMPTS_SPREAD, len(teams)), 68, 115)
    total = np.rint(pace + _OVERTIME_ATTEMPTS * overtimes).astype(np.int64)
    weight = seconds * players.usage[slots]
    attempts = rng.multinomial(total, weight / weight.sum(axis=1, keepdims=True))
    shots = draw_shots(
        rng,
        players,
        slots,
        attempts=attempts,
        seconds=seconds,
        zone_defense=defense,
        overtimes=overtimes,
    )
    counts = _box_scores(rng, players, slots, seconds, shots)
    _break_ties(counts, order)
    counts["points"] = 2 * counts["fgm"] + counts["fg3m"] + counts["ftm"]
    scores = counts["points"].sum(axis=1)
    margin = scores - scores.reshape(-1, 2)[:, ::-1].ravel()
    noise = rng.normal(0.0, 6.5, slots.shape)
    share = seconds / seconds.max(axis=1, keepdims=True)
    counts["plus_minus"] = np.rint(share * (margin[:, None] + noise)).astype(np.int64)
    return Season(
        slots,
        teams,
        order,
        status,
        seconds,
        counts,
        scores,
        shots,
        _recorded(rng, shots, counts["fga"] > 0),
    )


def _rotation(
    rng: np.random.Generator, players: Players, slots: Integers, days: Integers, teams: Integers
) -> tuple[Integers, Integers]:
    """Return every player's place in the rotation, and his status."""
    listed = slots >= 0
    hurt = draw_injuries(rng, len(players), int(days.max()) + 1)[slots, days[:, None]] & listed
    strength = np.where(listed, players.strength[slots], -np.inf)
    stars = (-strength).argsort(axis=1).argsort(axis=1) < _STARS_A_TEAM
    tired = _played_yesterday(days, teams)[:, None]
    rested = stars & tired & ~hurt & (rng.random(slots.shape) < _REST_SHARE)
    available = listed & ~hurt & ~rested
    # If too few players are available, injured players play.
    short = available.sum(axis=1) < _MIN_AVAILABLE
    available[short] = listed[short]
    form = strength + rng.normal(0.0, 0.22, slots.shape)
    order = np.where(available, -form, np.inf).argsort(axis=1, kind="stable").argsort(axis=1)
    rotation = rng.integers(_MIN_AVAILABLE, len(_ROTATION_MINUTES) + 1, len(slots))[:, None]
    plays = available & (order < rotation)
    status = np.select([plays, available, hurt], [PLAYED, RESERVE, HURT], RESTED)
    return order.astype(np.int64), status.astype(np.int64)


def _played_yesterday(days: Integers, teams: Integers) -> Flags:
    """Return, per team-game, whether the team also played the day before."""
    played = np.zeros((int(teams.max()) + 1, int(days.max()) + 2), dtype=np.bool_)
    played[teams, days + 1] = True
    found: Flags = played[teams, days]
    return found


def _court_time(
    rng: np.random.Generator, order: Integers, status: Integers, overtimes: Integers
) -> Integers:
    """Return seconds on court: five players at all times, none longer than the game."""
    game = 48 * 60 + 300 * overtimes
    total = 5 * game
    place = np.minimum(order, len(_ROTATION_MINUTES) - 1)
    weight = _ROTATION_MINUTES[place] * np.exp(rng.normal(0.0, 0.12, order.shape))
    weight = np.where(status == PLAYED, weight, 0.0)
    share = weight / weight.sum(axis=1, keepdims=True) * total[:, None]
    # Give time above the longest playing time to the other players, repeatedly.
    longest = (game - 90)[:, None]
    for _ in range(8):
        over = np.clip(share - longest, 0, None).sum(axis=1, keepdims=True)
        share = np.minimum(share, longest)
        room = np.where(share < longest, weight, 0.0)
        share += over * room / room.sum(axis=1, keepdims=True)
    seconds: Integers = np.floor(np.minimum(share, longest)).astype(np.int64)
    # Give the seconds lost to rounding to the sixth man.
    seconds[order == _STARTERS] += total - seconds.sum(axis=1)
    return seconds


def _box_scores(
    rng: np.random.Generator, players: Players, slots: Integers, seconds: Integers, shots: Shots
) -> dict[str, Integers]:
    """Return the box-score columns: shooting, assists and blocks from the shots, the rest drawn."""
    shape = slots.shape
    place = shots.side * shape[1] + shots.slot
    three = shots.zone >= LEFT_CORNER

    def tally(where: Flags, at: Integers = place) -> Integers:
        found: Integers = np.bincount(at[where], minlength=slots.size).reshape(shape)
        return found

    def drawn(mean: Floats, high: int) -> Integers:
        return np.where(seconds > 0, np.minimum(rng.poisson(mean), high), 0).astype(np.int64)

    def spread(total: Floats, weight: Floats) -> Floats:
        shared: Floats = total[:, None] * weight / weight.sum(axis=1, keepdims=True)
        return shared

    everything = np.ones(len(place), dtype=np.bool_)
    inside = tally(shots.zone < MID_RANGE)
    counts = {
        "fgm": tally(shots.is_made),
        "fga": tally(everything),
        "fg3m": tally(shots.is_made & three),
        "fg3a": tally(three),
        "ast": tally(shots.assist_slot >= 0, shots.side * shape[1] + shots.assist_slot),
        "blk": tally(shots.block_slot >= 0, (shots.side ^ 1) * shape[1] + shots.block_slot),
    }
    trips = drawn(0.17 * inside + 0.05 * counts["fga"], 12)
    counts["fta"] = np.minimum(2 * trips - (rng.random(shape) < 0.08) * (trips > 0), 24)
    counts["ftm"] = rng.binomial(counts["fta"], players.free_throws[slots])
    missed = (counts["fga"] - counts["fgm"]).sum(axis=1).astype(np.float64)
    missed_by_others = missed.reshape(-1, 2)[:, ::-1].ravel()
    minutes = seconds.astype(np.float64)
    rebounding = minutes * players.rebounding[slots]
    counts["oreb"] = drawn(spread(0.24 * missed, rebounding**1.3), 15)
    counts["dreb"] = drawn(spread(0.74 * missed_by_others, rebounding), 25)
    even = np.ones(len(slots))
    counts["stl"] = drawn(spread(7.4 * even, minutes), 9)
    counts["tov"] = drawn(spread(13.6 * even, minutes * players.usage[slots]), 12)
    counts["pf"] = drawn(spread(19.5 * even, minutes), 6)
    return counts


def _break_ties(counts: dict[str, Integers], order: Integers) -> None:
    """Give the home team one more free throw if a game would end in a tie."""
    points = (2 * counts["fgm"] + counts["fg3m"] + counts["ftm"]).sum(axis=1).reshape(-1, 2)
    home = 2 * np.flatnonzero(points[:, 0] == points[:, 1])
    best = order[home].argmin(axis=1)
    counts["fta"][home, best] += 1
    counts["ftm"][home, best] += 1


def _recorded(rng: np.random.Generator, shots: Shots, shooters: Flags) -> Flags:
    """Return which shots are in the play-by-play: as in real feeds, a few misses are missing."""
    lines = int(shooters.sum())
    lost = rng.permutation(np.flatnonzero(~shots.is_made))[: round(lines * _UNRECORDED_SHOT_SHARE)]
    recorded = np.ones(len(shots.side), dtype=np.bool_)
    recorded[lost] = False
    return recorded
