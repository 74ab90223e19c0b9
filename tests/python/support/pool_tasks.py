"""Tasks of the pool's tests; the module is light, since every worker process imports it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from multiprocessing import connection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from python_workers.pool.chunk import Chunk


class UnreadableError(Exception):
    """An error that cannot be unpickled: its constructor needs more than its text."""

    def __init__(self, player: int, zone: str) -> None:
        super().__init__(f"player {player} in {zone}")


def chunks_of(
    players: int, size: int, *, order: np.ndarray | None = None, **params: Any
) -> Iterator[Chunk]:
    """Give the players 0, 1, 2 … in chunks of `size`, in the order asked for."""
    everybody = np.arange(players, dtype=np.int64) if order is None else order
    for start in range(0, players, size):
        some = everybody[start : start + size]
        table = pa.table({"player": pa.array(some), "points": pa.array(some * 3 + 1)})
        yield Chunk(f"chunk {start // size}", {"games": table}, params)


def players_of(chunk: Chunk) -> list[int]:
    players: list[int] = chunk.tables["games"]["player"].to_pylist()
    return players


def halves(chunk: Chunk) -> list[Chunk]:
    games = chunk.tables["games"]
    middle = games.num_rows // 2
    parts = [games.slice(0, middle), games.slice(middle)]
    return [
        Chunk(f"{chunk.key}.{number}", {"games": part}, chunk.params)
        for number, part in enumerate(parts)
        if part.num_rows
    ]


def score(chunk: Chunk) -> pa.Table:
    """Compute the result that every test expects."""
    games = chunk.tables["games"]
    half = pc.divide(pc.cast(games["points"], pa.float64()), 7.0)
    return pa.table(
        {"player": games["player"], "score": half, "lost": pa.nulls(len(games), pa.string())}
    )


def lost_player(chunk: Chunk, reason: str) -> pa.Table:
    (player,) = players_of(chunk)
    return pa.table({"player": [player], "score": pa.array([None], pa.float64()), "lost": [reason]})


def score_or_die(chunk: Chunk) -> pa.Table:
    """Die, hang or raise at a chosen player: each time, or once if the params name a marker."""
    params = chunk.params
    met = set(players_of(chunk)) & set(params.get("at", ()))
    if met and _first_time(params.get("marker")):
        _meet(str(params["fate"]), min(met))
    return score(chunk)


def _first_time(marker: str | None) -> bool:
    if marker is None:
        return True
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _meet(fate: str, player: int) -> None:
    if fate == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fate == "exit":
        os._exit(3)
    elif fate == "abort":
        os.abort()
    elif fate == "hang":
        time.sleep(3600)
    elif fate == "killed while sending":
        _die_in("_send")
    elif fate == "killed while receiving":
        _die_in("_recv")
    elif fate == "error":
        raise ValueError(f"player {player} made 7 of 5")
    elif fate == "unreadable error":
        raise UnreadableError(player, "paint")


def _die_in(direction: str) -> None:
    """Let this process die after the first part of the next large message."""
    whole: Any = getattr(connection.Connection, direction)

    def part(self: Any, message: Any, *args: Any) -> Any:
        if direction == "_send" and len(message) > 100_000:
            os.write(self.fileno(), memoryview(message)[:50_000])
            os.kill(os.getpid(), signal.SIGKILL)
        if direction == "_recv" and message > 100_000:
            os.read(self.fileno(), 1_000)
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(self, message, *args)

    setattr(connection.Connection, direction, part)


def memory_for_one(chunk: Chunk) -> pa.Table:
    if chunk.tables["games"].num_rows > 1:
        raise MemoryError("no room for two players")
    return score(chunk)


def slow_score(chunk: Chunk) -> pa.Table:
    time.sleep(0.05)
    return score(chunk)


def imported_modules(chunk: Chunk) -> list[str]:
    score(chunk)
    return sorted(sys.modules)


def arrow_threads(_chunk: Chunk) -> int:
    return int(pa.cpu_count())


def process_id(_chunk: Chunk) -> int:
    return os.getpid()


def die_at_start(_parent: int) -> None:
    os._exit(1)
