"""Casts whole numbers to the narrowest type that holds them.

The package reads millions of small counts and sends them to workers; as int64, most of their bytes
would be zeros.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

Widths = Mapping[str, pa.DataType]

_WIDTHS = ((pa.int8(), 7), (pa.int16(), 15), (pa.int32(), 31))


def narrowed(table: pa.Table) -> pa.Table:
    """Cast each int64 column to the narrowest type that holds its values."""
    for at, field in enumerate(table.schema):
        if field.type == pa.int64():
            bounds = pc.min_max(table.column(at))
            width = _narrowest(bounds["min"].as_py(), bounds["max"].as_py())
            table = table.set_column(at, field.with_type(width), table.column(at).cast(width))
    return table


def wider(first: Widths, second: Widths) -> Widths:
    """Return, by column, the wider of two types."""
    return {
        name: max(type_, second.get(name, type_), key=lambda arrow_type: arrow_type.bit_width)
        for name, type_ in first.items()
    }


def widths_of(table: pa.Table) -> Widths:
    """Return the types of all integer columns."""
    return {field.name: field.type for field in table.schema if pa.types.is_integer(field.type)}


def _narrowest(least: int | None, greatest: int | None) -> pa.DataType:
    for width, bits in _WIDTHS:
        if -(2**bits) <= (least or 0) and (greatest or 0) < 2**bits:
            return width
    return pa.int64()
