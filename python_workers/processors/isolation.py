"""Narrows an exception down to the entity that causes it; all others keep their rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import pyarrow as pa

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
    "failed_chunk",
    "halves",
    "set_apart",
]

Compute = Callable[[Tables, Mapping[str, object]], ChunkResult]
"""A processor's pure function."""


def compute_isolated(compute: Compute, tables: Tables, params: Mapping[str, object]) -> ChunkResult:
    """Compute a chunk; if that raises, record the failing entities and compute the others.

    Parameters
    ----------
    compute
        A processor's pure function.
    tables
        The input; ``players`` has one row per entity, which is a player on a date.
    params
        The plain values.

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
        return _narrowed(compute, tables, params, empty, error)


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


def halves(tables: Tables) -> list[dict[str, pa.Table]]:
    """Split a chunk into two, each with half of the entities and their rows.

    Parameters
    ----------
    tables
        Tables with an ``analysis_date``; those with a ``player_id`` are split by both.

    Returns
    -------
    list
        Two chunks in order of (analysis_date, player_id); one if there are fewer than two entities.
    """
    first_rows = _first_rows(tables["players"])
    if len(first_rows) < 2:
        return [dict(tables)]
    dates, players = _keys(tables["players"])
    last, middle = first_rows[len(first_rows) // 2 - 1 : len(first_rows) // 2 + 1]
    before: dict[str, pa.Table] = {}
    after: dict[str, pa.Table] = {}
    for name, table in tables.items():
        if "player_id" in table.column_names:
            table_dates, table_players = _keys(table)
            earlier: BoolArray = (table_dates < dates[middle]) | (
                (table_dates == dates[middle]) & (table_players < players[middle])
            )
            before[name], after[name] = (
                table.filter(pa.array(mask)) for mask in (earlier, ~earlier)
            )
        else:
            table_dates = days(table, "analysis_date").values
            before[name] = table.filter(pa.array(table_dates <= dates[last]))
            after[name] = table.filter(pa.array(table_dates >= dates[middle]))
    return [before, after]


def set_apart(tables: Tables, players: Collection[int]) -> list[dict[str, pa.Table]]:
    """Separate some players from a chunk, and put each of their entities into its own chunk.

    Parameters
    ----------
    tables
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
        parts.append(_selected(tables, lambda _dates, players: ~np.isin(players, named)))
    parts += [_entity(tables, dates[at], ids[at]) for at in theirs]
    return parts


def _entity(tables: Tables, date: np.int64, player: np.int64) -> dict[str, pa.Table]:
    part = _selected(tables, lambda dates, players: (dates == date) & (players == player))
    for name, table in tables.items():
        if "player_id" not in table.column_names:
            part[name] = table.filter(pa.array(days(table, "analysis_date").values == date))
    return part


def _selected(
    tables: Tables, select: Callable[[IntArray, IntArray], BoolArray]
) -> dict[str, pa.Table]:
    return {
        name: table.filter(pa.array(select(*_keys(table))))
        if "player_id" in table.column_names
        else table
        for name, table in tables.items()
    }


def _narrowed(
    compute: Compute,
    tables: Tables,
    params: Mapping[str, object],
    empty: ChunkResult,
    error: Exception,
) -> ChunkResult:
    parts = halves(tables)
    if len(parts) == 1:
        return ChunkResult(empty.rows, _failures(tables, error_reason(error)))
    results = []
    for part in parts:
        try:
            results.append(compute(part, params))
        except Exception as inner:  # noqa: BLE001 -- as above
            results.append(_narrowed(compute, part, params, empty, inner))
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
