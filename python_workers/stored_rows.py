"""Rows in an Arrow file on disk, so that a table of any length takes little memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as ds

# What a reader has in memory at a time, some of it several times over.
_BATCH_ROWS = 1 << 15


@dataclass(frozen=True)
class StoredRows:
    """Rows of a table, of which a column is read when it is asked for.

    Parameters
    ----------
    path
        An Arrow IPC file.
    schema
        Its columns.
    num_rows
        Its length.
    """

    path: Path
    schema: pa.Schema
    num_rows: int

    @property
    def column_names(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self.schema.names)

    def dataset(self) -> ds.Dataset:
        """Return the rows as a data set, which DuckDB reads some at a time."""
        return ds.dataset(self.path, format="ipc")

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some columns of all rows in order, some rows at a time."""
        options = pa.ipc.IpcReadOptions(
            included_fields=[self.schema.get_field_index(name) for name in names]
        )
        with pa.OSFile(str(self.path)) as file, pa.ipc.open_file(file, options=options) as reader:
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number).select(list(names))

    def select(self, names: Sequence[str]) -> pa.Table:
        """Return some columns."""
        return pa.Table.from_batches(self.batches(names), self._schema_of(names))

    def column(self, name: str) -> pa.ChunkedArray:
        """Return one column."""
        return self.select([name]).column(name)

    def at(self, positions: Sequence[int]) -> list[dict[str, Any]]:
        """Return a few rows, in the order of their ascending positions."""
        found = self._at(np.array(positions, np.int64))
        rows: list[dict[str, Any]] = pa.Table.from_batches(found, self.schema).to_pylist()
        return rows

    def keep(self, positions: npt.NDArray[np.int64]) -> StoredRows:
        """Write the rows at these ascending positions to a file beside this one."""
        path = self.path.with_name(f"kept-{self.path.name}")
        return write_rows(path, self.schema, self._at(positions))

    def numbered(self, names: Sequence[str]) -> pa.RecordBatchReader:
        """Return some columns and ``row_number``, which counts from 0; they can be read once."""
        schema = self._schema_of(names).append(pa.field("row_number", pa.int64()))
        return pa.RecordBatchReader.from_batches(schema, self._numbered(names, schema))

    def _at(self, positions: npt.NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
        first = 0
        for batch in self.batches(self.column_names):
            low, high = np.searchsorted(positions, (first, first + batch.num_rows))
            if low < high:
                yield batch.take(pa.array(positions[low:high] - first))
            first += batch.num_rows

    def _numbered(self, names: Sequence[str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        first = 0
        for batch in self.batches(names):
            numbers = pa.array(np.arange(first, first + batch.num_rows))
            yield pa.record_batch([*batch.columns, numbers], schema=schema)
            first += batch.num_rows

    def _schema_of(self, names: Sequence[str]) -> pa.Schema:
        return pa.schema([self.schema.field(name) for name in names])


def write_rows(
    path: Path, schema: pa.Schema, parts: Iterable[pa.Table | pa.RecordBatch]
) -> StoredRows:
    """Write rows to a file as they come."""
    rows = 0
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema, options=options) as into:
        for part in parts:
            for batch in _batches(part):
                into.write_batch(batch)
            rows += part.num_rows
    return StoredRows(path, schema, rows)


def _batches(part: pa.Table | pa.RecordBatch) -> Iterable[pa.RecordBatch]:
    return part.to_batches(_BATCH_ROWS) if isinstance(part, pa.Table) else [part]
