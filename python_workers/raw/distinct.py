"""Finds the distinct values of a raw column, as Python values; marks the unusable ones."""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from python_workers.raw.values import Moment, Unusable

# Ordinal of 1970-01-01, from which Arrow counts.
_EPOCH = dt.date(1970, 1, 1).toordinal()
_LONG = 64
_PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


@dataclass(frozen=True)
class Distinct:
    """A column as its distinct values and, per row, the index of its value; NULL has none."""

    codes: pa.Array
    values: list[object]


class UnusableTypeError(TypeError):
    """A column type that the load cannot read; the text says how to fix it."""

    def __init__(self, kind: pa.DataType, advice: str) -> None:
        super().__init__(advice)
        self.kind = kind


def distinct(column: pa.Array | list[object]) -> Distinct:
    """Find the distinct values of a column.

    Raises
    ------
    UnusableTypeError
        If no value of the column's type is usable.
    """
    return _of_json(column) if isinstance(column, list) else _of_arrow(column)


def _of_json(column: list[object]) -> Distinct:
    if set(map(type, column)) - {type(None)} in ({str}, {int}, {float}, {bool}):
        # Arrow is faster, but takes neither numbers beyond 64 bits nor lone surrogates.
        with contextlib.suppress(OverflowError, UnicodeEncodeError, pa.ArrowException):
            return _of_arrow(pa.array(column))
    # Compare types, too: in Python, True equals 1.
    places: dict[tuple[type, object], int] = {}
    values: list[object] = []
    codes: list[int | None] = []
    for given in column:
        if given is None:
            codes.append(None)
            continue
        value = given
        if isinstance(given, list | dict):
            what = "an array" if isinstance(given, list) else "an object"
            value = Unusable(str(given), f"is {what}; one value belongs here")
        place = places.setdefault((type(value), value), len(values))
        if place == len(values):
            values.append(value)
        codes.append(place)
    return Distinct(pa.array(codes, pa.int32()), values)


def _of_arrow(column: pa.Array) -> Distinct:
    array, kind = column, column.type
    if pa.types.is_dictionary(kind):
        array, kind = array.cast(kind.value_type), kind.value_type
    if isinstance(kind, pa.BaseExtensionType):
        raise UnusableTypeError(kind, "Store it as text, numbers or dates.")
    if pa.types.is_nested(kind):
        raise UnusableTypeError(kind, "It holds several values in one.")
    if pa.types.is_float16(kind):
        array = array.cast(pa.float32())
    elif _is_text(kind):
        # Compare bytes: they may not be UTF-8.
        array = array.cast(pa.large_binary())
    try:
        encoded = array.dictionary_encode()
        return Distinct(encoded.indices, _python_values(encoded.dictionary, kind))
    except pa.ArrowException as error:
        raise UnusableTypeError(kind, "Store it as text, numbers or dates.") from error


def _is_text(kind: pa.DataType) -> bool:
    tests = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_binary_view,
        pa.types.is_fixed_size_binary,
    )
    return any(test(kind) for test in tests)


def _python_values(values: pa.Array, kind: pa.DataType) -> list[object]:
    if _is_text(kind):
        return [_text(value) for value in values.to_pylist()]
    if pa.types.is_date32(kind):
        return [_moment(days, 1, "D", None) for days in values.cast(pa.int32()).to_pylist()]
    if pa.types.is_date64(kind):
        return [_moment(n, _PER_DAY["ms"], "ms", None) for n in values.cast(pa.int64()).to_pylist()]
    if pa.types.is_timestamp(kind):
        per_day = _PER_DAY[kind.unit]
        return [
            _moment(n, per_day, kind.unit, kind.tz) for n in values.cast(pa.int64()).to_pylist()
        ]
    if pa.types.is_duration(kind) or pa.types.is_time(kind):
        # Python's types have a smaller range than Arrow's.
        what = "a duration" if pa.types.is_duration(kind) else "a time of day"
        counts = values.view(pa.int64() if kind.bit_width == _LONG else pa.int32()).to_pylist()
        return [Unusable(f"{n} {kind.unit}", f"is {what}; no column holds one") for n in counts]
    found: list[object] = values.to_pylist()
    return found


def _text(value: bytes) -> object:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return Unusable(repr(value), "is not UTF-8 text")


def _moment(count: int, per_day: int, unit: str, zone: str | None) -> object:
    """Return the moment this long after 1970-01-01; Python's own dates end with the year 9999."""
    days, time = divmod(count, per_day)
    shown = str(np.datetime64(count, unit)).replace("T", " ")  # type: ignore[call-overload]
    ordinal = days + _EPOCH
    is_known = dt.date.min.toordinal() <= ordinal <= dt.date.max.toordinal()
    date = dt.date.fromordinal(ordinal) if is_known else None
    return Moment(date, time != 0, zone, f"{shown} {zone}" if zone else shown)
