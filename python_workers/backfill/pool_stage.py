"""The compute stage: computes many dates in the pool, and commits chunk by chunk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from python_workers.accounting.commits import Commit, commit_of_pool_rows
from python_workers.accounting.ledger import Ledger, no_mark
from python_workers.accounting.run_records import Counts, Run
from python_workers.choices import BackendName
from python_workers.errors import BackcourtError, ExitCode
from python_workers.pool.chunk import Chunk
from python_workers.pool.run_chunks import (
    HANG_SECONDS,
    count_workers,
    run_chunks,
    start_workers,
)
from python_workers.processors.base import Games, PoolWork, Processor, waves
from python_workers.processors.catalogue import BY_KEY, PROCESSORS
from python_workers.processors.failures import ChunkResult
from python_workers.processors.output_digests import NOTHING_DIGEST
from python_workers.processors.worker import (
    compute_task,
    lost_entity,
    merge_results,
    player_of,
    set_players_apart,
    split_chunk,
)
from python_workers.runtime import injected_faults as faults
from python_workers.runtime.signals import stop_if_received
from python_workers.runtime.tuning import return_free_memory
from python_workers.warehouse.base import TableChange, Warehouse
from python_workers.warehouse.job_labels import labelling

COMMIT_SECONDS = 10.0
SIDE_BY_SIDE = max(
    sum(isinstance(processor.work, PoolWork) for processor in wave) for wave in waves(PROCESSORS)
)
"""Most processors that the pool computes at the same time."""


@dataclass(frozen=True)
class PoolOptions:
    """How the pool runs.

    Parameters
    ----------
    n_jobs, backend, scheduler
        As in `run_chunks`.
    chunk_dates
        Game dates in a chunk, which is one pool task.
    commit_rows
        Smallest number of records (or failures) in a commit, which may hold several chunks; all
        commits are about equally large. 1 commits each chunk by itself. A crash loses chunks that
        are not committed yet.
    commit_seconds
        Longest time that a chunk waits for its commit.
    hang_seconds
        A chunk that takes longer counts as hung.
    exchange_dir
        Folder for the files of `exchange_stage`; None sends chunks and results through the parent.
    """

    n_jobs: int = -1
    backend: BackendName = "loky"
    scheduler: str | None = None
    chunk_dates: int = 40
    commit_rows: int = 1
    commit_seconds: float = COMMIT_SECONDS
    hang_seconds: float = HANG_SECONDS
    exchange_dir: Path | None = None

    def for_dates(self, dates: int) -> PoolOptions:
        """Limit the number of workers to the number of chunks that run at a time."""
        chunks = SIDE_BY_SIDE * -(-dates // self.chunk_dates)
        return replace(self, n_jobs=max(min(count_workers(self.n_jobs), chunks), 1))


def check_pool(options: PoolOptions) -> None:
    """Refuse a cluster or an exchange folder that cannot be used, before anything is computed."""
    if options.exchange_dir is not None:
        try:
            options.exchange_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BackcourtError(
                f"cannot create the exchange folder {options.exchange_dir}: {error.strerror}",
                "Name a folder that this machine and all workers may write to.",
                ExitCode.ENVIRONMENT,
            ) from error
    if options.backend == "dask" and options.scheduler is not None:
        from python_workers.pool.dask_backend import cluster  # noqa: PLC0415 -- an optional extra

        with cluster(options.scheduler):
            pass


def prepare_pool(options: PoolOptions) -> None:
    """Start the worker processes in advance; do not wait for them."""
    if options.backend == "loky":
        start_workers(count_workers(options.n_jobs))


class Guard(Protocol):
    """Daily mode's hooks around the computation of a chunk."""

    def mark(self, processor: Processor, day: date) -> str:
        """Return daily mode's decisions as a text; if it changes, the date is due again."""
        ...

    def params(self, processor: Processor) -> dict[str, object]:
        """Return additional plain values for the worker."""
        ...

    def hold_back(self, processor: Processor, tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
        """Remove the players from a chunk that must not be computed."""
        ...

    def complete(
        self, processor: Processor, result: ChunkResult
    ) -> tuple[ChunkResult, list[TableChange]]:
        """Add the failures of the removed players to a result; return other changes to commit."""
        ...


def run_pool_stage(
    warehouse: Warehouse,
    ledger: Ledger,
    run: Run,
    work: Sequence[tuple[Processor, Sequence[date]]],
    options: PoolOptions,
    on_commit: Callable[[Processor, Commit], None] = lambda _processor, _commit: None,
    guard: Guard | None = None,
) -> dict[str, Counts]:
    """Compute the given dates of the given processors, which must not read each other's rows.

    Reading the next chunk, computing and committing overlap; the rows, failures and run records of
    a date become visible together.

    Parameters
    ----------
    warehouse, ledger, run
        The warehouse, what has been computed, and the current run.
    work
        Dates by processor.
    options
        How the pool runs.
    on_commit
        Called after each commit.
    guard
        Daily mode's checks; a backfill has none.

    Returns
    -------
    dict
        Counts by processor key.
    """
    totals = {processor.key: Counts() for processor, dates in work if dates}
    days_of: dict[str, tuple[Processor, Sequence[date]]] = {}
    chunks = _chunks(warehouse, work, options.chunk_dates, days_of, guard)
    results = run_chunks(
        chunks,
        compute_task,
        n_jobs=options.n_jobs,
        backend=options.backend,
        scheduler=options.scheduler,
        split=split_chunk,
        merge=merge_results,
        name_entity=player_of,
        set_apart=set_players_apart,
        on_lost_entity=lost_entity,
        hang_seconds=options.hang_seconds,
    )
    if not totals:
        return totals
    batches = {processor.key: _Batch(processor, len(dates)) for processor, dates in work}
    last = time.perf_counter()
    with warehouse.beside_workers(), closing(results):
        for chunk, result in results:
            processor, days = days_of.pop(chunk.key)
            changes: list[TableChange] = []
            if guard is not None:
                result, changes = guard.complete(processor, result)  # noqa: PLW2901 -- the same one
            now = time.perf_counter()
            batches[processor.key].add(days, result, changes, now, now - last)
            last = now
            for batch in batches.values():
                if batch.is_due(options, now):
                    # Return the memory of the commit's tables, which are the largest of all.
                    totals[batch.processor.key].add(
                        _commit(warehouse, ledger, run, batch, on_commit, guard)
                    )
                    return_free_memory()
            stop_if_received()
    return totals


class _Batch:
    """Computed chunks of a processor that wait for a commit."""

    def __init__(self, processor: Processor, dates_to_come: int) -> None:
        self.processor = processor
        self._dates_to_come = dates_to_come
        self._began = 0.0
        self.clear()

    def clear(self) -> None:
        """Empty the batch after a commit."""
        self.days: list[date] = []
        self.changes: list[TableChange] = []
        self.seconds = 0.0
        self._results: dict[date, ChunkResult] = {}

    def add(
        self,
        days: Sequence[date],
        result: ChunkResult,
        changes: Sequence[TableChange],
        now: float,
        seconds: float,
    ) -> None:
        """Add a chunk's dates, its result, and other changes to commit with it."""
        if not self.days:
            self._began = now
        self.days += days
        self.changes += changes
        self.seconds += seconds
        self._results[days[0]] = result
        self._dates_to_come -= len(days)

    def is_due(self, options: PoolOptions, now: float) -> bool:
        """Tell whether to commit the batch now."""
        if not self.days:
            return False
        results = self._results.values()
        records = sum(result.rows.num_rows for result in results)
        rows = max(records, sum(result.failures.num_rows for result in results))
        # Aim at equal commits: a small last one would be written through DuckDB's log.
        total = rows + rows * self._dates_to_come / len(self.days)
        commits = max(total // options.commit_rows, 1)
        return (
            not self._dates_to_come
            or now - self._began >= options.commit_seconds
            or rows * commits >= total > 0
        )

    def take(self) -> ChunkResult:
        """Return all results in order of date, whatever the order of completion."""
        results = [result for _, result in sorted(self._results.items(), key=lambda item: item[0])]
        return ChunkResult(
            pa.concat_tables([result.rows for result in results]),
            pa.concat_tables([result.failures for result in results]),
            self._digests(results),
        )

    def _digests(self, results: Sequence[ChunkResult]) -> dict[date, str] | None:
        """Return the digests that workers made; None if they did not make those of all chunks."""
        found = dict.fromkeys(self.days, NOTHING_DIGEST)
        for result in results:
            if result.digests is None:
                return None
            found |= result.digests
        return found


def _commit(
    warehouse: Warehouse,
    ledger: Ledger,
    run: Run,
    batch: _Batch,
    on_commit: Callable[[Processor, Commit], None],
    guard: Guard | None,
) -> Counts:
    mark = guard.mark if guard else no_mark
    result = batch.take()
    with labelling(processor=batch.processor.key):
        commit = commit_of_pool_rows(
            warehouse,
            batch.processor,
            run,
            {
                day: ledger.what_is_read(batch.processor, day, mark(batch.processor, day))
                for day in sorted(batch.days)
            },
            result.rows,
            result.failures,
            batch.seconds / len(batch.days),
            digests=result.digests,
            altered=ledger.altered_dates(batch.processor, batch.days),
        )
        faults.crash_point("before-commit")
        warehouse.commit([*commit.changes, *batch.changes], commit.statements)
        faults.crash_point("after-commit")
    ledger.record(batch.processor, commit.records)
    batch.clear()
    on_commit(batch.processor, commit)
    total = Counts()
    for counts in commit.counts.values():
        total.add(counts)
    return total


def _chunks(
    warehouse: Warehouse,
    work: Sequence[tuple[Processor, Sequence[date]]],
    chunk_dates: int,
    days_of: dict[str, tuple[Processor, Sequence[date]]],
    guard: Guard | None,
) -> Iterator[Chunk]:
    injected = faults.worker_faults()
    for processor, dates in work:
        for first in range(0, len(dates), chunk_dates):
            days = dates[first : first + chunk_dates]
            with labelling(processor=processor.key):
                tables = read_inputs(warehouse, processor, days)
            params: dict[str, object] = {"processor": processor.key}
            if guard is not None:
                tables = guard.hold_back(processor, tables)
                params |= guard.params(processor)
            if injected:
                params["faults"] = injected
            chunk = Chunk(f"{processor.key} {days[0]} to {days[-1]}", tables, params)
            days_of[chunk.key] = (processor, days)
            yield chunk


def read_inputs(
    warehouse: Warehouse, processor: Processor, days: Sequence[date]
) -> dict[str, pa.Table]:
    """Read all inputs of a processor's worker for some dates: players, games, upstream rows."""
    params = dates_as_parameters(days)
    return {
        name: warehouse.query(sql, params, narrow=True)
        for name, sql in input_statements(processor).items()
    }


def dates_as_parameters(days: Sequence[date]) -> dict[str, object]:
    """Return the parameters of `input_statements`."""
    return {"first": days[0], "last": days[-1], "days": list(days)}


def input_statements(processor: Processor) -> dict[str, str]:
    """Return the selects for the inputs of a processor's worker, by table name in the worker."""
    work = processor.work
    if not isinstance(work, PoolWork):
        raise TypeError(f"{processor.key} is not computed by the pool")
    statements = {"players": _select(processor.inputs, work.player_columns)}
    if work.games is not None:
        statements["games"] = _select_games(processor, work.games)
    for upstream, columns in work.upstream_columns.items():
        statements[upstream] = _select(BY_KEY[upstream].table, columns)
    return statements


def _select(table: str, columns: Sequence[str]) -> str:
    return f"select {', '.join(columns)} from {table} where {_OF_DATES}"  # noqa: S608 our own names


def _select_games(processor: Processor, games: Games) -> str:
    """Return the select for the games that the windows of the dates reach, each once."""
    columns = ", ".join(f"games.{name}" for name in games.columns)
    return f"""
    select {columns}
    from {games.table} as games
    inner join (
        select
            season_year,
            player_id,
            min(actual_game_count) - {games.window} as games_before,
            max(actual_game_count) as last_game
        from {processor.inputs}
        where {_OF_DATES}
        group by season_year, player_id
    ) as reached
        on
            games.season_year = reached.season_year
            and games.player_id = reached.player_id
            and games.game_number > reached.games_before
            and games.game_number <= reached.last_game
    """  # noqa: S608 our own names


_OF_DATES = "analysis_date between @first and @last and analysis_date in unnest(@days)"
