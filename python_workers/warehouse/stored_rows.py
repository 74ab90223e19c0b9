"""Rows in a Parquet file on disk, so that a table of any length takes little memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

# Rows that a reader holds in memory at a time, some of them in several copies.
_BATCH_ROWS = 1 << 16


@dataclass(frozen=True)
class StoredRows:
    """Rows of a table in a Parquet file; columns are read on request.

    Parameters
    ----------
    path
        The file.
    schema
        The columns of the file.
    num_rows
        The number of rows.
    """

    path: Path
    schema: pa.Schema
    num_rows: int

    @property
    def column_names(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self.schema.names)

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some columns of all rows in order, in batches."""
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(_BATCH_ROWS, columns=list(names)):
                yield batch.select(list(names))

    def select(self, names: Sequence[str]) -> pa.Table:
        """Return some columns."""
        schema = pa.schema([self.schema.field(name) for name in names])
        return pa.Table.from_batches(self.batches(names), schema)

    def column(self, name: str) -> pa.ChunkedArray:
        """Return one column."""
        return self.select([name]).column(name)

    def table(self) -> pa.Table:
        """Read all rows into memory."""
        return self.select(self.column_names)

    def at(self, positions: Sequence[int]) -> list[dict[str, Any]]:
        """Return the rows at a few ascending positions."""
        found = self._at(np.array(positions, np.int64))
        rows: list[dict[str, Any]] = pa.Table.from_batches(found, self.schema).to_pylist()
        return rows

    def keep(self, positions: npt.NDArray[np.int64]) -> StoredRows:
        """Write the rows at these ascending positions to a file beside this one."""
        path = self.path.with_name(f"kept-{self.path.name}")
        return write_rows(path, self.schema, self._at(positions))

    def sql(self, *, numbered: bool = False) -> str:
        """Return DuckDB's table function for the rows; `numbered` adds ``file_row_number``."""
        path = str(self.path).replace("'", "''")
        return f"read_parquet('{path}', file_row_number = {str(numbered).lower()})"

    def _at(self, positions: npt.NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
        first = 0
        for batch in self.batches(self.column_names):
            low, high = np.searchsorted(positions, (first, first + batch.num_rows))
            if low < high:
                yield batch.take(pa.array(positions[low:high] - first))
            first += batch.num_rows


def write_rows(
    path: Path, schema: pa.Schema, parts: Iterable[pa.Table | pa.RecordBatch]
) -> StoredRows:
    """Write rows to a file as they arrive."""
    rows = 0
    with pq.ParquetWriter(path, schema, compression="lz4") as file:
        for part in parts:
            file.write(part, _BATCH_ROWS)
            rows += part.num_rows
    return StoredRows(path, schema, rows)
