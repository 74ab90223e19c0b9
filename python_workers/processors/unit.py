"""Units: chunks whose inputs and results are files in a folder that all machines share.

A worker gets only the folder of its unit: it reads the inputs there, writes the result beside them,
and returns counts. Inputs and result are folders that get their names when they are complete, so
a name stands for a whole result even after a kill.
"""

from __future__ import annotations

import json
import shutil
import socket
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from python_workers.errors import BackcourtError, ExitCode
from python_workers.pool.chunk import Chunk
from python_workers.processors.failures import ChunkResult
from python_workers.processors.output_digests import output_digests
from python_workers.processors.worker import (
    compute_task,
    lost_entity,
    merge_results,
    player_of,
    set_players_apart,
    split_chunk,
)

FOLDER = "unit_folder"
"""The parameter of a chunk that names the folder of its unit."""

_INPUTS, _RESULT = "inputs", "result"
_ROWS, _FAILURES, _SUMMARY = "rows.parquet", "failures.parquet", "summary.json"


@dataclass(frozen=True)
class UnitResult:
    """A complete result in a unit's folder, known without reading its rows.

    Parameters
    ----------
    rows, failures
        Files of the rows and the failures, as in `ChunkResult`.
    records
        Number of rows by date.
    failed
        Number of failures by date and category.
    digests
        Output digest of each date that has players.
    """

    rows: Path
    failures: Path
    records: Mapping[date, int]
    failed: Mapping[date, Counter[str]]
    digests: Mapping[date, str]

    @property
    def row_count(self) -> int:
        """Number of rows."""
        return sum(self.records.values())

    @property
    def failure_count(self) -> int:
        """Number of failures."""
        return sum(counts.total() for counts in self.failed.values())

    def read(self) -> ChunkResult:
        """Read the rows and failures into memory."""
        return ChunkResult(_read(self.rows), _read(self.failures), self.digests)


@contextmanager
def writing_inputs(unit: Path) -> Iterator[Path | None]:
    """Yield a folder for the inputs of a unit, one Parquet file a table; None if they are there."""
    if (unit / _INPUTS).is_dir():
        yield None
        return
    with _complete(unit / _INPUTS) as folder:
        yield folder


def compute_unit(chunk: Chunk) -> UnitResult | ChunkResult:
    """Compute a unit and write its result; compute a part of a unit, which has tables, as usual.

    Raises
    ------
    BackcourtError
        If this machine does not see the folder, or cannot write there.
    """
    if FOLDER not in chunk.params:
        return compute_task(chunk)
    unit = Path(str(chunk.params[FOLDER]))
    return finished_result(unit) or write_result(unit, compute_task(with_tables(chunk)))


def with_tables(chunk: Chunk) -> Chunk:
    """Return a unit's chunk with its inputs as tables, and without its folder."""
    if FOLDER not in chunk.params:
        return chunk
    params = dict(chunk.params)
    inputs = Path(str(params.pop(FOLDER))) / _INPUTS
    if not inputs.is_dir():
        raise BackcourtError(
            f"{socket.gethostname()} does not see the folder {inputs}",
            "The exchange folder must have the same path on all machines.",
            ExitCode.ENVIRONMENT,
        )
    return Chunk(chunk.key, {file.stem: _read(file) for file in sorted(inputs.iterdir())}, params)


