"""Narrows an exception down to the entity that causes it; all others keep their rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from python_workers.columnar.columns import (
    InputTableError,
    days,
    integers,
    require_columns,
)
from python_workers.columnar.rounding import BoolArray, IntArray
from python_workers.columnar.segments import Tables
from python_workers.processors.failures import (
    PROCESSING_ERROR,
    ChunkResult,
    Failed,
    error_reason,
    failure_rows,
)

__all__ = [
    "ChunkResult",
    "Compute",
    "compute_isolated",
    "entity_count",
    "entity_tables",
    "failed_chunk",
    "halves",
    "set_apart",
]

Compute = Callable[[Tables, Mapping[str, object]], ChunkResult]
"""A processor's pure function."""

ALL_GAMES = 2**62
"""A window deeper than every season."""


def compute_isolated(
    compute: Compute, tables: Tables, params: Mapping[str, object], deepest: int = ALL_GAMES
) -> ChunkResult:
    """Compute a chunk; if that raises, record the failing entities and compute the others.

    Parameters
    ----------
    compute
        A processor's pure function.
    tables
        The input; ``players`` has one row per entity, which is a player on a date.
    params
        The plain values.
    deepest
        The greatest number of games that a window holds.

    Returns
    -------
    ChunkResult
        The result of `compute` for the chunk without the failing entities, and one PROCESSING_ERROR
        for each of these, with the exception's type and message.

    Raises
    ------
    Exception
        If `compute` raises for a chunk without entities, or raises `InputTableError`: the whole
        input is unusable, so no entity has failed.
    """
    try:
        return compute(tables, params)
    except InputTableError:
        raise
    except Exception as error:  # noqa: BLE001 -- no exception may cost others their rows
        empty = compute(_without_entities(tables), params)
        return _narrowed(compute, tables, params, deepest, empty, error)


def failed_chunk(
    compute: Compute, tables: Tables, params: Mapping[str, object], reason: str
) -> ChunkResult:
    """Return a PROCESSING_ERROR for every entity of a chunk.

    Parameters
    ----------
    compute, tables, params
        As for `compute_isolated`; `compute` runs only on a chunk without entities.
    reason
        The text of each failure.
    """
    return ChunkResult(compute(_without_entities(tables), params).rows, _failures(tables, reason))


def entity_count(tables: Tables) -> int:
    """Return the number of entities in a chunk."""
    return len(_first_rows(tables["players"]))


