"""A chunk's rows as sorted segments: one per player and date, his games most recent first.

Rows arrive in any order. One integer key holds (analysis_date, player_id), so that sorting,
matching and grouping are single passes over one int64 array; sorted input skips the sort.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from python_workers.columnar.columns import (
    InputTableError,
    Integers,
    booleans,
    days,
    decoded,
    integers,
    iso_date,
    one_array,
)
from python_workers.columnar.rounding import BoolArray, IntArray

# 20 + 38 + 5 bits of a 63-bit key: dates within 1,400 years of 1970, player ids below 2.7e11,
# ranks up to 31.
_DATE_LIMIT = 2**19
_PLAYER_BITS = 38
_PLAYER_MASK = 2**_PLAYER_BITS - 1
_RANK_BITS = 5

Tables = Mapping[str, pa.Table]


def entity_keys(table: pa.Table) -> IntArray:
    """Return one integer per row; the integers sort and compare as (analysis_date, player_id).

    Raises
    ------
    ValueError
        If a date or player id is missing or beyond the range of a key.
    """
    dates = _bounded(days(table, "analysis_date"), "analysis_date", -_DATE_LIMIT, _DATE_LIMIT)
    players = _bounded(integers(table, "player_id"), "player_id", 0, 2**_PLAYER_BITS)
    return (dates << _PLAYER_BITS) | players


def sorted_entities(table: pa.Table, keys: IntArray) -> tuple[pa.Table, IntArray]:
    """Sort a table with one row per player and date by its keys.

    Raises
    ------
    ValueError
        If a player has two rows on one date.
    """
    order = _sorting(keys)
    if order is not None:
        table, keys = table.take(pa.array(order)), keys[order]
    repeated = np.flatnonzero(keys[1:] == keys[:-1])
    if len(repeated):
        raise ValueError(f"{_named(int(keys[repeated[0]]))} has more than one row")
    return table, keys


def rows_of(keys: IntArray, table: pa.Table) -> Integers:
    """Find the row of `table` that belongs to each key.

    Parameters
    ----------
    keys
        Sorted keys.
    table
        At most one row per (analysis_date, player_id), in any order.

    Returns
    -------
    Integers
        Row numbers; missing where the table has no row.
    """
    return match(keys, entity_keys(table))


def match(
    wanted: IntArray, present: IntArray, named: Callable[[int], str] | None = None
) -> Integers:
    """Find the position in `present` of each wanted key; missing where `present` lacks the key.

    Parameters
    ----------
    wanted, present
        Keys, in any order.
    named
        Gives the text for a key in an error message.

    Raises
    ------
    ValueError
        If `present` has a key twice.
    """
    order = _sorting(present)
    ordered = present if order is None else present[order]
    repeated = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(repeated):
        raise ValueError(f"{(named or _named)(int(ordered[repeated[0]]))} has more than one row")
    if not len(ordered):
        return Integers(np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_))
    position = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    found = ordered[position] == wanted
    rows = position if order is None else order[position]
    return Integers(rows.astype(np.int64), found)


@dataclass(frozen=True)
class GameSegments:
    """The games of each player and date, most recent first.

    Parameters
    ----------
    table
        The game rows in their order of arrival.
    order
        The permutation that sorts them; None if they arrived sorted.
    dates
        Per sorted row, its analysis date.
    starts, counts
        Per player: his first sorted row, and how many he has.
    ranks_are_gapless
        Per player: whether his ranks are 1, 2, ... without gap or repetition.
    """

    table: pa.Table
    order: IntArray | None
    dates: IntArray
    starts: IntArray
    counts: IntArray
    ranks_are_gapless: BoolArray

    def integers(self, name: str) -> Integers:
        """Read a column of whole numbers, in sorted order."""
        return self._sorted(integers(self.table, name))

    def flags(self, name: str) -> BoolArray:
        """Read a column of flags, in sorted order."""
        values = booleans(self.table, name)
        return values if self.order is None else values[self.order]

    def days(self, name: str) -> Integers:
        """Read a column of dates as day numbers, in sorted order."""
        return self._sorted(days(self.table, name))

    def sums(self, values: IntArray, *ranks: int) -> list[IntArray]:
        """Sum a sorted column over each player's games of rank 1 to n, for each n of `ranks`.

        A difference of running totals is exact even where the totals overflow and wrap around.
        """
        running = np.zeros(len(values) + 1, dtype=np.int64)
        np.cumsum(values, out=running[1:])
        before = running[self.starts]
        return [running[self.starts + np.minimum(self.counts, n)] - before for n in ranks]

    def tallies(self, mask: BoolArray | None, *ranks: int) -> list[IntArray]:
        """Count the games of rank 1 to n for which `mask` is True; None counts all games."""
        if mask is None or mask.all():
            return [np.minimum(self.counts, n) for n in ranks]
        return self.sums(mask.astype(np.int64), *ranks)

    def owners(self, rows: IntArray) -> IntArray:
        """Return the player (his position in `starts`) of each sorted row."""
        with_games = np.flatnonzero(self.counts)
        position = np.searchsorted(self.starts[with_games], rows, side="right") - 1
        found: IntArray = with_games[position]
        return found

    def cells(self, name: str, rows: IntArray) -> list[object]:
        """Return the values of a column at some sorted rows."""
        at = rows if self.order is None else self.order[rows]
        values: list[object] = self.table.column(name).take(pa.array(at)).to_pylist()
        return values

    def described(self, row: int) -> str:
        """Return "the game of 2021-10-19" for a sorted row."""
        return f"the game of {self.cells('game_date', np.array([row]))[0]}"

    def restricted(self, players: BoolArray) -> GameSegments:
        """Return the same games, for some of the players only."""
        return replace(
            self,
            starts=self.starts[players],
            counts=self.counts[players],
            ranks_are_gapless=self.ranks_are_gapless[players],
        )

    def _sorted(self, column: Integers) -> Integers:
        return column if self.order is None else column.take(self.order)


def game_segments(games: pa.Table, keys: IntArray, deepest_rank: int) -> GameSegments:
    """Sort game rows and find the segment of each player and date.

    Parameters
    ----------
    games
        Rows of (analysis_date, player_id, game_rank); rank 0 stands for "no game".
    keys
        The sorted keys of the players.
    deepest_rank
        The highest rank, that is the oldest game, that the processor reads.

    Raises
    ------
    InputTableError
        If a game belongs to none of the players.
    ValueError
        If a rank, date or id is out of range.
    """
    ranks = _bounded(integers(games, "game_rank"), "game_rank", 0, deepest_rank + 1)
    if not ranks.all():
        games, ranks = games.filter(pa.array(ranks > 0)), ranks[ranks > 0]
    packed = (entity_keys(games) << _RANK_BITS) | ranks
    order = _sorting(packed)
    if order is not None:
        packed = packed[order]
    entities = packed >> _RANK_BITS
    edges = np.flatnonzero(entities[1:] != entities[:-1]) + 1
    limits = np.concatenate([[0], edges, [len(entities)]]) if len(entities) else edges
    first, sizes = limits[:-1], np.diff(limits)
    at = match(entities[first], keys)
    if at.valid is not None and not at.valid.all():
        stranger = int(entities[first][~at.valid][0])
        raise InputTableError(f"{_named(stranger)} has games but no player row")
    rank_mask = (1 << _RANK_BITS) - 1
    gapless = (packed[first] & rank_mask == 1) & (packed[first + sizes - 1] & rank_mask == sizes)
    repeated = np.flatnonzero(packed[1:] == packed[:-1])
    gapless[np.searchsorted(first, repeated, side="right") - 1] = False
    starts, counts = np.zeros((2, len(keys)), dtype=np.int64)
    whole = np.ones(len(keys), dtype=np.bool_)
    starts[at.values], counts[at.values], whole[at.values] = first, sizes, gapless
    return GameSegments(games, order, entities >> _PLAYER_BITS, starts, counts, whole)


def team_rows(players: pa.Table, team_column: str, teams: pa.Table) -> Integers:
    """Find the row of `teams` that belongs to each player's date and team.

    Parameters
    ----------
    players
        Rows of (analysis_date, `team_column`, ...).
    team_column
        The column that names the player's team.
    teams
        At most one row per (analysis_date, team_abbr), in any order.

    Returns
    -------
    Integers
        Row numbers; missing where the table has no row.
    """
    names = [decoded(one_array(players, team_column)), decoded(one_array(teams, "team_abbr"))]
    encoded = pa.concat_arrays([name.cast(pa.string()) for name in names]).dictionary_encode()
    codes = pc.fill_null(encoded.indices, len(encoded.dictionary))
    numbers = codes.to_numpy(zero_copy_only=False).astype(np.int64)
    dates = [
        _bounded(days(table, "analysis_date"), "analysis_date", -_DATE_LIMIT, _DATE_LIMIT)
        for table in (players, teams)
    ]
    keys = (np.concatenate(dates) << _PLAYER_BITS) | numbers

    def named(key: int) -> str:
        team = encoded.dictionary[key & _PLAYER_MASK]
        return f"team {team} on {iso_date(key >> _PLAYER_BITS)}"

    return match(keys[: players.num_rows], keys[players.num_rows :], named)


def _sorting(keys: IntArray) -> IntArray | None:
    """Return the permutation that sorts the keys, None if they are sorted."""
    if (keys[1:] >= keys[:-1]).all():
        return None
    return np.argsort(keys, kind="stable")


def _bounded(column: Integers, name: str, low: int, high: int) -> IntArray:
    if column.valid is not None:
        raise InputTableError(f"{name} is missing in {int((~column.valid).sum())} rows")
    values = column.values
    if values.size and (int(values.min()) < low or int(values.max()) >= high):
        beyond = values[(values < low) | (values >= high)][0]
        raise ValueError(f"{name} is {beyond}, outside {low} to {high - 1}")
    return values


def _named(key: int) -> str:
    date = iso_date(key >> _PLAYER_BITS)
    return f"player {key & _PLAYER_MASK} on {date}"