def write_result(unit: Path, result: ChunkResult) -> UnitResult:
    """Write the result of a unit, unless a complete one is there by now."""
    dates = result.rows.column("analysis_date")
    digests = result.digests
    if digests is None:
        days = {*dates.to_pylist(), *result.failures.column("analysis_date").to_pylist()}
        hashes = result.rows.column("data_hash")
        digests = output_digests(sorted(days), dates, hashes, result.failures)
    with _complete(unit / _RESULT) as folder:
        pq.write_table(result.rows, folder / _ROWS, compression="lz4")
        pq.write_table(result.failures, folder / _FAILURES, compression="lz4")
        summary = {
            "bytes": {name: (folder / name).stat().st_size for name in (_ROWS, _FAILURES)},
            "digests": {day.isoformat(): digest for day, digest in digests.items()},
            "records": _counts(result.rows, ["analysis_date"]),
            "failed": _counts(result.failures, ["analysis_date", "failure_category"]),
        }
        (folder / _SUMMARY).write_text(json.dumps(summary), encoding="utf-8")
    found = finished_result(unit)
    if found is None:
        raise BackcourtError(
            f"the result that was just written to {unit} is not whole",
            "Look for the cause in the shared folder, then run the same command again.",
            ExitCode.ENVIRONMENT,
        )
    return found


def finished_result(unit: Path) -> UnitResult | None:
    """Return the result in a unit's folder, if it is complete.

    After a loss of power, a file may have its name and not all of its bytes.
    """
    folder = unit / _RESULT
    try:
        summary = json.loads((folder / _SUMMARY).read_text(encoding="utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in (_ROWS, _FAILURES)}
    except (OSError, ValueError):
        return None
    if summary["bytes"] != sizes:
        return None
    failed: dict[date, Counter[str]] = {}
    for day, category, count in summary["failed"]:
        failed.setdefault(date.fromisoformat(day), Counter())[category] = count
    return UnitResult(
        folder / _ROWS,
        folder / _FAILURES,
        {date.fromisoformat(day): count for day, count in summary["records"]},
        failed,
        {date.fromisoformat(day): digest for day, digest in summary["digests"].items()},
    )


def remove_unit(unit: Path) -> None:
    """Delete the folder of a unit that has been committed."""
    shutil.rmtree(unit, ignore_errors=True)


def split_unit(chunk: Chunk) -> list[Chunk]:
    """Halve a unit, or a part of one, by its entities; the parts have tables."""
    return split_chunk(with_tables(chunk))


def player_of_unit(chunk: Chunk) -> int:
    """Return the player of a unit, or a part of one, with a single entity."""
    return player_of(with_tables(chunk))


def set_players_of_unit_apart(chunk: Chunk, players: AbstractSet[Hashable]) -> list[Chunk]:
    """Separate some players from a unit, as `set_players_apart` does."""
    return set_players_apart(with_tables(chunk), players)


def lost_entity_of_unit(chunk: Chunk, reason: str) -> ChunkResult:
    """Return the result for a single entity that always kills its worker."""
    return lost_entity(with_tables(chunk), reason)


def merge_unit(results: list[UnitResult | ChunkResult]) -> UnitResult | ChunkResult:
    """Merge the results for the parts of a unit, which are in memory."""
    return merge_results([part for part in results if isinstance(part, ChunkResult)])


@contextmanager
def _complete(part: Path) -> Iterator[Path]:
    """Yield a temporary folder, and rename it to `part` at the end.

    Keep a complete result of another worker, which got the same unit.
    """
    unfinished = part.with_name(f"{part.name}-{uuid4().hex}")
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        try:
            unfinished.rename(part)
        except OSError:
            if not part.is_dir():
                raise
            if part.name == _RESULT and finished_result(part.parent) is None:
                shutil.rmtree(part)
                unfinished.rename(part)
    except OSError as error:
        raise BackcourtError(
            f"{socket.gethostname()} cannot write to {part.parent}: {error.strerror or error}",
            "Free some space there, or name another exchange folder.",
            ExitCode.ENVIRONMENT,
        ) from error
    finally:
        with suppress(OSError):
            shutil.rmtree(unfinished, ignore_errors=True)


def _counts(table: pa.Table, keys: Sequence[str]) -> list[list[object]]:
    counted = table.group_by(list(keys)).aggregate([([], "count_all")]).to_pylist()
    return [[row["analysis_date"].isoformat(), *list(row.values())[1:]] for row in counted]


def _read(file: Path) -> pa.Table:
    with pq.ParquetFile(file) as parquet:
        return parquet.read()
