"""The games of a chunk, each once, and the window of games that each player has on each date.

A game has its number within the player's season. A player who has `n` games before a date has the
window of the games `n`, `n - 1` and so on. Arithmetic on these numbers finds the windows. Dates on
which a player has the same window share it, so that its sums are computed once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from python_workers.columnar.columns import (
    Integers,
    booleans,
    days,
    integers,
)
from python_workers.columnar.rounding import BoolArray, IntArray
from python_workers.columnar.segments import PLAYER_BITS, bounded, sorting

# 12 + 38 + 10 bits of a 63-bit key: season, player, number of the game.
_SEASON_LIMIT = 2**12
_NUMBER_BITS = 10
_NUMBER_LIMIT = 2**_NUMBER_BITS

# Later than every date, so that a game without a date counts as too late.
_NO_DATE = 2**40


@dataclass(frozen=True)
class GameWindows:
    """Games in order of (season, player, number), and windows of them.

    Parameters
    ----------
    table
        The game rows in their order of arrival.
    order
        The permutation that sorts them; None if they arrived sorted.
    dates
        Per sorted game its day number; later than every date if it is missing.
    ends, counts
        Per window: the position after its most recent game, and how many games it has.
    of_entity
        Per player and date: his window.
    repeated, disordered
        Positions of games with the same number as the game before, or with an earlier date.
    """

    table: pa.Table
    order: IntArray | None
    dates: IntArray
    ends: IntArray
    counts: IntArray
    of_entity: IntArray
    repeated: IntArray
    disordered: IntArray

    def integers(self, name: str) -> Integers:
        """Read a column of whole numbers, in sorted order."""
        return self._sorted(integers(self.table, name))

    def flags(self, name: str) -> BoolArray:
        """Read a column of flags, in sorted order."""
        values = booleans(self.table, name)
        return values if self.order is None else values[self.order]

    def sums(self, values: IntArray, *games: int) -> list[IntArray]:
        """Sum a sorted column over the last n games of each window, for each n of `games`.

        A difference of running totals is exact even where the totals overflow and wrap around.
        """
        running = np.zeros(len(values) + 1, dtype=np.int64)
        np.cumsum(values, out=running[1:])
        until = running[self.ends]
        return [until - running[self.ends - np.minimum(self.counts, n)] for n in games]

    def tallies(self, mask: BoolArray | None, *games: int) -> list[IntArray]:
        """Count the last n games of each window for which `mask` is True; None counts all games."""
        if mask is None or mask.all():
            return [np.minimum(self.counts, n) for n in games]
        return self.sums(mask.astype(np.int64), *games)

    def last_dates(self) -> IntArray:
        """Return the date of the most recent game of each window; `_NO_GAME` without games."""
        if not len(self.dates):
            return np.full(len(self.ends), _NO_GAME)
        return np.where(self.counts > 0, self.dates[self.ends - 1], _NO_GAME)

    def most_recent(self, games: IntArray) -> Integers:
        """Return, per window, the most recent of the given games (sorted positions) in it."""
        if not len(games):
            return Integers(np.zeros_like(self.ends), np.zeros(len(self.ends), np.bool_))
        at = np.searchsorted(games, self.ends) - 1
        found = games[np.maximum(at, 0)]
        inside = (at >= 0) & (found >= self.ends - self.counts)
        return Integers(np.where(inside, found, 0), inside)

    def cells(self, name: str, games: IntArray) -> list[object]:
        """Return the values of a column at some sorted positions."""
        at = games if self.order is None else self.order[games]
        values: list[object] = self.table.column(name).take(pa.array(at)).to_pylist()
        return values

    def described(self, game: int) -> str:
        """Return "the game of 2021-10-19" for a sorted position."""
        return f"the game of {self.cells('game_date', np.array([game]))[0]}"

    def restricted(self, entities: BoolArray) -> GameWindows:
        """Return the windows of some of the players and dates."""
        used = np.zeros(len(self.ends), dtype=np.bool_)
        kept = self.of_entity[entities]
        used[kept] = True
        renumbered = np.cumsum(used) - 1
        return replace(
            self, ends=self.ends[used], counts=self.counts[used], of_entity=renumbered[kept]
        )

    def _sorted(self, column: Integers) -> Integers:
        return column if self.order is None else column.take(self.order)


# Before every date, so that a window without games is never too late.
_NO_GAME = -_NO_DATE


def game_windows(games: pa.Table, players: pa.Table, deepest: int) -> GameWindows:
    """Sort games and find the window of each player and date.

    Parameters
    ----------
    games
        Rows of (season_year, player_id, game_number, game_date), in any order; games that belong to
        no window are ignored.
    players
        Rows of (season_year, player_id, actual_game_count), one per player and date.
    deepest
        The greatest number of games that a window holds.

    Raises
    ------
    ValueError
        If a season, player id or game number is out of range.
    """
    numbers = bounded(integers(games, "game_number"), "game_number", 1, _NUMBER_LIMIT)
    keys = (_seasons_of_players(games) << _NUMBER_BITS) | numbers
    order = sorting(keys)
    dated = days(games, "game_date")
    dates = np.where(dated.known(), dated.values, _NO_DATE)
    if order is not None:
        keys, dates = keys[order], dates[order]
    actual = integers(players, "actual_game_count")
    until = np.clip(np.where(actual.known(), actual.values, 0), 0, _NUMBER_LIMIT - 1)
    wanted, of_entity = np.unique(
        (_seasons_of_players(players) << _NUMBER_BITS) | until, return_inverse=True
    )
    depth = np.minimum(wanted & (_NUMBER_LIMIT - 1), deepest)
    ends = np.searchsorted(keys, wanted, side="right")
    counts = ends - np.searchsorted(keys, wanted - depth, side="right")
    same_season = keys[1:] >> _NUMBER_BITS == keys[:-1] >> _NUMBER_BITS
    return GameWindows(
        games,
        order,
        dates,
        ends,
        counts,
        of_entity,
        repeated=np.flatnonzero(keys[1:] == keys[:-1]) + 1,
        disordered=np.flatnonzero(same_season & (dates[1:] < dates[:-1])) + 1,
    )


def _seasons_of_players(table: pa.Table) -> IntArray:
    seasons = bounded(integers(table, "season_year"), "season_year", 0, _SEASON_LIMIT)
    players = bounded(integers(table, "player_id"), "player_id", 0, 2**PLAYER_BITS)
    return (seasons << PLAYER_BITS) | players
