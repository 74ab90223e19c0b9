"""Arrow columns as numpy integers with a validity mask, and back.

Engines deliver int32, int64, decimals without a fraction, dictionary strings, in any chunking. This
module reads all of them into one form, so that no result depends on the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from python_workers.columnar.rounding import (
    BoolArray,
    FloatArray,
    IntArray,
    decimal_to_float,
    round_ratio,
)


class InputTableError(ValueError):
    """A worker cannot use an input table; the fault lies with the table, not with one player."""


@dataclass(frozen=True)
class Integers:
    """An int64 column.

    Parameters
    ----------
    values
        The values; 0 where missing.
    valid
        False where the value is missing (NULL); None if no value is missing.
    """

    values: IntArray
    valid: BoolArray | None = None

    def known(self) -> BoolArray:
        """Return a mask that is False where the value is missing."""
        return np.ones(len(self.values), dtype=np.bool_) if self.valid is None else self.valid

    def take(self, rows: IntArray | BoolArray | slice) -> Integers:
        """Return the given rows."""
        return Integers(self.values[rows], None if self.valid is None else self.valid[rows])

    def array(self) -> pa.Array:
        """Return the column as Arrow, with NULL where missing."""
        return nullable(self.values, self.valid)


def require_columns(table: pa.Table, name: str, columns: Iterable[str]) -> None:
    """Raise `InputTableError` if `table` lacks any of `columns`."""
    missing = [column for column in columns if column not in table.column_names]
    if missing:
        raise InputTableError(f"the {name} table lacks the column(s) {', '.join(missing)}")


def one_array(table: pa.Table, name: str) -> pa.Array:
    """Return a column as a single contiguous array."""
    column = table.column(name)
    if column.num_chunks == 1:
        return column.chunk(0)
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)


def integers(table: pa.Table, name: str) -> Integers:
    """Read a column of whole numbers.

    Raises
    ------
    InputTableError
        If the column holds something else.
    """
    array = one_array(table, name)
    if pa.types.is_null(array.type) or pa.types.is_decimal(array.type):
        array = _cast(array, pa.int64(), name)
    if not pa.types.is_integer(array.type):
        raise InputTableError(f"the column {name} holds {array.type}, not whole numbers")
    valid: BoolArray | None = None
    if array.null_count:
        valid = pc.is_valid(array).to_numpy(zero_copy_only=False)
        array = pc.fill_null(array, 0)
    if array.type not in (pa.int64(), pa.int32()):
        array = _cast(array, pa.int64(), name)
    values = array.to_numpy(zero_copy_only=False)
    return Integers(values.astype(np.int64, copy=False), valid)


def fixed_point(table: pa.Table, name: str, decimals: int) -> Integers:
    """Read a column of decimals stored as doubles, in units of ``10**-decimals``.

    Raises
    ------
    OverflowError
        If a value is not finite or has no exact form at these decimals.
    """
    array = one_array(table, name)
    if not pa.types.is_floating(array.type):
        array = _cast(array, pa.float64(), name)
    valid: BoolArray | None = None
    if array.null_count:
        valid = pc.is_valid(array).to_numpy(zero_copy_only=False)
        array = pc.fill_null(array, 0.0)
    floats = array.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    scaled = np.rint(floats * 10.0**decimals)
    beyond = ~(np.abs(scaled) <= 2.0**53)
    if beyond.any():
        raise OverflowError(f"{name} is {floats[beyond][0]}, which has no exact decimal form")
    return Integers(scaled.astype(np.int64), valid)


def booleans(table: pa.Table, name: str) -> BoolArray:
    """Read a column of flags, which must have no NULL."""
    array = one_array(table, name)
    if not pa.types.is_boolean(array.type):
        raise InputTableError(f"the column {name} holds {array.type}, not flags")
    if array.null_count:
        raise ValueError(f"{name} is missing")
    flags: BoolArray = array.to_numpy(zero_copy_only=False)
    return flags


def days(table: pa.Table, name: str) -> Integers:
    """Read a column of dates as days since 1970-01-01."""
    array = one_array(table, name)
    if not pa.types.is_date32(array.type):
        array = _cast(array, pa.date32(), name)
    valid: BoolArray | None = None
    if array.null_count:
        valid = pc.is_valid(array).to_numpy(zero_copy_only=False)
    numbers = array.cast(pa.int32())
    if valid is not None:
        numbers = pc.fill_null(numbers, 0)
    return Integers(numbers.to_numpy(zero_copy_only=False).astype(np.int64), valid)


def iso_date(day: int) -> str:
    """Return a day number as an ISO date.

    Examples
    --------
    >>> iso_date(19007)
    '2022-01-15'
    """
    return str(np.datetime64(int(day), "D"))


def decoded(array: pa.Array) -> pa.Array:
    """Decode a dictionary column into plain values; return any other column unchanged."""
    if pa.types.is_dictionary(array.type):
        return array.cast(array.type.value_type)
    if pa.types.is_large_string(array.type):
        return array.cast(pa.string())
    return array


def nullable(values: IntArray | FloatArray | BoolArray, valid: BoolArray | None) -> pa.Array:
    """Return numpy values as Arrow, NULL where `valid` is False."""
    if valid is None or valid.all():
        return pa.array(values)
    return pa.array(values, mask=~valid)


def zero_where_unknown(values: IntArray, known: BoolArray) -> IntArray:
    """Replace unknown values by 0; fast where few are unknown."""
    blank = values.copy()
    blank[np.flatnonzero(~known)] = 0
    return blank


def ratio_array(
    num: npt.ArrayLike, den: npt.ArrayLike, decimals: int, where: BoolArray | None = None
) -> pa.Array:
    """Return ``num / den`` rounded half-even, NULL where `den` is 0 or `where` is False."""
    valid = np.asarray(den) != 0
    if where is not None:
        valid = valid & where
    return nullable(round_ratio(num, den, decimals, valid), valid)


def decimal_array(column: Integers, decimals: int) -> pa.Array:
    """Return a column held in units of ``10**-decimals`` as doubles."""
    return nullable(decimal_to_float(column.values, decimals), column.valid)


def minutes_array(seconds: Integers) -> pa.Array:
    """Return seconds as minutes, rounded half-even to two decimals."""
    return nullable(round_ratio(seconds.values, 60, 2), seconds.valid)


def labels_of(codes: IntArray, labels: Sequence[str | None]) -> pa.Array:
    """Return the label of each code; a label of None is NULL."""
    return pa.array(labels, pa.string()).take(pa.array(codes))


def both_valid(first: BoolArray | None, second: BoolArray | None) -> BoolArray | None:
    """Return the mask of rows that are valid in both columns, None if all rows are."""
    if first is None:
        return second
    if second is None:
        return first
    return first & second


def _cast(array: pa.Array, to: pa.DataType, name: str) -> pa.Array:
    try:
        return array.cast(to)
    except pa.ArrowInvalid as error:
        raise InputTableError(f"the column {name} cannot be read as {to}: {error}") from error


def values_at(table: pa.Table, name: str, rows: Integers) -> pa.Array:
    """Return the values of a column at some rows, NULL where there is no row."""
    indices = pa.array(rows.values, mask=None if rows.valid is None else ~rows.valid)
    return decoded(one_array(table, name).take(indices))