def halves(tables: Tables, deepest: int = ALL_GAMES) -> list[dict[str, pa.Table]]:
    """Split a chunk into two, each with half of the entities and what belongs to them.

    Parameters
    ----------
    tables
        ``players`` has one row per entity. A table with ``player_id`` and ``analysis_date`` is
        split by both, a table with one of the two by that one. Of a table with ``game_number``, a
        part has the games in the windows of its entities.
    deepest
        The greatest number of games that a window holds.

    Returns
    -------
    list
        Two chunks in order of (analysis_date, player_id); one if there are fewer than two entities.
    """
    first_rows = _first_rows(tables["players"])
    if len(first_rows) < 2:
        return [dict(tables)]
    dates, players = _keys(tables["players"])
    middle = first_rows[len(first_rows) // 2]
    day, player = dates[middle], players[middle]

    def is_earlier(dates: IntArray, players: IntArray) -> BoolArray:
        earlier: BoolArray = (dates < day) | ((dates == day) & (players < player))
        return earlier

    return [
        _selected(tables, is_earlier, deepest),
        _selected(tables, lambda dates, players: ~is_earlier(dates, players), deepest),
    ]


def set_apart(
    tables: Tables, players: Collection[int], deepest: int = ALL_GAMES
) -> list[dict[str, pa.Table]]:
    """Separate some players from a chunk, and put each of their entities into its own chunk.

    Parameters
    ----------
    tables, deepest
        As for `halves`.
    players
        Ids of the players; the chunk need not contain all of them.

    Returns
    -------
    list
        The chunk of all other players, if there are any, and then the chunks of single entities in
        order of (analysis_date, player_id).
    """
    dates, ids = _keys(tables["players"])
    first_rows = _first_rows(tables["players"])
    named = np.array(sorted(players), np.int64)
    theirs = first_rows[np.isin(ids[first_rows], named)]
    parts = []
    if len(theirs) < len(first_rows):
        parts.append(_selected(tables, lambda _dates, players: ~np.isin(players, named), deepest))
    parts += [_entity(tables, dates[at], ids[at], deepest) for at in theirs]
    return parts


def entity_tables(
    tables: Tables, day: date, player: int, deepest: int = ALL_GAMES
) -> dict[str, pa.Table]:
    """Return the inputs of one entity, the games of its window among them.

    Parameters
    ----------
    tables, deepest
        As for `halves`.
    day, player
        The entity.
    """
    number = np.datetime64(day, "D").astype(np.int64)
    return _entity(tables, number, np.int64(player), deepest)


def _entity(tables: Tables, day: np.int64, player: np.int64, deepest: int) -> dict[str, pa.Table]:
    return _selected(tables, lambda dates, players: (dates == day) & (players == player), deepest)


def _selected(
    tables: Tables, select: Callable[[IntArray, IntArray], BoolArray], deepest: int
) -> dict[str, pa.Table]:
    """Return the selected entities with what belongs to them."""
    players = tables["players"]
    selected = players.filter(pa.array(select(*_keys(players))))
    part = {}
    for name, table in tables.items():
        columns = set(table.column_names)
        if {"analysis_date", "player_id"} <= columns:
            part[name] = table.filter(pa.array(select(*_keys(table))))
        elif "game_number" in columns:
            part[name] = _games_of(selected, table, deepest)
        else:
            key = next(key for key in ("analysis_date", "player_id") if key in columns)
            part[name] = table.filter(pc.is_in(table.column(key), selected.column(key)))
    return part


def _games_of(players: pa.Table, games: pa.Table, deepest: int) -> pa.Table:
    """Return the games in the windows of the given players, and those between a player's windows.

    Compare plain numbers instead of keys: a value that no key can hold may be among them.
    """
    windows = pa.table(
        {
            name: players.column(name).cast(pa.int64())
            for name in ("season_year", "player_id", "actual_game_count")
        }
    )
    reached = windows.group_by(["season_year", "player_id"]).aggregate(
        [("actual_game_count", "min"), ("actual_game_count", "max")]
    )
    own = pa.table(
        {
            "row": pa.array(np.arange(games.num_rows)),
            **{
                name: games.column(name).cast(pa.int64())
                for name in ("season_year", "player_id", "game_number")
            },
        }
    ).join(reached, ["season_year", "player_id"], join_type="inner")
    number = own.column("game_number")
    after = pc.subtract(own.column("actual_game_count_min"), deepest)
    held = pc.and_(
        pc.greater(number, after), pc.less_equal(number, own.column("actual_game_count_max"))
    )
    return games.take(own.column("row").filter(held).combine_chunks().sort())


def _narrowed(
    compute: Compute,
    tables: Tables,
    params: Mapping[str, object],
    deepest: int,
    empty: ChunkResult,
    error: Exception,
) -> ChunkResult:
    parts = halves(tables, deepest)
    if len(parts) == 1:
        return ChunkResult(empty.rows, _failures(tables, error_reason(error)))
    results = []
    for part in parts:
        try:
            results.append(compute(part, params))
        except Exception as inner:  # noqa: BLE001 -- as above
            results.append(_narrowed(compute, part, params, deepest, empty, inner))
    return ChunkResult(
        pa.concat_tables([result.rows for result in results]).combine_chunks(),
        pa.concat_tables([result.failures for result in results]).combine_chunks(),
    )


def _without_entities(tables: Tables) -> dict[str, pa.Table]:
    return {name: table.slice(0, 0) for name, table in tables.items()}


def _failures(tables: Tables, reason: str) -> pa.Table:
    at = _first_rows(tables["players"])
    players = tables["players"].take(pa.array(at))
    return failure_rows(players, [Failed(np.arange(len(at)), PROCESSING_ERROR, [reason] * len(at))])


def _first_rows(players: pa.Table) -> IntArray:
    """Return a row of each entity, in order of (analysis_date, player_id)."""
    require_columns(players, "players", ("analysis_date", "player_id", "player_lookup"))
    dates, ids = _keys(players)
    order = np.lexsort((ids, dates))
    dates, ids = dates[order], ids[order]
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = (dates[1:] != dates[:-1]) | (ids[1:] != ids[:-1])
    return order[first]


def _keys(table: pa.Table) -> tuple[IntArray, IntArray]:
    return days(table, "analysis_date").values, integers(table, "player_id").values
