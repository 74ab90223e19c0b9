"""Values as text: Python's own text of every value, made once per distinct value.

A column of a million rows holds some thousand distinct values. Plain Python turns each distinct
value into text, and rows take their text by index. So the columnar text equals the scalar text by
construction.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NULL_TEXT = "NULL"

# Python and Arrow both write the fewest digits that read back as the same double. Outside this
# range they switch to exponents at different sizes, and Arrow omits the ".0" of whole numbers.
_ARROW_TEXT_FROM, _ARROW_TEXT_BELOW = 1e-4, 1e10


def hash_text(value: object) -> str:
    """Return a value as the text that enters a record hash.

    Parameters
    ----------
    value
        None, text, a bool, an int, a float, a date or datetime, a list of these, or the numpy
        scalar of one of them.

    Raises
    ------
    TypeError
        For any other type, whose text would differ between engines.

    Examples
    --------
    >>> [hash_text(v) for v in (None, " Luka ", True, 7, 45.20, dt.date(2022, 1, 15), [1, "a"])]
    ['NULL', 'Luka', 'True', '7', '45.2', '2022-01-15', "[1, 'a']"]
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None:
        return NULL_TEXT
    if isinstance(value, str):
        return value.strip()
    # A bool is an int to Python, so test for it first.
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, list):
        return str(value)
    raise TypeError(f"{value!r} of type {type(value).__name__} has no text in a record hash")


def json_text(value: object) -> str:
    """Return a value as JSON, dates as ISO text.

    Examples
    --------
    >>> [json_text(v) for v in (None, True, 0.5, "a", dt.date(2022, 1, 15))]
    ['null', 'true', '0.5', '"a"', '"2022-01-15"']
    """
    if isinstance(value, dt.date):
        value = value.isoformat()
    return json.dumps(value, allow_nan=False)


@dataclass(frozen=True)
class Texts:
    """A column of texts.

    Parameters
    ----------
    indices
        Per row the index of its text.
    distinct
        The distinct texts.
    """

    indices: pa.Array
    distinct: pa.Array

    def rows(self, first: int, count: int) -> pa.Array | pa.Scalar:
        """Return the texts of some rows, a scalar if all are the same."""
        if len(self.distinct) == 1:
            return self.distinct[0]
        return self.distinct.take(self.indices.slice(first, count))


@dataclass(frozen=True)
class Encoded:
    """A column as its distinct values and, per row, the index of its value.

    Parameters
    ----------
    indices
        int32 per row; ``len(values)`` where the row is NULL.
    values
        The distinct values.
    has_null
        Whether a row is NULL.
    """

    indices: pa.Array
    values: pa.Array
    has_null: bool

    def texts(self, render: Callable[[object], str], prefix: str = "") -> Texts:
        """Return each row's text, with `prefix` before it.

        Write numbers as repr does and ignore `render`: a hash and JSON write them alike.
        """
        if pa.types.is_integer(self.values.type):
            texts = self.values.cast(pa.string())
        elif pa.types.is_floating(self.values.type):
            texts = _float_texts(self.values)
        else:
            texts = pa.array(map(render, self.values.to_pylist()), pa.string())
        if self.has_null:
            texts = pa.concat_arrays([texts, pa.array([render(None)], pa.string())])
        return Texts(self.indices, pc.binary_join_element_wise(prefix, texts, ""))


def encode(column: pa.Array | pa.ChunkedArray) -> Encoded:
    """Find the distinct values of a column."""
    array = column
    if isinstance(array, pa.ChunkedArray):
        if pa.types.is_dictionary(array.type):
            array = array.unify_dictionaries()
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    if pa.types.is_floating(array.type):
        return _encode_floats(array)
    if pa.types.is_nested(array.type):
        return _encoded(pa.array(range(len(array)), pa.int32()), array)
    if pa.types.is_dictionary(array.type) and array.dictionary.null_count:
        array = array.cast(array.type.value_type)
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    return _encoded(array.indices, array.dictionary)


def _encode_floats(array: pa.Array) -> Encoded:
    # Compare doubles by their bits: -0.0 equals 0.0 but has another text.
    doubles = array.cast(pa.float64())
    valid = pc.is_valid(doubles) if doubles.null_count else None
    floats = doubles.fill_null(0.0) if valid is not None else doubles
    bits = pa.array(floats.to_numpy(zero_copy_only=False).view(np.int64)).dictionary_encode()
    indices = bits.indices
    if valid is not None:
        indices = pc.if_else(valid, indices, pa.scalar(None, indices.type))
    return _encoded(indices, bits.dictionary.view(pa.float64()))


def _encoded(indices: pa.Array, values: pa.Array) -> Encoded:
    indices = indices.cast(pa.int32())
    has_null = bool(indices.null_count)
    return Encoded(indices.fill_null(len(values)) if has_null else indices, values, has_null)


def _float_texts(values: pa.Array) -> pa.Array:
    """Return Python's repr of doubles; take Arrow's text, far cheaper, where the two agree."""
    floats = values.to_numpy()
    size = np.abs(floats)
    agrees = (size >= _ARROW_TEXT_FROM) & (size < _ARROW_TEXT_BELOW) & (floats != np.rint(floats))
    if agrees.all():
        return values.cast(pa.string())
    others = pa.array(map(repr, floats[~agrees].tolist()), pa.string())
    return pc.replace_with_mask(values.cast(pa.string()), pa.array(~agrees), others)


def joined(columns: Sequence[Texts], separator: str, first: int, rows: int) -> pa.Array:
    """Join the texts of several columns row by row.

    Parameters
    ----------
    columns
        The columns.
    separator
        Text between two columns.
    first, rows
        The slice of rows wanted.
    """
    texts = [column.rows(first, rows) for column in columns]
    if all(isinstance(text, pa.Scalar) for text in texts):
        texts[0] = pa.repeat(texts[0], rows)
    return pc.binary_join_element_wise(*texts, separator)


def json_objects(fields: dict[str, pa.Array]) -> pa.Array:
    """Return one JSON object per row, as ``json.dumps(..., sort_keys=True)`` writes it.

    Parameters
    ----------
    fields
        Column of values per key; all of one length.
    """
    names = sorted(fields)
    rows = len(fields[names[0]])
    if rows == 0:
        return pa.array([], pa.string())
    columns = [encode(fields[name]).texts(json_text, f"{json.dumps(name)}: ") for name in names]
    return pc.binary_join_element_wise("{", joined(columns, ", ", 0, rows), "}", "")
