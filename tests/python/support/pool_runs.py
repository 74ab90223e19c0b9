"""Runs chunks through a pool, and returns their results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.compute as pc

from python_workers.pool.chunk import Chunk
from python_workers.pool.run_chunks import run_chunks
from tests.python.support.pool_tasks import (
    chunks_of,
    halves,
    lost_player,
    score,
)


def run(chunks: Iterator[Chunk], worker: Callable[[Chunk], Any] = score, **options: Any) -> Any:
    defaults: dict[str, Any] = {"n_jobs": 2, "split": halves, "on_lost_entity": lost_player}
    return run_chunks(chunks, worker, **(defaults | options))


def rows(results: Any) -> pa.Table:
    """Put the results of a run together as a warehouse would hold them."""
    return pa.concat_tables([result for _, result in results]).sort_by("player").combine_chunks()


def as_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def expected(players: int) -> pa.Table:
    (whole,) = chunks_of(players, players)
    return score(whole)


def lost_in(table: pa.Table) -> dict[int, str]:
    lost = table.filter(pc.is_valid(table["lost"]))
    return dict(zip(lost["player"].to_pylist(), lost["lost"].to_pylist(), strict=True))


def without(player: int, table: pa.Table) -> pa.Table:
    return table.filter(pc.not_equal(table["player"], player)).combine_chunks()


def worker_processes() -> list[psutil.Process]:
    """Return the pool's processes under this one."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "popen_loky" in " ".join(child.cmdline())
    ]
