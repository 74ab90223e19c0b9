"""A raw table from its files: typed columns, one row per key, every value accounted for."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from python_workers.errors import BackcourtError
from python_workers.raw_files import find_files, read_columns, scratch_database
from python_workers.raw_schema import RawColumn, RawTable
from python_workers.warehouse.base import ColumnType

_ROWS_SHOWN = 3
_VALUE_WIDTH = 60
_NOTHING_LOADED = "Correct the file and load again. Nothing was loaded."
_ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Origin:
    """Where the rows of a table came from.

    Parameters
    ----------
    labels
        The files, relative to the raw folder.
    starts
        Position of each file's first row.
    """

    labels: tuple[str, ...]
    starts: tuple[int, ...]

    def file(self, position: int) -> str:
        """Return the label of the file that the row at this position is in."""
        return self.labels[bisect.bisect_right(self.starts, position) - 1]

    def row(self, position: int) -> int:
        """Return the row's number in its file: 1 is the first row of data."""
        return position - self.starts[bisect.bisect_right(self.starts, position) - 1] + 1


@dataclass(frozen=True)
class RawRows:
    """A raw table as read: typed, not yet free of duplicates; `origin` places each row."""

    schema: RawTable
    rows: pa.Table
    origin: Origin

    def refuse(
        self, positions: Positions, problem: str, columns: Sequence[str], advice: str
    ) -> BackcourtError:
        """Return the error about these rows, naming the file and showing the first of them.

        Parameters
        ----------
        positions
            Of the offending rows, ascending, at least one.
        problem
            What is wrong, for example ``fgm is above fga``.
        columns
            Whose values are shown.
        advice
            What to do.
        """
        shown = [
            f"row {self.origin.row(position)}{self._elsewhere(position, positions)}: "
            + ", ".join(
                f"{name} = {shorten(self.rows.column(name)[position].as_py())}" for name in columns
            )
            for position in positions[:_ROWS_SHOWN].tolist()
        ]
        if len(positions) > _ROWS_SHOWN:
            shown.append(f"and {len(positions) - _ROWS_SHOWN} more rows")
        file = self.origin.file(int(positions[0]))
        return BackcourtError(f"{file}: {problem}", [*shown, advice, _NOTHING_LOADED])

    def _elsewhere(self, position: int, positions: Positions) -> str:
        file = self.origin.file(position)
        return "" if file == self.origin.file(int(positions[0])) else f" of {file}"


def read_raw_table(directory: Path, schema: RawTable) -> RawRows:
    """Read all files of a table's folder.

    Raises
    ------
    BackcourtError
        Naming file, column and first rows: a missing file or column, a missing or unusable value.
    """
    parts: list[pa.Table] = []
    labels: list[str] = []
    starts: list[int] = []
    for path in find_files(directory, schema.name):
        label = path.relative_to(directory).as_posix()
        labels.append(label)
        starts.append(sum(part.num_rows for part in parts))
        parts.append(_read_file(path, label, schema))
    rows = pa.concat_tables(parts).combine_chunks()
    return RawRows(schema, rows, Origin(tuple(labels), tuple(starts)))


def collapse_duplicates(raw: RawRows) -> pa.Table:
    """Return the rows with one per key: rows that are equal throughout are one row.

    Raises
    ------
    BackcourtError
        If rows of one key differ.
    """
    key = ", ".join(f'"{name}"' for name in raw.schema.key)
    numbered = raw.rows.append_column("row_number", pa.array(np.arange(raw.rows.num_rows)))
    with scratch_database() as connection:
        connection.register("numbered", numbered)
        first = connection.execute(
            f"select min(row_number) as first from numbered group by {key}"  # noqa: S608 own schema
        ).to_arrow_table()
        if first.num_rows == raw.rows.num_rows:
            return raw.rows
        clash = connection.execute(
            f"""
            select {key}, list(row_number order by row_number) as positions
            from (
                select * exclude (row_number), min(row_number) as row_number
                from numbered
                group by all
            )
            group by {key}
            having count(*) > 1
            order by min(row_number)
            limit {_ROWS_SHOWN + 1}
            """  # noqa: S608 own schema
        ).fetchall()
    if clash:
        raise _clash_error(raw, [row[-1] for row in clash])
    return raw.rows.take(pa.array(np.sort(first.column("first").to_numpy())))


