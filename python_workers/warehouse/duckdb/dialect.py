"""Translates parameters, names and types between DuckDB and the form that both engines share."""

from __future__ import annotations

import functools
import re

import pyarrow as pa

from python_workers.errors import BackcourtError
from python_workers.warehouse.base import Column, ColumnType, checked_identifier, split_table_name
from python_workers.warehouse.widths import Widths

SQL_TYPES: dict[ColumnType, str] = {
    "int64": "bigint",
    "float64": "double",
    "string": "varchar",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamptz",
}
_COLUMN_TYPES: dict[str, ColumnType] = {
    **dict.fromkeys(
        ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT"), "int64"
    ),
    **dict.fromkeys(("UINTEGER", "UBIGINT"), "int64"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "float64"),
    "VARCHAR": "string",
    "BOOLEAN": "bool",
    "DATE": "date",
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"), "timestamp"),
}
_INTEGERS = {
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
}
# Match text, quoted names and comments first, so that an @ inside them stays unchanged.
_TOKENS = re.compile(
    r"""
      '(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | --[^\n]* | /\*.*?\*/
    | (?P<list>\bin\s+unnest\s*\(\s*@(?P<list_name>[A-Za-z_]\w*)\s*\))
    | @(?P<name>[A-Za-z_]\w*)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


@functools.lru_cache(maxsize=512)
def translate_parameters(sql: str) -> tuple[str, frozenset[str]]:
    """Return the statement with parameters in DuckDB's notation, and the parameters' names.

    Examples
    --------
    >>> sql, names = translate_parameters("select '@a' from t where d in unnest(@days) and i = @i")
    >>> sql
    "select '@a' from t where d in (select unnest($days)) and i = $i"
    >>> sorted(names)
    ['days', 'i']
    """
    names: set[str] = set()

    def replace(token: re.Match[str]) -> str:
        if token["list"]:
            names.add(token["list_name"])
            return f"in (select unnest(${token['list_name']}))"
        if token["name"]:
            names.add(token["name"])
            return f"${token['name']}"
        return token[0]

    return _TOKENS.sub(replace, sql), frozenset(names)


def with_widths(sql: str, widths: Widths) -> str:
    """Return a select that casts its whole numbers to the given widths; the cast may fail."""
    casts = ", ".join(
        f'cast("{checked_identifier(name)}" as {_INTEGERS[type_]}) as "{name}"'
        for name, type_ in widths.items()
    )
    return f"select * replace ({casts}) from ({sql})" if casts else sql  # noqa: S608


def portable_types(table: pa.Table, *, narrow: bool = False) -> pa.Table:
    """Cast numbers to int64 or float64, text to string, and times to UTC.

    With `narrow`, whole numbers keep their width. A column with a number beyond int64 keeps its
    type.
    """
    fields = [
        field
        if narrow and pa.types.is_integer(field.type)
        else field.with_type(_portable_type(field.type))
        for field in table.schema
    ]
    schema = pa.schema(fields)
    if schema == table.schema:
        return table
    try:
        return table.cast(schema)
    except pa.ArrowInvalid:
        # Among the user's own numbers is one beyond int64; its check needs it as it is.
        columns = [
            _cast(column, kind) for column, kind in zip(table.columns, schema.types, strict=True)
        ]
        return pa.table(columns, names=table.column_names)


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:
        return column


def _portable_type(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(type_) or (pa.types.is_decimal(type_) and type_.scale == 0):
        return pa.int64()
    if pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return pa.float64()
    if pa.types.is_timestamp(type_):
        return pa.timestamp("us", tz="UTC")
    if pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return pa.string()
    return pa.int64() if pa.types.is_null(type_) else type_


def column_type(table: str, name: str, sql_type: str) -> ColumnType:
    """Return the shared name of a type from DuckDB's catalog."""
    if sql_type.startswith("DECIMAL"):
        return "float64"
    try:
        return _COLUMN_TYPES[sql_type]
    except KeyError:
        raise BackcourtError(
            f"column {name} of {table} has the type {sql_type}, which Backcourt does not use"
        ) from None


def definition(column: Column) -> str:
    """Return the column's definition for a create statement."""
    return f'"{checked_identifier(column.name)}" {SQL_TYPES[column.type]}'


def literal(text: str) -> str:
    """Return a text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def quoted(table: str) -> str:
    """Return ``schema.table`` checked and quoted."""
    schema, name = split_table_name(table)
    return f'"{schema}"."{name}"'
