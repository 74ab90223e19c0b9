"""Simulates shots: zone, outcome, assist, block, coordinates and time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from python_workers.raw.schema import ZONE_LABELS
from python_workers.simulation.league import Players

RESTRICTED, PAINT, MID_RANGE, LEFT_CORNER, RIGHT_CORNER, ABOVE_BREAK, BACKCOURT = range(7)
LABELS = np.array(ZONE_LABELS)
PERIOD_SECONDS, OVERTIME_SECONDS = 720, 300

_MADE = np.array([0.655, 0.440, 0.420, 0.390, 0.390, 0.357, 0.030])
_ASSISTED = np.array([0.60, 0.44, 0.48, 0.94, 0.94, 0.80, 0.30])
_BLOCKED = np.array([0.170, 0.120, 0.045, 0.006, 0.006, 0.006, 0.0])

# The court in tenths of feet, with the hoop at the origin; the same limits label the shots.
_RESTRICTED_RADIUS = 40
_PAINT_HALF_WIDTH, _PAINT_DEPTH = 80, 138
_CORNER_DEPTH, _CORNER_X, _SIDELINE = 87, 220, 250
_ARC, _BASELINE, _HALF_COURT, _FAR_END = 238.0, -45, 420, 800

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Shots:
    """All shots of a season, one element each.

    Parameters
    ----------
    side
        Row of the shooter's team in the season's team-games: two per game.
    slot
        The shooter's place in that team's roster.
    zone
        Number of the zone's label.
    is_made, assist_slot, block_slot
        Outcome; slots of the assisting teammate and the blocking opponent, -1 for none.
    x, y
        Coordinates in tenths of feet.
    period, clock_seconds
        Period, and seconds left in it, to the tenth.
    """

    side: Integers
    slot: Integers
    zone: Integers
    is_made: Flags
    assist_slot: Integers
    block_slot: Integers
    x: Integers
    y: Integers
    period: Integers
    clock_seconds: Floats


def draw_shots(
    rng: np.random.Generator,
    players: Players,
    rosters: Integers,
    *,
    attempts: Integers,
    seconds: Integers,
    zone_defense: Floats,
    overtimes: Integers,
) -> Shots:
    """Draw every shot of a season, in order of game and time.

    Parameters
    ----------
    rng
        Random generator.
    players
        The league.
    rosters, attempts, seconds
        By team-game and slot: player number, field-goal attempts, seconds on court.
    zone_defense
        By team-game and zone: the opposing defence's effect on the probability of a basket.
    overtimes
        By team-game: overtime periods played.
    """
    side, slot = (np.repeat(index, attempts[attempts > 0]) for index in (attempts > 0).nonzero())
    shooter = rosters[side, slot]
    zone = _pick(rng, players.zones[shooter])
    chance = _MADE[zone] + players.shooting[shooter] + zone_defense[side, zone]
    is_made = rng.random(len(side)) < chance

    weight = seconds * players.playmaking[rosters]
    assist_slot = np.full(len(side), -1, dtype=np.int64)
    assisted = np.flatnonzero(is_made & (rng.random(len(side)) < _ASSISTED[zone]))
    assist_slot[assisted] = _pick_other(rng, weight, side[assisted], slot[assisted])

    weight = seconds * players.rebounding[rosters]
    block_slot = np.full(len(side), -1, dtype=np.int64)
    blocked = np.flatnonzero(~is_made & (rng.random(len(side)) < _BLOCKED[zone]))
    block_slot[blocked] = _pick(rng, weight[side[blocked] ^ 1])

    x, y = _places(rng, zone)
    length = 4 * PERIOD_SECONDS + OVERTIME_SECONDS * overtimes[side]
    moment = rng.random(len(side)) * length
    order = np.lexsort((moment, side // 2))
    period, clock = _clock(moment)
    return Shots(
        side=side[order],
        slot=slot[order],
        zone=zone[order],
        is_made=is_made[order],
        assist_slot=assist_slot[order],
        block_slot=block_slot[order],
        x=x[order],
        y=y[order],
        period=period[order],
        clock_seconds=clock[order],
    )


def _pick(rng: np.random.Generator, weights: Floats) -> Integers:
    """Draw one column per row, in proportion to the row's weights."""
    cumulated = np.cumsum(weights, axis=1)
    point = rng.random((len(weights), 1)) * cumulated[:, -1:]
    chosen: Integers = (cumulated <= point).sum(axis=1).astype(np.int64)
    return chosen


