"""Simulates a season's schedule: pairings, home teams and dates."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from python_workers.errors import BackcourtError, ExitCode

FULL_SEASON_GAMES = 82
MAX_TEAMS = 30

_TUESDAY, _FRIDAY, _SUNDAY = 1, 4, 6
_ALL_STAR_DAYS = 6
# Share of the week's games by weekday, Monday first: most games are on Wednesdays and Fridays, few
# on Thursdays, when national television shows games.
_WEEKDAY_SHARE = np.array([9, 6, 11, 4, 11, 9, 8], dtype=np.float64)
_JITTER = 1.5
_BACK_TO_BACK_PENALTY = 2.5

Integers = npt.NDArray[np.int64]
Dates = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Schedule:
    """Games of a season in order of date.

    Parameters
    ----------
    dates
        Day of each game.
    home, away
        Team numbers.
    """

    dates: Dates
    home: Integers
    away: Integers


def season_bounds(season_year: int, games_per_team: int = FULL_SEASON_GAMES) -> tuple[dt.date, int]:
    """Return the first day of a season and the number of days it lasts.

    The NBA opens on the Tuesday on or after 18 October and ends its regular season on the Sunday on
    or after 9 April; fewer games take proportionally fewer days.

    Examples
    --------
    >>> season_bounds(2021)
    (datetime.date(2021, 10, 19), 174)
    """
    first = _weekday_from(dt.date(season_year, 10, 18), _TUESDAY)
    last = _weekday_from(dt.date(season_year + 1, 4, 9), _SUNDAY)
    full = (last - first).days + 1
    return first, max(1, round(full * games_per_team / FULL_SEASON_GAMES))


def build_schedule(
    rng: np.random.Generator, season_year: int, teams: int, games_per_team: int
) -> Schedule:
    """Draw a schedule in which every team plays the same number of games, at most one a day.

    Parameters
    ----------
    rng
        Random generator.
    season_year
        Year in which the season starts.
    teams
        An even number of teams, 4 to 30.
    games_per_team
        Games of each team, 1 to 82.
    """
    if teams % 2 or not 4 <= teams <= MAX_TEAMS or not 1 <= games_per_team <= FULL_SEASON_GAMES:
        raise BackcourtError(
            f"no schedule for {teams} teams with {games_per_team} games each",
            f"Use an even number of teams up to {MAX_TEAMS}, at least 4, "
            f"and 1 to {FULL_SEASON_GAMES} games.",
            ExitCode.USAGE,
        )
    home, away = _pairings(rng, teams, games_per_team)
    days = _playing_days(season_year, games_per_team)
    assigned = _assign_days(rng, home, away, days, teams)
    order = np.lexsort((home, assigned))
    first, _ = season_bounds(season_year, games_per_team)
    dates = np.datetime64(first, "D") + days[assigned[order]].astype("timedelta64[D]")
    return Schedule(dates, home[order], away[order])


def _pairings(
    rng: np.random.Generator, teams: int, games_per_team: int
) -> tuple[Integers, Integers]:
    """Return (home, away) of every game: all pairs equally often, the remainder by rotation."""
    meetings, rest = divmod(games_per_team, teams - 1)
    one, two = np.triu_indices(teams, k=1)
    home, away = [], []
    for meeting in range(meetings):
        swap = (one + two + meeting) % 2 == 0
        home.append(np.where(swap, two, one))
        away.append(np.where(swap, one, two))
    numbers = np.arange(teams)
    distances = rng.permutation(np.arange(1, teams // 2))[: rest // 2]
    for distance in distances.tolist():
        home.append(numbers)
        away.append((numbers + distance) % teams)
    if rest % 2:
        half = numbers[: teams // 2]
        swap = half % 2 == 0
        home.append(np.where(swap, half + teams // 2, half))
        away.append(np.where(swap, half, half + teams // 2))
    label = rng.permutation(teams)
    return label[np.concatenate(home)], label[np.concatenate(away)]


def _playing_days(season_year: int, games_per_team: int) -> Integers:
    """Return game days as offsets from the first day, without all-star break and Christmas Eve."""
    first, length = season_bounds(season_year, games_per_team)
    all_star = _weekday_from(dt.date(season_year + 1, 2, 14), _FRIDAY)
    free = {all_star + dt.timedelta(days=day) for day in range(_ALL_STAR_DAYS)}
    free.add(dt.date(season_year, 12, 24))
    return np.array(
        [day for day in range(length) if first + dt.timedelta(days=day) not in free],
        dtype=np.int64,
    )


def _assign_days(
    rng: np.random.Generator, home: Integers, away: Integers, days: Integers, teams: int
) -> Integers:
    """Return, per game, the index of its day; each day takes the most overdue games first."""
    weekday = (days + _TUESDAY) % 7
    share = _WEEKDAY_SHARE[weekday] * rng.uniform(0.85, 1.15, len(days))
    due = np.rint(np.cumsum(share) / share.sum() * len(home)).astype(np.int64)
    assigned = np.full(len(home), -1, dtype=np.int64)
    left = np.bincount(np.concatenate([home, away]), minlength=teams).astype(np.float64)
    played = np.zeros((len(days), teams), dtype=np.bool_)
    last_day = np.full(teams, -9, dtype=np.int64)
    run_start = np.full(teams, -9, dtype=np.int64)
    done = 0
    for index, day in enumerate(days.tolist()):
        open_games = np.flatnonzero(assigned < 0)
        tired = last_day == day - 1
        spent = tired & (run_start < day - 1)
        urgency = left - _BACK_TO_BACK_PENALTY * tired
        score = urgency[home[open_games]] + urgency[away[open_games]]
        score += rng.normal(0.0, _JITTER, len(open_games))
        busy = spent.copy()
        for game in open_games[np.argsort(-score, kind="stable")].tolist():
            if done >= due[index]:
                break
            one, two = home[game], away[game]
            if busy[one] or busy[two]:
                continue
            busy[[one, two]] = True
            played[index, [one, two]] = True
            left[[one, two]] -= 1
            assigned[game] = index
            done += 1
        today = played[index]
        run_start[today & ~tired] = day
        last_day[today] = day
    _place_leftovers(assigned, home, away, played)
    return assigned


def _place_leftovers(
    assigned: Integers, home: Integers, away: Integers, played: npt.NDArray[np.bool_]
) -> None:
    """Assign unplaced games to the latest day on which both teams are free."""
    for game in np.flatnonzero(assigned < 0).tolist():
        pair = [home[game], away[game]]
        free = np.flatnonzero(~played[:, pair].any(axis=1))
        if not len(free):
            raise BackcourtError(
                "the season has too few days for its games", "Simulate fewer games per team."
            )
        # Prefer days with few neighbouring games, so that no team plays four days in a row.
        crowd = np.array(
            [played[max(0, day - 2) : day + 3][:, pair].sum() for day in free.tolist()],
            dtype=np.int64,
        )
        day = free[np.lexsort((-free, crowd))[0]]
        played[day, pair] = True
        assigned[game] = day


def _weekday_from(day: dt.date, weekday: int) -> dt.date:
    return day + dt.timedelta(days=(weekday - day.weekday()) % 7)
