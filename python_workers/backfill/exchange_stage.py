"""The compute stage over files: inputs and results never pass through the parent.

The warehouse writes the inputs of each unit (a processor and some dates) to a folder that all
machines share; a worker reads them there and writes its result beside them; one statement takes
the results of several units into each table. A unit's folder is named after all that decides its
result, so a later run takes the results that an interrupted one has left.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from python_workers.accounting.commits import Commit, commit_of_pool_rows
from python_workers.accounting.file_commits import RowsInFiles, commit_of_files
from python_workers.accounting.ledger import Ledger
from python_workers.accounting.processed_dates import WhatIsRead
from python_workers.accounting.run_records import Counts, Run
from python_workers.backfill.pool_stage import (
    PoolOptions,
    dates_as_parameters,
    input_statements,
)
from python_workers.pool.chunk import Chunk, versions
from python_workers.pool.run_chunks import run_chunks
from python_workers.processors.base import Processor
from python_workers.processors.failures import ChunkResult
from python_workers.processors.output_digests import NOTHING_DIGEST
from python_workers.processors.unit import (
    FOLDER,
    UnitResult,
    compute_unit,
    finished_result,
    lost_entity_of_unit,
    merge_unit,
    player_of_unit,
    remove_unit,
    set_players_of_unit_apart,
    split_unit,
    write_result,
    writing_inputs,
)
from python_workers.runtime import injected_faults as faults
from python_workers.runtime.signals import stop_if_received
from python_workers.runtime.tuning import return_free_memory
from python_workers.warehouse.base import ExchangesFiles
from python_workers.warehouse.job_labels import labelling


@dataclass(frozen=True)
class Unit:
    """Some dates of a processor, as one task of a worker.

    Parameters
    ----------
    processor, read
        The processor, and what it reads on each date.
    folder
        Where the inputs and the result are.
    """

    processor: Processor
    read: Mapping[date, WhatIsRead]
    folder: Path

    @property
    def days(self) -> list[date]:
        """The dates, in order."""
        return sorted(self.read)

    @property
    def key(self) -> str:
        """Its name in messages."""
        return f"{self.processor.key} {min(self.read)} to {max(self.read)}"


def run_exchange_stage(
    warehouse: ExchangesFiles,
    ledger: Ledger,
    run: Run,
    work: Sequence[tuple[Processor, Sequence[date]]],
    options: PoolOptions,
    exchange: Path,
    on_commit: Callable[[Processor, Commit], None] = lambda _processor, _commit: None,
) -> dict[str, Counts]:
    """Compute the given dates like `run_pool_stage`, with inputs and results in files.

    Parameters
    ----------
    warehouse, ledger, run, work, options, on_commit
        As for `run_pool_stage`.
    exchange
        The folder that all machines share.

    Returns
    -------
    dict
        Counts by processor key.
    """
    units = list(_units(ledger, work, options.chunk_dates, exchange))
    totals = {unit.processor.key: Counts() for unit in units}
    if not units:
        return totals
    batches = {
        processor.key: _Batch(processor, len(dates), options.commit_rows)
        for processor, dates in work
    }
    last = time.perf_counter()
    results = _results(warehouse, units, options)
    with warehouse.beside_workers(), closing(results):
        for unit, result in results:
            now = time.perf_counter()
            batch = batches[unit.processor.key]
            batch.add(unit, result, now - last)
            last = now
            if batch.is_due():
                commit = _commit(warehouse, ledger, run, batch)
                on_commit(unit.processor, commit)
                for counts in commit.counts.values():
                    totals[unit.processor.key].add(counts)
                return_free_memory()
            stop_if_received()
    return totals


def _units(
    ledger: Ledger,
    work: Sequence[tuple[Processor, Sequence[date]]],
    unit_dates: int,
    exchange: Path,
) -> Iterator[Unit]:
    for processor, dates in work:
        for first in range(0, len(dates), unit_dates):
            read = {
                day: ledger.what_is_read(processor, day)
                for day in dates[first : first + unit_dates]
            }
            yield Unit(processor, read, exchange / unit_name(processor, read))


def unit_name(processor: Processor, read: Mapping[date, WhatIsRead]) -> str:
    """Return a name that differs if the inputs, the code or the versions of packages differ."""
    decisive = {
        "versions": versions(),
        "calculation": [processor.key, processor.calculation_version],
        "read": {day.isoformat(): repr(of_day) for day, of_day in sorted(read.items())},
    }
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:32]
    return f"{processor.key}-{min(read)}-{max(read)}-{digest}"


def _results(
    warehouse: ExchangesFiles, units: Sequence[Unit], options: PoolOptions
) -> Generator[tuple[Unit, UnitResult], None, None]:
    """Yield each unit with its result: first those of an interrupted run, then the computed."""
    found = [(unit, finished_result(unit.folder)) for unit in units]
    yield from ((unit, result) for unit, result in found if result is not None)
    missing = {unit.key: unit for unit, result in found if result is None}
    if not missing:
        return
    computed = run_chunks(
        _chunks(warehouse, missing.values()),
        compute_unit,
        n_jobs=options.n_jobs,
        backend=options.backend,
        scheduler=options.scheduler,
        split=split_unit,
        merge=merge_unit,
        name_entity=player_of_unit,
        set_apart=set_players_of_unit_apart,
        on_lost_entity=lost_entity_of_unit,
        hang_seconds=options.hang_seconds,
    )
    with closing(computed):
        for chunk, result in computed:
            unit = missing[chunk.key]
            if isinstance(result, ChunkResult):
                yield unit, write_result(unit.folder, result)
            else:
                yield unit, result


def _chunks(warehouse: ExchangesFiles, units: Iterable[Unit]) -> Iterator[Chunk]:
    injected = faults.worker_faults()
    for unit in units:
        params = dates_as_parameters(unit.days)
        with labelling(processor=unit.processor.key), writing_inputs(unit.folder) as folder:
            if folder is not None:
                for name, sql in input_statements(unit.processor).items():
                    warehouse.write_file(sql, params, folder / f"{name}.parquet")
        told = {"processor": unit.processor.key, FOLDER: str(unit.folder)}
        yield Chunk(unit.key, {}, told | ({"faults": injected} if injected else {}))


class _Batch:
    """Results of a processor that wait for a commit; waiting in their files, none gets lost."""

    def __init__(self, processor: Processor, dates: int, commit_rows: int) -> None:
        self.processor = processor
        self._dates_to_come = dates
        self._commit_rows = commit_rows
        self.clear()

    def clear(self) -> None:
        """Empty the batch after a commit."""
        self.units: list[tuple[Unit, UnitResult]] = []
        self.seconds = 0.0

    def add(self, unit: Unit, result: UnitResult, seconds: float) -> None:
        """Add a unit's result; the units stay in order of date."""
        self.units.append((unit, result))
        self.units.sort(key=lambda each: each[0].days)
        self.seconds += seconds
        self._dates_to_come -= len(unit.read)

    def is_due(self) -> bool:
        """Tell whether to commit the batch now."""
        if not self._dates_to_come:
            return True
        rows = sum(result.row_count for _, result in self.units)
        failures = sum(result.failure_count for _, result in self.units)
        return max(rows, failures) >= self._commit_rows

    @property
    def read(self) -> dict[date, WhatIsRead]:
        """What each date was computed from."""
        return {day: read for unit, _ in self.units for day, read in unit.read.items()}


