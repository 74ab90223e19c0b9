"""The baseline: computes date by date, with one pandas frame per player, in a pool."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import pandas as pd
import pyarrow as pa

from python_workers.accounting.commits import RECORD_KEY
from python_workers.backfill.pool_stage import read_inputs
from python_workers.bench.per_player import (
    Batch,
    Record,
    compute_daily_cache,
    compute_shot_zones,
)
from python_workers.bench.per_player_factors import compute_composite_factors
from python_workers.processors.base import PoolWork, Processor
from python_workers.processors.catalogue import BY_KEY, POOL_PROCESSORS
from python_workers.processors.composite_factors import COMPOSITE_FACTORS
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.failures import FAILURE_SCHEMA, ChunkResult
from python_workers.processors.shot_zones import SHOT_ZONES
from python_workers.warehouse.base import TableChange, Warehouse

PoolKind = Literal["threads", "processes"]
Frames = Mapping[str, pd.DataFrame]

BASELINE_SCHEMA = "bench_baseline"
# Tasks per worker and date: enough to balance the work, few enough to send little data twice.
BATCHES_PER_WORKER = 4


@dataclass
class Sampled:
    """Measurements of a processor on the sampled dates."""

    dates: int = 0
    player_dates: int = 0
    seconds: float = 0.0

    @property
    def seconds_per_player_date(self) -> float:
        """Wall time per player and date."""
        return self.seconds / self.player_dates if self.player_dates else 0.0


@dataclass
class Baseline:
    """Measurements of the baseline on a sample of dates, by processor key."""

    pool: PoolKind
    jobs: int
    sampled: dict[str, Sampled] = field(default_factory=dict)

    def seconds_for(self, player_dates: Mapping[str, int]) -> float:
        """Extrapolate to the given numbers of player-dates."""
        return sum(
            sampled.seconds_per_player_date * player_dates[key]
            for key, sampled in self.sampled.items()
        )


def sample_dates(dates: Sequence[date], count: int) -> list[date]:
    """Return `count` evenly spread dates, so that the sample has early and late weeks."""
    if count >= len(dates):
        return list(dates)
    step = len(dates) / count
    return [dates[int(step * (position + 0.5))] for position in range(count)]


def measure_baseline(
    warehouse: Warehouse, dates: Sequence[date], pool: PoolKind, jobs: int
) -> Baseline:
    """Read, compute, hash and write the sampled dates one by one, in a warm pool.

    Parameters
    ----------
    warehouse
        The warehouse with inputs and upstream rows of the dates; the rows go to separate tables.
    dates
        The sample.
    pool, jobs
        Kind and size of the pool.
    """
    result = Baseline(pool, jobs)
    with _executor(pool, jobs) as executor:
        for processor in COMPARED:
            table = create_table(warehouse, processor)
            sampled = Sampled()
            for day in dates:
                began = time.perf_counter()
                tables = read_inputs(warehouse, processor, [day])
                done = compute_frames(processor.key, tables, executor, jobs)
                warehouse.commit([TableChange(table, RECORD_KEY, done.rows)])
                sampled.seconds += time.perf_counter() - began
                sampled.dates += 1
                sampled.player_dates += done.rows.num_rows + done.failures.num_rows
            result.sampled[processor.key] = sampled
    return result


def create_table(warehouse: Warehouse, processor: Processor) -> str:
    """Create the empty table for a processor's baseline rows, and return its name."""
    names = ", ".join(row_schema(processor.key).names)
    table = f"{BASELINE_SCHEMA}.{processor.key}"
    warehouse.execute(f"create schema if not exists {BASELINE_SCHEMA}")
    warehouse.execute(
        f"create or replace table {table} as "  # noqa: S608 our own names
        f"select {names} from {processor.table} where false"
    )
    return table


def equal_hashes(warehouse: Warehouse, dates: Sequence[date]) -> tuple[int, int]:
    """Return the number of baseline rows with the engine's hash, and the number of all rows.

    A row that only one of the two has counts as different.
    """
    equal = total = 0
    for processor in COMPARED:
        found = warehouse.query(
            f"""
            select
                count(*) filter (where ours.data_hash = theirs.data_hash) as equal,
                count(*) as total
            from (
                select * from {processor.table} where analysis_date in unnest(@days)
            ) as ours
            full outer join {BASELINE_SCHEMA}.{processor.key} as theirs
                using (analysis_date, player_id)
            """,  # noqa: S608 our own names
            {"days": list(dates)},
        ).to_pylist()[0]
        equal, total = equal + found["equal"], total + found["total"]
    return equal, total