def shorten(value: object) -> str:
    """Return a value as messages show it: quoted if text, and never longer than a line."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _VALUE_WIDTH else f"{text[: _VALUE_WIDTH - 4]}... ({len(text)})"


def _read_file(path: Path, label: str, schema: RawTable) -> pa.Table:
    found = read_columns(path, label, [column.name for column in schema.columns])
    for column in schema.columns:
        if column.is_required and column.name not in found.column_names:
            raise BackcourtError(
                f"{label} has no column {column.name}",
                [
                    f"{schema.name} needs: "
                    + ", ".join(each.name for each in schema.columns if each.is_required)
                    + ".",
                    _NOTHING_LOADED,
                ],
            )
    arrays = {
        column.name: _typed(found.column(column.name), column, label)
        if column.name in found.column_names
        else pa.nulls(found.num_rows, _ARROW_TYPES[column.type])
        for column in schema.columns
    }
    return pa.table(arrays)


def _typed(values: pa.ChunkedArray, column: RawColumn, label: str) -> pa.Array:
    """Return the column in its type, having parsed each distinct value once."""
    array = _plain(values, column, label)
    encoded = array.dictionary_encode()
    parsed: list[object] = []
    reasons: dict[int, str] = {}
    for number, value in enumerate(encoded.dictionary.to_pylist()):
        try:
            parsed.append(column.parse(value))
        except ValueError as error:
            parsed.append(None)
            reasons[number] = str(error)
    typed = pa.array(parsed, _ARROW_TYPES[column.type]).take(encoded.indices)
    if reasons:
        bad = pc.is_in(encoded.indices, value_set=pa.array(list(reasons), encoded.indices.type))
        rows = np.flatnonzero(bad.to_numpy(zero_copy_only=False))
        lines = [
            f"row {row + 1}: {shorten(array[row].as_py())} {reasons[encoded.indices[row].as_py()]}"
            for row in rows[:_ROWS_SHOWN].tolist()
        ]
        raise _value_error(f"{label}: column {column.name} has an unusable value", len(rows), lines)
    if typed.null_count and not column.is_nullable:
        rows = np.flatnonzero(typed.is_null().to_numpy(zero_copy_only=False))
        lines = [f"row {row + 1}: no value" for row in rows[:_ROWS_SHOWN].tolist()]
        raise _value_error(f"{label}: column {column.name} must not be empty", len(rows), lines)
    return typed


def _plain(values: pa.ChunkedArray, column: RawColumn, label: str) -> pa.Array:
    """Return the column as one array of a type that has distinct values."""
    array = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
    reason = "it holds several values in one" if pa.types.is_nested(array.type) else ""
    try:
        if pa.types.is_dictionary(array.type):
            array = array.cast(array.type.value_type)
        if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
            array = array.cast(pa.string())
    except pa.ArrowInvalid as error:
        reason = str(error).splitlines()[0]
    if reason:
        raise BackcourtError(
            f"{label}: column {column.name} has the unusable type {array.type}",
            [reason, _NOTHING_LOADED],
        )
    return array


def _value_error(problem: str, count: int, lines: list[str]) -> BackcourtError:
    more = [f"and {count - len(lines)} more rows"] if count > len(lines) else []
    return BackcourtError(problem, [*lines, *more, _NOTHING_LOADED])


def _clash_error(raw: RawRows, groups: list[list[int]]) -> BackcourtError:
    key = raw.schema.key
    lines: list[str] = []
    for group in groups[:_ROWS_SHOWN]:
        one, two = (raw.rows.slice(position, 1).to_pylist()[0] for position in group[:2])
        differing = ", ".join(
            f"{name} {shorten(one[name])} / {shorten(two[name])}"
            for name in raw.rows.column_names
            if one[name] != two[name]
        )
        places = " and ".join(
            f"{raw.origin.file(position)} row {raw.origin.row(position)}" for position in group[:2]
        )
        lines.append(f"{', '.join(f'{name} {one[name]}' for name in key)}: {differing} ({places})")
    if len(groups) > _ROWS_SHOWN:
        lines.append("and more")
    return BackcourtError(
        f"{raw.origin.file(groups[0][1])}: rows of one key ({', '.join(key)}) differ",
        [
            *lines,
            "Keep the right one of each. Rows that are equal throughout do no harm.",
            _NOTHING_LOADED,
        ],
    )
