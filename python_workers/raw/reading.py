"""Reads a raw table from its files; parses every value into its column's type, or names it.

Parse small files together and a large file in parts, so that memory does not depend on how rows are
spread over files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from python_workers.errors import BackcourtError
from python_workers.raw.distinct import UnusableTypeError, distinct
from python_workers.raw.files import Batch, Column, read_batches
from python_workers.raw.folders import find_files, label_of, partition_values
from python_workers.raw.schema import RawColumn, RawTable
from python_workers.raw.tables import (
    NOTHING_LOADED,
    ROWS_SHOWN,
    Origin,
    Positions,
    RawRows,
    shorten,
)
from python_workers.raw.values import Unusable, is_missing
from python_workers.warehouse.base import ColumnType
from python_workers.warehouse.stored_rows import write_rows

_PARSED_ROWS = 1 << 16
_ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def read_raw_table(directory: Path, schema: RawTable, scratch: Path) -> RawRows:
    """Read all files of a table's folder.

    Parameters
    ----------
    directory
        The raw folder.
    schema
        The table.
    scratch
        A folder for the typed rows.

    Raises
    ------
    BackcourtError
        If a file, a column or a value is missing, or a value is unusable; it names the file, the
        column and the first rows.
    """
    reading = _Reading(directory, schema)
    types = pa.schema([(column.name, _ARROW_TYPES[column.type]) for column in schema.columns])
    rows = write_rows(scratch / f"{schema.name}.parquet", types, reading.parts())
    return RawRows(schema, rows, reading.origin)


class _Reading:
    """One pass over the files of a table; it collects rows until there are enough to parse."""

    def __init__(self, directory: Path, schema: RawTable) -> None:
        self._directory, self._schema = directory, schema
        self._names = [column.name for column in schema.columns]
        self._labels: list[str] = []
        self._starts: list[int] = []
        self._waiting: list[Batch] = []
        self._waiting_types: dict[str, object] = {}
        self._rows_read = self._rows_parsed = 0

    @property
    def origin(self) -> Origin:
        """The files and positions of the rows read so far."""
        return Origin(tuple(self._labels), tuple(self._starts))

    def parts(self) -> Iterator[pa.Table]:
        """Yield the typed rows of all files."""
        folder = self._directory / self._schema.name
        for path in find_files(self._directory, self._schema.name):
            label = label_of(path, self._directory)
            self._labels.append(label)
            self._starts.append(self._rows_read)
            given = partition_values(path, folder)
            for found in read_batches(path, label, self._names):
                self._check_columns(found, label, given)
                batch = self._with_given(found, given)
                types = _types(batch)
                if self._waiting and types != self._waiting_types:
                    yield self._parsed()
                self._waiting_types = types
                self._waiting.append(batch)
                self._rows_read += batch.rows
                if self._rows_read - self._rows_parsed >= _PARSED_ROWS:
                    yield self._parsed()
        if self._waiting:
            yield self._parsed()

    def _check_columns(self, batch: Batch, label: str, given: Mapping[str, str]) -> None:
        missing = [
            column.name
            for column in self._schema.columns
            if column.is_required and column.name not in batch.columns and column.name not in given
        ]
        if missing:
            needed = (column.name for column in self._schema.columns if column.is_required)
            raise BackcourtError(
                f"{label} has no column {', '.join(missing)}",
                [
                    f"it has: {', '.join(_plain_name(name) for name in batch.present)}",
                    *what_is_seen(batch.present, missing),
                    f"{self._schema.name} needs: {', '.join(needed)}.",
                    NOTHING_LOADED,
                ],
            )

    def _with_given(self, batch: Batch, given: Mapping[str, str]) -> Batch:
        """Add the columns from the folder names to the batch."""
        columns = dict(batch.columns)
        for column in self._schema.columns:
            if column.name not in given:
                continue
            value = given[column.name]
            if column.name in columns:
                self._check_given(columns[column.name], column, value)
            columns[column.name] = pa.repeat(pa.scalar(value), batch.rows)
        return Batch(batch.present, columns, batch.rows)

    def _check_given(self, values: Column, column: RawColumn, given: str) -> None:
        """Refuse a file whose column contradicts the name of its folder."""
        expected = self._typed(pa.repeat(pa.scalar(given), 1), column, self._rows_read)[0]
        found = self._typed(values, column, self._rows_read)
        differs = pc.fill_null(pc.not_equal(found, expected), pc.is_valid(found))
        rows = np.flatnonzero(differs.to_numpy(zero_copy_only=False))
        if len(rows):
            shown = shorten(found[int(rows[0])].as_py())
            raise self._error(
                self._rows_read + rows,
                f"column {column.name} contradicts the folder's name, {column.name}={given}",
                lambda _: shown,
            )

    def _parsed(self) -> pa.Table:
        """Parse the waiting rows."""
        waiting, self._waiting = self._waiting, []
        first, rows = self._rows_parsed, sum(batch.rows for batch in waiting)
        arrays = {
            column.name: self._typed(
                _joined([batch.columns[column.name] for batch in waiting]), column, first
            )
            if column.name in waiting[0].columns
            else pa.nulls(rows, _ARROW_TYPES[column.type])
            for column in self._schema.columns
        }
        for column in self._schema.columns:
            arrays[column.name] = self._complete(arrays, column)
        self._rows_parsed += rows
        return pa.table(arrays)

    def _typed(self, values: Column, column: RawColumn, first: int) -> pa.Array:
        """Parse a column into its type, each distinct value once.

        `first` is the position of its first row in the table.
        """
        try:
            found = distinct(values)
        except UnusableTypeError as error:
            raise BackcourtError(
                f"{self.origin.file(first)}: column {column.name} has the unusable "
                f"type {error.kind}",
                [str(error), NOTHING_LOADED],
            ) from error
        parsed: list[object] = []
        reasons: dict[int, str] = {}
        for number, value in enumerate(found.values):
            try:
                parsed.append(_parse(value, column))
            except ValueError as error:
                parsed.append(None)
                reasons[number] = str(error)
        if reasons:
            bad = pc.is_in(found.codes, value_set=pa.array(list(reasons), found.codes.type))

            def describe(position: int) -> str:
                code = found.codes[position - first].as_py()
                return f"{shorten(found.values[code])} {reasons[code]}"

            raise self._error(
                first + np.flatnonzero(bad.to_numpy(zero_copy_only=False)),
                f"column {column.name} has an unusable value",
                describe,
            )
        return pa.array(parsed, _ARROW_TYPES[column.type]).take(found.codes)

    def _complete(self, arrays: Mapping[str, pa.Array], column: RawColumn) -> pa.Array:
        """Fill in the omitted zeros of a column; refuse other missing values."""
        array = arrays[column.name]
        if column.is_nullable or not array.null_count:
            return array
        if column.zero_where is not None:
            flagged = pc.fill_null(arrays[column.zero_where], False)  # noqa: FBT003 Arrow's own
            array = pc.if_else(pc.and_(pc.is_null(array), flagged), 0, array)
        if array.null_count:
            missing = np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))
            raise self._error(
                self._rows_parsed + missing,
                f"column {column.name} must not be empty",
                lambda _: "no value",
            )
        return array

    def _error(
        self, positions: Positions, problem: str, describe: Callable[[int], str]
    ) -> BackcourtError:
        """Return the error for some rows of the table; it shows those of the first file."""
        file = self.origin.file(int(positions[0]))
        here = [position for position in positions.tolist() if self.origin.file(position) == file]
        lines = [f"row {self.origin.row(index)}: {describe(index)}" for index in here[:ROWS_SHOWN]]
        if len(here) > ROWS_SHOWN:
            lines.append(f"and {len(here) - ROWS_SHOWN} more rows")
        return BackcourtError(f"{file}: {problem}", [*lines, NOTHING_LOADED])


def what_is_seen(present: Sequence[str], missing: Sequence[str]) -> list[str]:
    """Say what a header looks like that lacks columns; nothing is guessed when reading."""
    if len(present) == 1:
        for sign, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if sign in present[0]:
                return [f"Its values seem to be separated by {name}: write it with commas."]
    folded = {name.strip().lower() for name in present}
    if folded.issuperset(name.lower() for name in missing):
        wanted = ", ".join(missing)
        return [f"Its names differ in case or white space: write {wanted}."]
    return []


def _plain_name(name: str) -> str:
    """Return a column's name, in quotes if it has unusual characters."""
    shown = shorten(name)
    return name if shown == f"'{name}'" and name == name.strip() else shown


def _parse(value: object, column: RawColumn) -> object:
    if isinstance(value, Unusable):
        raise ValueError(value.reason)  # noqa: TRY004 every bad value is a ValueError
    return None if is_missing(value) else column.parse(value)


def _types(batch: Batch) -> dict[str, object]:
    """Return the type of each column; batches with the same types can be parsed together."""
    return {
        name: list if isinstance(values, list) else values.type
        for name, values in batch.columns.items()
    }


def _joined(parts: Sequence[Column]) -> Column:
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], list):
        return [value for part in parts for value in part]
    return pa.concat_arrays(parts)
