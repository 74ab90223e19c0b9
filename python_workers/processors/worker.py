"""The functions that the pool runs: compute, split and merge chunks of a processor."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from collections.abc import Set as AbstractSet

import pyarrow as pa

from python_workers.pool.chunk import Chunk
from python_workers.processors.base import PoolWork
from python_workers.processors.catalogue import PROCESSORS
from python_workers.processors.failures import ChunkResult
from python_workers.processors.isolation import (
    Compute,
    compute_isolated,
    failed_chunk,
    halves,
    set_apart,
)
from python_workers.runtime import injected_faults as faults

COMPUTE: Mapping[str, Compute] = {
    processor.key: processor.work.compute
    for processor in PROCESSORS
    if isinstance(processor.work, PoolWork)
}


def compute_task(chunk: Chunk) -> ChunkResult:
    """Compute a chunk; after an exception, only the entity that causes it has no row."""
    return compute_isolated(_compute_of(chunk), chunk.tables, chunk.params)


def split_chunk(chunk: Chunk) -> list[Chunk]:
    """Halve a chunk by its entities; a chunk with a single entity stays whole."""
    return [
        Chunk(f"{chunk.key}.{number}", part, chunk.params)
        for number, part in enumerate(halves(chunk.tables), start=1)
    ]


def player_of(chunk: Chunk) -> int:
    """Return the player of a chunk with a single entity."""
    player: int = chunk.tables["players"].column("player_id")[0].as_py()
    return player


def set_players_apart(chunk: Chunk, players: AbstractSet[Hashable]) -> list[Chunk]:
    """Return the chunk without some players, followed by one chunk per entity of theirs."""
    parts = set_apart(chunk.tables, {player for player in players if isinstance(player, int)})
    return [
        Chunk(f"{chunk.key}.{number}", part, chunk.params)
        for number, part in enumerate(parts, start=1)
    ]


def lost_entity(chunk: Chunk, reason: str) -> ChunkResult:
    """Return the result for a single entity that always kills its worker."""
    return failed_chunk(COMPUTE[_key(chunk)], chunk.tables, chunk.params, reason)


def merge_results(results: list[ChunkResult]) -> ChunkResult:
    """Merge the results for the parts of a chunk, in order of date and player."""
    order = [("analysis_date", "ascending"), ("player_id", "ascending")]
    rows = pa.concat_tables([result.rows for result in results])
    failures = pa.concat_tables([result.failures for result in results])
    return ChunkResult(
        rows.sort_by(order).combine_chunks(), failures.sort_by(order).combine_chunks()
    )


def _key(chunk: Chunk) -> str:
    return str(chunk.params["processor"])


def _compute_of(chunk: Chunk) -> Compute:
    return faults.wrapped(COMPUTE[_key(chunk)], chunk.params)
