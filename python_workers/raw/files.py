"""Reads raw files in batches of columns, with the types of the file."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from python_workers.errors import BackcourtError
from python_workers.raw.csv_files import read_csv
from python_workers.raw.folders import JSON_SUFFIXES, suffix_of
from python_workers.raw.json_lines import read_json_lines
from python_workers.raw.text_files import UnreadableError
from python_workers.runtime.scratch import scratch_folder
from python_workers.warehouse.duckdb.file import NO_DOWNLOADS

Column: TypeAlias = pa.Array | list[object]

_KINDS = {
    ".parquet": "Parquet",
    ".csv": "CSV",
    ".csv.gz": "CSV",
    **dict.fromkeys(JSON_SUFFIXES, "JSON lines"),
}
_PARQUET_BATCH_ROWS = 1 << 16
_SCRATCH_MEMORY = "250MB"
_DELIVER_AGAIN = "Deliver the file again, or move it out of the folder."


@dataclass(frozen=True)
class Batch:
    """Some rows of a file.

    Parameters
    ----------
    present
        Names of all columns in the file.
    columns
        The requested columns: Arrow arrays, or for JSON lists of Python values.
    rows
        The number of rows.
    """

    present: Sequence[str]
    columns: Mapping[str, Column]
    rows: int


def read_batches(
    path: Path,
    label: str,
    names: Sequence[str],
    *,
    nothing: str = "Nothing was loaded.",
    may_be_empty: bool = False,
) -> Iterator[Batch]:
    """Read the requested columns that the file has, in batches of rows.

    Parameters
    ----------
    path, label
        The file, and its name in messages.
    names
        The requested columns; others are skipped.
    nothing
        The last sentence of a message.
    may_be_empty
        Whether a file without rows is right.

    Raises
    ------
    BackcourtError
        If the file has no rows, or is not in the format that its name says.
    """
    kind = _KINDS[suffix_of(path)]
    again = f"{_DELIVER_AGAIN} {nothing}"
    is_empty = True
    try:
        if path.stat().st_size == 0:
            raise BackcourtError(f"{label} is empty (0 bytes)", again)
        for batch in _READERS[kind](path, names):
            is_empty &= batch.rows == 0
            yield batch
    except UnreadableError as error:
        raise BackcourtError(
            f"{label} cannot be read as {kind}: {error}", [error.advice, nothing]
        ) from error
    # For a damaged file, Arrow raises any of these.
    except (
        pa.ArrowException,
        OSError,
        EOFError,
        zlib.error,
        ValueError,
        OverflowError,
        MemoryError,
    ) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise BackcourtError(
            f"{label} cannot be read as {kind}; it may be truncated",
            [reason.replace(str(path), label), again],
        ) from error
    if is_empty and not may_be_empty:
        raise BackcourtError(f"{label} has no rows", again)


@contextlib.contextmanager
def scratch_database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a temporary DuckDB with limited memory, for queries over Arrow tables."""
    with (
        scratch_folder() as folder,
        duckdb.connect(
            config={"memory_limit": _SCRATCH_MEMORY, "temp_directory": str(folder), **NO_DOWNLOADS}
        ) as connection,
    ):
        yield connection


def _read_parquet(path: Path, names: Sequence[str]) -> Iterator[Batch]:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        present = file.schema_arrow.names
        wanted = _wanted(present, names)
        # For a thousand small files, starting threads would take longer than reading.
        for batch in file.iter_batches(_PARQUET_BATCH_ROWS, columns=wanted, use_threads=False):
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            yield Batch(present, columns, batch.num_rows)


def _read_csv(path: Path, names: Sequence[str]) -> Iterator[Batch]:
    for present, batch in read_csv(path, names):
        if len(set(present)) < len(present):
            _wanted(present, names)
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        yield Batch(present, columns, batch.num_rows)


def _read_json(path: Path, names: Sequence[str]) -> Iterator[Batch]:
    for present, columns, rows in read_json_lines(path, names):
        yield Batch(present, columns, rows)


def _wanted(present: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the names that are present; refuse a name that appears twice."""
    for name in names:
        if present.count(name) > 1:
            raise UnreadableError(
                f"column {name} appears {present.count(name)} times", "Keep the right one."
            )
    return [name for name in names if name in present]


_READERS = {"Parquet": _read_parquet, "CSV": _read_csv, "JSON lines": _read_json}
