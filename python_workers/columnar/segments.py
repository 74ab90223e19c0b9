"""Keys of a chunk's rows, and which row belongs to which key.

Rows arrive in any order. One integer key holds (analysis_date, player_id), so that sorting and
matching are single passes over one int64 array; sorted input skips the sort.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from python_workers.columnar.columns import (
    InputTableError,
    Integers,
    days,
    decoded,
    integers,
    iso_date,
    one_array,
)
from python_workers.columnar.rounding import IntArray

# 20 + 38 bits of a 63-bit key: dates within 1,400 years of 1970, player ids below 2.7e11.
_DATE_LIMIT = 2**19
PLAYER_BITS = 38
_PLAYER_MASK = 2**PLAYER_BITS - 1

Tables = Mapping[str, pa.Table]


def entity_keys(table: pa.Table) -> IntArray:
    """Return one integer per row; the integers sort and compare as (analysis_date, player_id).

    Raises
    ------
    ValueError
        If a date or player id is missing or beyond the range of a key.
    """
    dates = bounded(days(table, "analysis_date"), "analysis_date", -_DATE_LIMIT, _DATE_LIMIT)
    players = bounded(integers(table, "player_id"), "player_id", 0, 2**PLAYER_BITS)
    return (dates << PLAYER_BITS) | players


def sorted_entities(table: pa.Table, keys: IntArray) -> tuple[pa.Table, IntArray]:
    """Sort a table with one row per player and date by its keys.

    Raises
    ------
    ValueError
        If a player has two rows on one date.
    """
    order = sorting(keys)
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
    order = sorting(present)
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
        bounded(days(table, "analysis_date"), "analysis_date", -_DATE_LIMIT, _DATE_LIMIT)
        for table in (players, teams)
    ]
    keys = (np.concatenate(dates) << PLAYER_BITS) | numbers

    def named(key: int) -> str:
        team = encoded.dictionary[key & _PLAYER_MASK]
        return f"team {team} on {iso_date(key >> PLAYER_BITS)}"

    return match(keys[: players.num_rows], keys[players.num_rows :], named)


def sorting(keys: IntArray) -> IntArray | None:
    """Return the permutation that sorts the keys, None if they are sorted."""
    if (keys[1:] >= keys[:-1]).all():
        return None
    return np.argsort(keys, kind="stable")


def bounded(column: Integers, name: str, low: int, high: int) -> IntArray:
    """Return the values of a column that has a value from `low` to ``high - 1`` in each row.

    Raises
    ------
    InputTableError
        If a value is missing.
    ValueError
        If a value is out of range.
    """
    if column.valid is not None:
        raise InputTableError(f"{name} is missing in {int((~column.valid).sum())} rows")
    values = column.values
    if values.size and (int(values.min()) < low or int(values.max()) >= high):
        beyond = values[(values < low) | (values >= high)][0]
        raise ValueError(f"{name} is {beyond}, outside {low} to {high - 1}")
    return values


def _named(key: int) -> str:
    date = iso_date(key >> PLAYER_BITS)
    return f"player {key & _PLAYER_MASK} on {date}"