def _pick_other(
    rng: np.random.Generator, weights: Floats, side: Integers, slot: Integers
) -> Integers:
    """Draw a teammate, not the shooter himself, for each shooter."""
    own = weights[side]
    own[np.arange(len(side)), slot] = 0.0
    return _pick(rng, own)


def _clock(moment: Floats) -> tuple[Integers, Floats]:
    """Return the period and the seconds left in it, for times since the tip-off."""
    regulation = 4 * PERIOD_SECONDS
    extra = moment >= regulation
    length = np.where(extra, OVERTIME_SECONDS, PERIOD_SECONDS)
    since = np.where(extra, moment - regulation, moment)
    period = (since // length).astype(np.int64)
    left = length - (since - period * length)
    return period + 1 + 4 * extra, np.floor(left * 10) / 10


def _places(rng: np.random.Generator, zone: Integers) -> tuple[Integers, Integers]:
    """Return integer coordinates that the rules for coordinates assign to the zone."""
    x, y = np.zeros(len(zone), dtype=np.int64), np.zeros(len(zone), dtype=np.int64)
    for number, draw in enumerate(_DRAW):
        todo = np.flatnonzero(zone == number)
        while len(todo):
            drawn = draw(rng, len(todo))
            x[todo], y[todo] = (np.rint(values).astype(np.int64) for values in drawn)
            todo = todo[label_numbers(x[todo], y[todo], zone[todo] >= LEFT_CORNER) != number]
    return x, y


def label_numbers(x: Integers, y: Integers, is_three: Flags) -> Integers:
    """Return the number of the label that coordinates (tenths of feet) imply."""
    corner = np.where(x < 0, LEFT_CORNER, RIGHT_CORNER)
    in_paint = (np.abs(x) <= _PAINT_HALF_WIDTH) & (y <= _PAINT_DEPTH)
    return np.select(
        [
            y >= _HALF_COURT,
            x * x + y * y < _RESTRICTED_RADIUS**2,
            ~is_three & in_paint,
            ~is_three,
            y <= _CORNER_DEPTH,
        ],
        [BACKCOURT, RESTRICTED, PAINT, MID_RANGE, corner],
        ABOVE_BREAK,
    ).astype(np.int64)


def _polar(rng: np.random.Generator, radius: Floats, low: float, high: float) -> tuple[Floats, ...]:
    angle = np.deg2rad(rng.uniform(low, high, len(radius)))
    return radius * np.cos(angle), radius * np.sin(angle)


def _draw_restricted(rng: np.random.Generator, count: int) -> tuple[Floats, ...]:
    return _polar(rng, 38.0 * np.sqrt(rng.random(count)), -40.0, 220.0)


def _draw_paint(rng: np.random.Generator, count: int) -> tuple[Floats, ...]:
    return rng.uniform(-80, 80, count), rng.uniform(_BASELINE, _PAINT_DEPTH, count)


def _draw_mid_range(rng: np.random.Generator, count: int) -> tuple[Floats, ...]:
    x, y = _polar(rng, rng.uniform(82.0, _ARC - 8.0, count), -10.0, 190.0)
    # Beside the corners, keep two-point shots inside the three-point line.
    beside = (np.abs(x) > _CORNER_X - 6) & (y <= _CORNER_DEPTH + 5)
    return np.where(beside, x * 0.85, x), y


def _draw_corner(rng: np.random.Generator, count: int) -> tuple[Floats, ...]:
    return rng.uniform(_CORNER_X + 1, _SIDELINE - 8, count), rng.uniform(
        _BASELINE, _CORNER_DEPTH, count
    )


def _draw_left_corner(rng: np.random.Generator, count: int) -> tuple[Floats, ...]:
    x, y = _draw_corner(rng, count)
    return -x, y


def _draw_above_break(rng: np.random.Generator, count: int) -> tuple[Floats, ...]:
    return _polar(rng, _ARC + rng.gamma(1.6, 8.5, count), 22.0, 158.0)


def _draw_backcourt(rng: np.random.Generator, count: int) -> tuple[Floats, ...]:
    return rng.uniform(-240, 240, count), rng.uniform(_HALF_COURT, _FAR_END, count)


_DRAW = (
    _draw_restricted,
    _draw_paint,
    _draw_mid_range,
    _draw_left_corner,
    _draw_corner,
    _draw_above_break,
    _draw_backcourt,
)
