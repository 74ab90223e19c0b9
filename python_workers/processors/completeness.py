"""Completeness: the share of a player's actual games in a window that has data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from python_workers.columnar.columns import Integers, decimal_array
from python_workers.columnar.rounding import BoolArray, IntArray, round_half_even
from python_workers.columnar.windows import GameWindows
from python_workers.columnar.workings import note

# Smallest percentage of its games with data that makes a window complete.
COMPLETE_MIN_PCT = 90
PCT_DECIMALS = 2

FEW_GAMES, MANY_GAMES = 5, 10
DAYS = (7, 14)

WINDOWS = (f"l{FEW_GAMES}", f"l{MANY_GAMES}", *(f"l{n}d" for n in DAYS))
"""The four windows, as in the names of their columns."""


def pct_formula(window: str) -> str:
    """Return the formula of a window's completeness; an empty window is complete."""
    there, expected = f"{window}_known_games", f"{window}_expected_games"
    return f"round(100 * {there} / {expected}, {PCT_DECIMALS}) if {expected} > 0 else 100"


def complete_formula(window: str) -> str:
    """Return the formula of whether a window is complete."""
    return f"100 * {window}_known_games >= {COMPLETE_MIN_PCT} * {window}_expected_games"


def window_completeness(
    games: GameWindows, available: BoolArray, load: Mapping[str, Integers]
) -> dict[str, pa.Array]:
    """Return the completeness percentage and flag of each of the four windows, and of all.

    There is one value per player and date.

    Parameters
    ----------
    games
        The games and the windows of the players, up to ten games each.
    available
        Per sorted game, whether it has a box score.
    load
        Per player, numbers of actual games in the last 7 and 14 days, and of those with a box
        score.
    """
    tallies = games.tallies(available, FEW_GAMES, MANY_GAMES)
    in_5, in_10 = (tally[games.of_entity] for tally in tallies)
    counts = games.counts[games.of_entity]
    windows = {
        "l5": (in_5, np.minimum(counts, FEW_GAMES)),
        "l10": (in_10, np.minimum(counts, MANY_GAMES)),
    }
    windows |= {f"l{n}d": _day_window(load, n) for n in DAYS}
    columns = {}
    complete = []
    for window, (there, expected) in windows.items():
        some = expected > 0
        # An empty window expects no games, so it is complete.
        pct = np.where(some, round_half_even(100 * there, expected, PCT_DECIMALS, some), 100_00)
        complete.append(_is_complete(there, expected))
        note(**{f"{window}_known_games": there, f"{window}_expected_games": expected})
        columns[f"{window}_completeness_pct"] = decimal_array(Integers(pct), PCT_DECIMALS)
        columns[f"{window}_is_complete"] = pa.array(complete[-1])
    columns["all_windows_complete"] = pa.array(np.logical_and.reduce(complete))
    columns["cache_quality_score"] = columns["l5_completeness_pct"]
    return columns


def day_windows_complete(load: Mapping[str, Integers]) -> BoolArray:
    """Return for which players both windows of days are complete."""
    complete: BoolArray = np.logical_and.reduce([_is_complete(*_day_window(load, n)) for n in DAYS])
    return complete


def day_window_reasons(load: Mapping[str, Integers], at: IntArray) -> list[str]:
    """State for the given players which windows of days are incomplete.

    The dates of the missing games are unknown: those games are before the player's last ten.
    """
    windows = {n: tuple(column[at] for column in _day_window(load, n)) for n in DAYS}
    return [
        " and ".join(
            f"{expected[i] - there[i]} of the {expected[i]} games of the last {n} days"
            for n, (there, expected) in windows.items()
            if not _is_complete(there[i], expected[i])
        )
        + " without a box score"
        for i in range(len(at))
    ]


def _day_window(load: Mapping[str, Integers], days: int) -> tuple[IntArray, IntArray]:
    return (
        load[f"known_games_in_last_{days}_days"].values,
        load[f"actual_games_in_last_{days}_days"].values,
    )


def _is_complete(there: IntArray, expected: IntArray) -> BoolArray:
    complete: BoolArray = 100 * there >= COMPLETE_MIN_PCT * expected
    return complete