def _commit(warehouse: ExchangesFiles, ledger: Ledger, run: Run, batch: _Batch) -> Commit:
    processor, read = batch.processor, batch.read
    results = [result for _, result in batch.units]
    digests = dict.fromkeys(read, NOTHING_DIGEST)
    for result in results:
        digests |= result.digests
    seconds_per_date = batch.seconds / len(read)
    with labelling(processor=processor.key):
        if any((processor.key, day) in ledger.stored for day in read):
            # Only a comparison row by row tells what becomes of stored rows.
            parts = [result.read() for result in results]
            commit = commit_of_pool_rows(
                warehouse,
                processor,
                run,
                read,
                pa.concat_tables([part.rows for part in parts]),
                pa.concat_tables([part.failures for part in parts]),
                seconds_per_date,
                digests=digests,
                altered=ledger.altered_dates(processor, read),
            )
        else:
            commit = commit_of_files(
                warehouse,
                processor,
                run,
                read,
                _rows_in(warehouse, [result.rows for result in results]),
                _rows_in(warehouse, [result.failures for result in results]),
                {day: count for result in results for day, count in result.records.items()},
                {day: counts for result in results for day, counts in result.failed.items()},
                digests,
                seconds_per_date,
            )
        faults.crash_point("before-commit")
        warehouse.commit(commit.changes, commit.statements)
        faults.crash_point("after-commit")
    ledger.record(processor, commit.records)
    for unit, _ in batch.units:
        remove_unit(unit.folder)
    batch.clear()
    return commit


def _rows_in(warehouse: ExchangesFiles, files: Sequence[Path]) -> RowsInFiles:
    return RowsInFiles(warehouse.relation_of(files), pq.read_schema(files[0]).names)
