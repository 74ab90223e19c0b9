"""Made-up players and rosters: names, talents, injuries, trades, turnover between seasons."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TEAMS = (
    "ATL", "BOS", "BKN", "CHA", "CHI", "CLE", "DAL", "DEN", "DET", "GSW",
    "HOU", "IND", "LAC", "LAL", "MEM", "MIA", "MIL", "MIN", "NOP", "NYK",
    "OKC", "ORL", "PHI", "PHX", "POR", "SAC", "SAS", "TOR", "UTA", "WAS",
)  # fmt: skip
ZONES = 7
ROSTER_SLOTS = 17
# Above every id the NBA has given, so that a simulated player cannot be confused with a real one.
FIRST_PLAYER_ID = 9_000_001

_FIRST_NAMES = (
    "Alden", "Bastiën", "Cairo", "D'Marro", "Emeka", "Fitz", "Goran", "Hollis", "Ivo", "Jarek",
    "Kéllan", "Lorcan", "Matteus", "Nkosi", "Orlin", "Pavel", "Quint", "Ruben", "Sávio", "Tariq",
    "Ulises", "Vaughn", "Wendell", "Xavi", "Yannick", "Zoran", "Amari", "Briggs", "Caspian", "Dov",
    "Eskil", "Faron", "Gideon", "Hakeem", "Isandro", "Jean-Luc", "Kofi", "Leif", "Moses", "Niall",
)  # fmt: skip
_LAST_NAMES = (
    "Abernant", "Bellweather", "Carrowmore", "Dravić", "Eastlake", "Farrowby", "Gantry", "Holloway",
    "Ibarrondo", "Jessop", "Kestrelle", "Lindqvist", "Marchbank", "Nwosu-Hart", "O'Farrelly",
    "Pemberley", "Quillon", "Rademaker", "Šimunek", "Thistlewood", "Umber", "Valcourt", "Whitlock",
    "Xanthos", "Yarrow", "Zielonka", "Ashgrove", "Brannigan", "Coldwater", "Denholm", "Ellery",
    "Fennimore", "Greaves", "Harkaway", "Ilves", "Jankauskas", "Kovalenko", "Larchmont", "Mbaye",
    "Norwood", "Okonjo", "Pellegrin", "Ravensworth", "Sandoval", "Tremaine", "Uddin", "Vandermeer",
    "Winterbourne", "Yilmaz", "Zafar",
)  # fmt: skip
_POSITIONS = ("G", "G-F", "F", "F-C", "C")
_POSITION_SHARE = (0.36, 0.12, 0.30, 0.10, 0.12)
# Attempts by zone for guards and for centres; the other positions lie between. Order: restricted
# area, rest of the paint, mid-range, left corner, right corner, above the break, backcourt.
_GUARD_ZONES = np.array([0.207, 0.174, 0.127, 0.054, 0.050, 0.385, 0.003])
_CENTRE_ZONES = np.array([0.510, 0.245, 0.070, 0.021, 0.021, 0.132, 0.001])
_CENTRE_SHARE = np.array([0.0, 0.12, 0.28, 0.65, 1.0])
_ZONE_SPREAD = 28.0

_INJURY_A_DAY = 0.012
_RECOVERY_A_DAY = 0.085
_RETIREMENT_AGE = 36.0
_TURNOVER = 0.14
_TRADES_A_TEAM = 0.45
_MID_SEASON, _DEADLINE = 0.45, 0.64

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Players:
    """All players of the league, one element (or row) per player.

    Parameters
    ----------
    ids, names, positions, births
        Identity; births are days.
    strength
        Quality, mean 0 and deviation 1: decides minutes and, a little, shooting.
    usage, playmaking, rebounding, shooting, free_throws
        Weights and rates of their actions on court.
    zones
        Share of attempts by zone, players by `ZONES`.
    """

    ids: Integers
    names: npt.NDArray[np.str_]
    positions: npt.NDArray[np.str_]
    births: npt.NDArray[np.datetime64]
    strength: Floats
    usage: Floats
    playmaking: Floats
    rebounding: Floats
    shooting: Floats
    free_throws: Floats
    zones: Floats

    def __len__(self) -> int:
        """Return the number of players."""
        return len(self.ids)


@dataclass(frozen=True)
class Rosters:
    """The rosters of all teams during one season.

    Parameters
    ----------
    first_days
        First day of each period, as offset from the season's first day; ascending from 0.
    slots
        Player numbers by period, team and slot; -1 where a slot is empty.
    """

    first_days: Integers
    slots: Integers

    def on(self, days: Integers, teams: Integers) -> Integers:
        """Return the rosters of teams on days, shape (n, `ROSTER_SLOTS`)."""
        period = np.searchsorted(self.first_days, days, side="right") - 1
        found: Integers = self.slots[period, teams]
        return found


def draw_players(rng: np.random.Generator, count: int, start: int, year: int) -> Players:
    """Draw players number ``start`` to ``start + count``; rookies unless ``start`` is 0.

    Parameters
    ----------
    rng
        Random generator.
    count, start
        Number of new players, and of existing ones; names do not repeat.
    year
        Year in which the season starts, for the players' ages.
    """
    position = rng.choice(len(_POSITIONS), count, p=_POSITION_SHARE)
    centre = _CENTRE_SHARE[position][:, None]
    zones = _GUARD_ZONES * (1 - centre) + _CENTRE_ZONES * centre
    zones = rng.standard_gamma(zones * _ZONE_SPREAD) + 1e-6
    strength = rng.normal(0.0, 1.0, count) - (0.4 if start else 0.0)
    age = rng.uniform(19.0, 23.0, count) if start else 19.0 + rng.gamma(3.2, 2.1, count)
    births = np.datetime64(dt.date(year, 10, 1), "D") - np.rint(
        np.clip(age, 19.0, 39.5) * 365.25
    ).astype("timedelta64[D]")
    return Players(
        ids=FIRST_PLAYER_ID + np.arange(start, start + count, dtype=np.int64),
        names=_names(start, count),
        positions=np.array(_POSITIONS)[position],
        births=births,
        strength=strength,
        usage=np.exp(0.22 * strength + rng.normal(0.0, 0.18, count)),
        playmaking=np.exp(-1.1 * centre[:, 0] + 0.3 * strength + rng.normal(0.0, 0.35, count)),
        rebounding=np.exp(1.0 * centre[:, 0] + rng.normal(0.0, 0.25, count)),
        shooting=0.006 * strength + rng.normal(0.0, 0.015, count),
        free_throws=np.clip(0.78 - 0.1 * centre[:, 0] + rng.normal(0.0, 0.07, count), 0.45, 0.95),
        zones=zones / zones.sum(axis=1, keepdims=True),
    )


def join(one: Players, two: Players) -> Players:
    """Concatenate two groups of players."""
    return Players(
        *(
            np.concatenate([getattr(one, field.name), getattr(two, field.name)])
            for field in dataclasses.fields(Players)
        )
    )


def fill_rosters(
    rng: np.random.Generator, before: tuple[Players, Integers] | None, teams: int, year: int
) -> tuple[Players, Integers]:
    """Return the league with its rookies, and the opening-day rosters, teams by slots.

    Parameters
    ----------
    rng
        Random generator.
    before
        The league and its rosters at the end of the previous season; ``None`` in the first.
    teams, year
        Number of teams, and the year in which the season starts.
    """
    slots = np.full((teams, ROSTER_SLOTS), -1, dtype=np.int64)
    if before is not None:
        players, slots = before[0], before[1].copy()
        age = (np.datetime64(dt.date(year, 10, 1), "D") - players.births).astype(np.int64) / 365.25
        leaves = rng.random(len(players)) < _TURNOVER
        leaves |= age > _RETIREMENT_AGE + rng.normal(0.0, 1.0, len(players))
        slots[(slots >= 0) & leaves[slots]] = -1
        # Some players change teams in the summer.
        rows, columns = (slots >= 0).nonzero()
        movers = rng.permutation(len(rows))[: len(rows) // 8]
        slots[rows[movers], columns[movers]] = rng.permutation(slots[rows[movers], columns[movers]])
    sizes = rng.integers(15, ROSTER_SLOTS + 1, teams)
    empty = (slots < 0) & (np.cumsum(slots < 0, axis=1) <= (sizes - (slots >= 0).sum(1))[:, None])
    count = int(empty.sum())
    start = 0 if before is None else len(before[0])
    slots[empty] = start + rng.permutation(count)
    rookies = draw_players(rng, count, start, year)
    return (rookies if before is None else join(before[0], rookies)), slots


def season_rosters(
    rng: np.random.Generator, players: Players, opening: Integers, year: int, length: int
) -> tuple[Players, Rosters]:
    """Return the season's rosters: call-ups in mid-season, trades at the deadline in February.

    Parameters
    ----------
    rng
        Random generator.
    players, opening
        The league and the opening-day rosters.
    year, length
        Year in which the season starts, and its length in days.
    """
    teams = len(opening)
    called_up = opening.copy()
    # A newcomer replaces the weakest player of every third team.
    receivers = rng.permutation(teams)[: max(1, teams // 3)]
    strength = np.where(opening >= 0, players.strength[opening], np.inf)
    newcomers = len(players) + np.arange(len(receivers))
    called_up[receivers, strength[receivers].argmin(axis=1)] = newcomers
    players = join(players, draw_players(rng, len(receivers), len(players), year))

    traded = called_up.copy()
    partners = rng.permutation(teams)[: 2 * max(1, int(teams * _TRADES_A_TEAM / 2))]
    for one, two in partners.reshape(-1, 2).tolist():
        for _ in range(int(rng.integers(1, 3))):
            slot_one = rng.choice(np.flatnonzero(traded[one] >= 0))
            slot_two = rng.choice(np.flatnonzero(traded[two] >= 0))
            traded[one, slot_one], traded[two, slot_two] = (
                traded[two, slot_two],
                traded[one, slot_one],
            )
    first_days = np.array([0, int(length * _MID_SEASON), int(length * _DEADLINE)], dtype=np.int64)
    return players, Rosters(first_days, np.stack([opening, called_up, traded]))


def draw_injuries(rng: np.random.Generator, players: int, days: int) -> npt.NDArray[np.bool_]:
    """Return which players are injured on which days, for about twelve days each."""
    hurt = np.zeros((players, days), dtype=np.bool_)
    state = rng.random(players) < _INJURY_A_DAY / (_INJURY_A_DAY + _RECOVERY_A_DAY)
    for day in range(days):
        chance = rng.random(players)
        state = np.where(state, chance >= _RECOVERY_A_DAY, chance < _INJURY_A_DAY)
        hurt[:, day] = state
    return hurt


def _names(start: int, count: int) -> npt.NDArray[np.str_]:
    """Return invented, unique names, except for one pair of players who share a name."""
    combinations = len(_FIRST_NAMES) * len(_LAST_NAMES)
    names: list[str] = []
    for number in range(start, start + count):
        # A step coprime to the number of combinations visits all of them before repeating one.
        first, last = divmod(number * 1_009 % combinations, len(_LAST_NAMES))
        suffix = " Jr." if number % 23 == 11 else ""
        generation = f" {'I' * (1 + number // combinations)}" if number >= combinations else ""
        names.append(f"{_FIRST_NAMES[first]} {_LAST_NAMES[last]}{suffix}{generation}")
    if not start and count > 1:
        names[count // 2] = names[1]
    return np.array(names)
