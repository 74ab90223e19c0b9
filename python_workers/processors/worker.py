"""The functions that the pool runs: compute, split and merge chunks of a processor."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

import pyarrow as pa

from python_workers.pool.chunk import Chunk
from python_workers.processors.base import PoolWork
from python_workers.processors.catalogue import PROCESSORS
from python_workers.processors.failures import ChunkResult
from python_workers.processors.isolation import (
    compute_isolated,
    failed_chunk,
    halves,
    set_apart,
)
from python_workers.processors.output_digests import output_digests
from python_workers.runtime import injected_faults as faults

_WORK: Mapping[str, PoolWork] = {
    processor.key: processor.work
    for processor in PROCESSORS
    if isinstance(processor.work, PoolWork)
}


def compute_task(chunk: Chunk) -> ChunkResult:
    """Compute a chunk; after an exception, only the entity that causes it has no row.

    A worker makes the output digests, too, since the parent is what more workers wait for.
    """
    compute = faults.wrapped(_work(chunk).compute, chunk.params)
    result = compute_isolated(compute, chunk.tables, chunk.params, _work(chunk).window)
    rows, dates = result.rows, chunk.tables["players"].column("analysis_date")
    digests = output_digests(
        dates.unique().to_pylist(),
        rows.column("analysis_date"),
        rows.column("data_hash"),
        result.failures,
    )
    return replace(result, digests=digests)


def split_chunk(chunk: Chunk) -> list[Chunk]:
    """Halve a chunk by its entities; a chunk with a single entity stays whole."""
    return [
        Chunk(f"{chunk.key}.{number}", part, chunk.params)
        for number, part in enumerate(halves(chunk.tables, _work(chunk).window), start=1)
    ]


def player_of(chunk: Chunk) -> int:
    """Return the player of a chunk with a single entity."""
    player: int = chunk.tables["players"].column("player_id")[0].as_py()
    return player


def set_players_apart(chunk: Chunk, players: AbstractSet[Hashable]) -> list[Chunk]:
    """Return the chunk without some players, followed by one chunk per entity of theirs."""
    ids = {player for player in players if isinstance(player, int)}
    parts = set_apart(chunk.tables, ids, _work(chunk).window)
    return [
        Chunk(f"{chunk.key}.{number}", part, chunk.params)
        for number, part in enumerate(parts, start=1)
    ]


def lost_entity(chunk: Chunk, reason: str) -> ChunkResult:
    """Return the result for a single entity that always kills its worker."""
    return failed_chunk(_work(chunk).compute, chunk.tables, chunk.params, reason)


def merge_results(results: list[ChunkResult]) -> ChunkResult:
    """Merge the results for the parts of a chunk, in order of date and player.

    A date may be in several parts, so the digests of the parts are left out.
    """
    order = [("analysis_date", "ascending"), ("player_id", "ascending")]
    rows = pa.concat_tables([result.rows for result in results])
    failures = pa.concat_tables([result.failures for result in results])
    return ChunkResult(
        rows.sort_by(order).combine_chunks(), failures.sort_by(order).combine_chunks()
    )


def _work(chunk: Chunk) -> PoolWork:
    return _WORK[str(chunk.params["processor"])]