def compute_frames(
    key: str, tables: Mapping[str, pa.Table], executor: Executor | None = None, jobs: int = 1
) -> ChunkResult:
    """Compute the player-dates of some inputs with one pandas frame per player.

    Parameters
    ----------
    key
        The processor.
    tables
        The processor's inputs of one date, as a worker of the engine receives them.
    executor, jobs
        The pool; without it, compute in this process.
    """
    players = tables["players"].to_pylist()
    frames = {name: table.to_pandas() for name, table in tables.items() if name != "players"}
    if "games" in frames:
        frames["games"] = frames["games"].sort_values("game_number", ascending=False)
    if executor is None:
        batches = [compute_batch(key, players, frames)]
    else:
        size = max(1, -(-len(players) // (jobs * BATCHES_PER_WORKER)))
        parts = [players[first : first + size] for first in range(0, len(players), size)]
        tasks = [
            executor.submit(compute_batch, key, part, _frames_of(part, frames)) for part in parts
        ]
        batches = [task.result() for task in tasks]
    return ChunkResult(
        _table([row for batch in batches for row in batch.rows], row_schema(key)),
        _table([row for batch in batches for row in batch.failures], FAILURE_SCHEMA),
    )


def compute_batch(key: str, players: Sequence[Record], frames: Mapping[str, pd.DataFrame]) -> Batch:
    """Compute some players of a date, each from his own frame; pool workers run this function."""
    batch = Batch()
    for player in players:
        own = {
            name: frame[frame["player_id"] == player["player_id"]]
            for name, frame in frames.items()
            if "player_id" in frame
        }
        _FORMULAS[key](player, own, frames, batch)
    return batch


def _shot_zones(player: Record, own: Frames, _frames: Frames, batch: Batch) -> None:
    compute_shot_zones(player, own["games"], batch)


def _daily_cache(player: Record, own: Frames, _frames: Frames, batch: Batch) -> None:
    compute_daily_cache(player, own["games"], own["psza"], batch)


def _composite_factors(player: Record, own: Frames, frames: Frames, batch: Batch) -> None:
    defenses = frames["tdza"]
    defense = defenses[defenses["team_abbr"] == player["opponent_team_abbr"]]
    compute_composite_factors(player, own["psza"], defense, batch)


_FORMULAS = {
    SHOT_ZONES.key: _shot_zones,
    DAILY_CACHE.key: _daily_cache,
    COMPOSITE_FACTORS.key: _composite_factors,
}
COMPARED = tuple(processor for processor in POOL_PROCESSORS if processor.key in _FORMULAS)
"""The processors whose formulas the baseline has, too."""


def row_schema(key: str) -> pa.Schema:
    """Return the columns of a processor's rows, with the hash at the end."""
    work = BY_KEY[key].work
    if not isinstance(work, PoolWork):
        raise TypeError(f"{key} is not computed by the pool")
    return work.output.schema.append(pa.field("data_hash", pa.string()))


def _frames_of(
    players: Sequence[Record], frames: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """Filter each frame to some players, so that no other rows are sent to a worker."""
    ids = [player["player_id"] for player in players]
    return {
        name: frame[frame["player_id"].isin(ids)] if "player_id" in frame else frame
        for name, frame in frames.items()
    }


def _table(records: list[Record], schema: pa.Schema) -> pa.Table:
    if not records:
        return schema.empty_table()
    return pa.Table.from_pandas(pd.DataFrame.from_records(records), schema, preserve_index=False)


@contextmanager
def _executor(pool: PoolKind, jobs: int) -> Iterator[Executor]:
    executor: Executor
    if pool == "threads":
        executor = ThreadPoolExecutor(jobs)
    else:
        # Spawn processes: a fork would break the parent's threads.
        executor = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    with executor:
        # Run one task per worker, so that each worker has finished its imports.
        list(executor.map(_warm, [0.2] * jobs))
        yield executor


def _warm(seconds: float) -> None:
    time.sleep(seconds)
