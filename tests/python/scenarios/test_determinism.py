"""The same inputs give the same bytes for any chunks, jobs, backend and order of rows."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python_workers.accounting.ledger import Ledger
from python_workers.accounting.processed_dates import BOOKKEEPING
from python_workers.accounting.run_records import Run
from python_workers.backfill.pool_stage import PoolOptions, run_pool_stage
from python_workers.processors.base import Processor
from python_workers.processors.composite_factors import COMPOSITE_FACTORS
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.shot_zones import SHOT_ZONES
from python_workers.warehouse.base import Statement, TableChange
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.engine import Engine

pytestmark = pytest.mark.slow

DATES = 7
# Processors without upstream, and those that read their rows.
STAGES: tuple[tuple[Processor, ...], ...] = ((SHOT_ZONES,), (COMPOSITE_FACTORS, DAILY_CACHE))

Bytes = dict[str, bytes]


class ShuffledWarehouse:
    """Returns rows in another order and other pieces each time, and records commits unwritten.

    Parameters
    ----------
    warehouse
        Where they are.
    seed
        Of the order; None leaves everything as it is.
    """

    def __init__(self, warehouse: DuckDBWarehouse, seed: int | None) -> None:
        self._warehouse = warehouse
        self._random = None if seed is None else np.random.default_rng(seed)
        self._lock = threading.Lock()
        self.changes: list[TableChange] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._warehouse, name)

    def query(
        self, sql: str, params: Mapping[str, object] | None = None, *, narrow: bool = False
    ) -> pa.Table:
        found = self._warehouse.query(sql, params, narrow=narrow)
        if self._random is None or not found.num_rows:
            return found
        with self._lock:
            order = self._random.permutation(found.num_rows)
            cut = int(self._random.integers(found.num_rows + 1))
        shuffled = found.take(pa.array(order))
        return pa.concat_tables([shuffled.slice(0, cut), shuffled.slice(cut)])

    def commit(self, changes: Sequence[TableChange], statements: Sequence[Statement] = ()) -> None:  # noqa: ARG002 its signature
        self.changes += changes


@pytest.fixture(scope="module")
def stages(
    simulated: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Sequence[tuple[DuckDBWarehouse, Ledger, list[dt.date], Sequence[Processor]]]:
    """Return, for each stage, a warehouse without its outputs."""
    found = []
    for number, processors in enumerate(STAGES):
        engine = simulated.copy(tmp_path_factory.mktemp(f"stage{number}"))
        engine.execute(
            *(f"delete from {processor.table}" for processor in processors),
            "delete from nba_processing.precompute_failures",
        )
        warehouse = DuckDBWarehouse(engine.path)
        days = [
            row["analysis_date"]
            for row in warehouse.query(
                "select distinct analysis_date from nba_precompute.player_daily_cache_inputs "
                "order by analysis_date desc limit @dates",
                {"dates": DATES},
            ).to_pylist()
        ][::-1]
        found.append((warehouse, Ledger.read(warehouse, days[0], days[-1]), days, processors))
    return found


@pytest.fixture(scope="module")
def expected(stages: Sequence[Any]) -> Bytes:
    return outcome(stages, PoolOptions(n_jobs=1, backend="threading", chunk_dates=DATES), None)


def outcome(stages: Sequence[Any], options: PoolOptions, seed: int | None) -> Bytes:
    """Run both stages and return what they would have committed, by table."""
    run = Run("run", "backfill", dt.datetime(2022, 7, 1, tzinfo=dt.UTC))
    rows: dict[str, list[pa.Table]] = {}
    for warehouse, ledger, days, processors in stages:
        shuffled = ShuffledWarehouse(warehouse, seed)
        run_pool_stage(
            shuffled,
            replace(ledger, current=dict(ledger.current), stored=dict(ledger.stored)),
            run,
            [(processor, days) for processor in processors],
            options,
        )
        for change in shuffled.changes:
            if change.rows is not None:
                rows.setdefault(change.table, []).append(change.rows)
    return {table: as_bytes(pa.concat_tables(parts)) for table, parts in rows.items()}


def as_bytes(rows: pa.Table) -> bytes:
    """Return rows as bytes in the order of their keys, without times and run ids."""
    kept = [name for name in rows.column_names if name not in (*BOOKKEEPING, "seconds")]
    kept = [name for name in kept if name not in ("started_at", "finished_at")]
    keys = [key for key in ("processor_name", "analysis_date", "player_id") if key in kept]
    ordered = rows.select(kept).sort_by([(key, "ascending") for key in keys]).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, ordered.schema) as writer:
        writer.write_table(ordered)
    return bytes(sink.getvalue())


@settings(max_examples=8)
@given(
    chunk_dates=st.integers(1, DATES + 1),
    commit_rows=st.integers(1, 5_000),
    n_jobs=st.integers(1, 4),
    backend=st.sampled_from(["loky", "threading"]),
    seed=st.integers(0, 2**32),
)
def test_chunks_jobs_backend_and_order_change_no_byte(
    stages: Sequence[Any],
    expected: Bytes,
    chunk_dates: int,
    commit_rows: int,
    n_jobs: int,
    backend: Literal["loky", "threading"],
    seed: int,
) -> None:
    options = PoolOptions(
        n_jobs=n_jobs, backend=backend, chunk_dates=chunk_dates, commit_rows=commit_rows
    )
    assert outcome(stages, options, seed) == expected


def test_the_slice_holds_rows_and_failures_of_every_processor(expected: Bytes) -> None:
    assert {Path(table).suffix[1:] for table in expected} == {
        "player_shot_zone_analysis",
        "player_composite_factors",
        "player_daily_cache",
        "precompute_failures",
        "processor_runs",
        "processed_dates",
    }
