"""BigQuery's side of the portable SQL: dataset prefixes, parameters, types and write statements."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import pyarrow as pa
from google.cloud import bigquery

from python_workers.table_names import DATASETS
from python_workers.warehouse.base import ColumnType, checked_identifier, split_table_name

Scalar = bool | int | float | str | dt.date | dt.datetime
Parameter = bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter

# Marks those rows of a staging table that are only keys to delete, not rows to insert.
DELETION_MARK = "is_deletion_key"

SQL_TYPES: dict[ColumnType, str] = {
    "int64": "INT64",
    "float64": "FLOAT64",
    "string": "STRING",
    "bool": "BOOL",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}
ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
# BigQuery's table schemas use older type names.
COLUMN_TYPES: dict[str, ColumnType] = {
    "INTEGER": "int64",
    "INT64": "int64",
    "FLOAT": "float64",
    "FLOAT64": "float64",
    "STRING": "string",
    "BOOLEAN": "bool",
    "BOOL": "bool",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
}

# Match quoted text and comments first, so that nothing inside them counts as a dataset.
_DATASET_OR_QUOTED = re.compile(
    r"""'(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" | --[^\n]* | /\*.*?\*/"""
    rf"""| (?<![\w.`]) (?P<quote>`?) (?P<dataset>{"|".join(DATASETS)}) (?=\.)""",
    re.VERBOSE | re.DOTALL,
)


def with_dataset_prefix(sql: str, prefix: str) -> str:
    """Put the prefix, which may begin with a project, before every dataset name of a statement.

    Examples
    --------
    >>> with_dataset_prefix("select 'nba_raw.x' from nba_raw.games", "dev_")
    "select 'nba_raw.x' from dev_nba_raw.games"
    >>> with_dataset_prefix("select 1 from nba_raw.games", "my-data.dev_")
    'select 1 from `my-data`.dev_nba_raw.games'
    """
    if not prefix:
        return sql
    project, dot, of_dataset = prefix.rpartition(".")

    def prefixed(match: re.Match[str]) -> str:
        dataset = match["dataset"]
        if not dataset:
            return match[0]
        if match["quote"]:
            return f"`{prefix}{dataset}"
        return f"`{project}`.{of_dataset}{dataset}" if dot else f"{prefix}{dataset}"

    return _DATASET_OR_QUOTED.sub(prefixed, sql)


def query_parameters(params: Mapping[str, object] | None) -> list[Parameter]:
    """Return named parameters in BigQuery's typed form.

    Parameters
    ----------
    params
        Plain values and lists of them. Give an empty list, or values without a type of their own,
        as a pyarrow array or scalar.
    """
    return [
        query_parameter(checked_identifier(name), value) for name, value in (params or {}).items()
    ]


def query_parameter(name: str, value: object) -> Parameter:
    """Return one typed parameter; a list, tuple, set or Arrow array becomes an ARRAY."""
    if isinstance(value, pa.ChunkedArray | pa.Array):
        return bigquery.ArrayQueryParameter(name, sql_type_of_arrow(value.type), value.to_pylist())
    if isinstance(value, pa.Scalar):
        return bigquery.ScalarQueryParameter(name, sql_type_of_arrow(value.type), value.as_py())
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else list(value)
        if not items:
            raise ValueError(f"parameter {name!r} is an empty list; give it as a pyarrow array")
        return bigquery.ArrayQueryParameter(name, sql_type_of(name, items[0]), items)
    return bigquery.ScalarQueryParameter(name, sql_type_of(name, value), cast("Scalar", value))


def sql_type_of(name: str, value: object) -> str:
    """Return the SQL type of a Python value."""
    # bool is a subclass of int, and datetime of date: test the subclasses first.
    types: tuple[tuple[type, str], ...] = (
        (bool, "BOOL"),
        (int, "INT64"),
        (float, "FLOAT64"),
        (str, "STRING"),
        (dt.datetime, "TIMESTAMP"),
        (dt.date, "DATE"),
    )
    for python_type, sql_type in types:
        if isinstance(value, python_type):
            if isinstance(value, dt.datetime) and value.tzinfo is None:
                raise ValueError(f"parameter {name!r} is a time without zone: {value}")
            return sql_type
    raise ValueError(f"parameter {name!r} has no SQL type: {value!r}")


def sql_type_of_arrow(arrow_type: pa.DataType) -> str:
    """Return the SQL type of an Arrow type."""
    return SQL_TYPES[column_type_of_arrow(arrow_type)]


def column_type_of_arrow(arrow_type: pa.DataType) -> ColumnType:
    """Return the one of the six column types that corresponds to an Arrow type."""
    if pa.types.is_dictionary(arrow_type):
        arrow_type = arrow_type.value_type
    checks: tuple[tuple[bool, ColumnType], ...] = (
        (pa.types.is_boolean(arrow_type), "bool"),
        (pa.types.is_integer(arrow_type), "int64"),
        (pa.types.is_floating(arrow_type), "float64"),
        (pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type), "string"),
        (pa.types.is_date(arrow_type), "date"),
        (pa.types.is_timestamp(arrow_type), "timestamp"),
    )
    for fits, column_type in checks:
        if fits:
            return column_type
    raise ValueError(f"no column type for Arrow's {arrow_type}")


def in_shared_types(rows: pa.Table) -> pa.Table:
    """Cast the table to the six types that both engines share; other types stay unchanged."""
    fields = []
    for field in rows.schema:
        try:
            arrow_type = ARROW_TYPES[column_type_of_arrow(field.type)]
        except ValueError:
            arrow_type = field.type
        fields.append(pa.field(field.name, arrow_type))
    return rows.cast(pa.schema(fields))


def quoted(table: str, prefix: str) -> str:
    """Check a ``schema.table`` name and quote it for SQL."""
    schema, name = split_table_name(table)
    return f"`{prefix}{schema}.{name}`"


def column(name: str) -> str:
    """Check a column name and quote it: column names may be SQL keywords."""
    return f"`{checked_identifier(name)}`"


def comma_list(names: Iterable[str], alias: str = "") -> str:
    """Check column names and list them, each after the alias."""
    before = f"{alias}." if alias else ""
    return ", ".join(f"{before}{column(name)}" for name in names)


def equal_on(names: Sequence[str], left: str, right: str) -> str:
    """Return the condition that two aliases are equal in these columns."""
    return " and ".join(f"{left}.{column(name)} = {right}.{column(name)}" for name in names)


def differs_on(names: Sequence[str], left: str, right: str) -> str:
    """Return the condition that two aliases differ in one of these columns, NULLs included."""
    tests = [f"{left}.{column(name)} is distinct from {right}.{column(name)}" for name in names]
    return f"({' or '.join(tests)})" if tests else "false"


def delete_statement(
    target: str, staging: str, keys: Sequence[str], partition: tuple[str, str] | None
) -> str:
    """Return the statement that deletes the rows with staged keys from a table.

    Parameters
    ----------
    target, staging
        Quoted names.
    keys
        Columns to compare.
    partition
        The partitioning column, and the number N of the parameters ``@from_N`` and ``@to_N`` that
        bound it. Without bounds BigQuery reads the whole table.
    """
    bounds = ""
    if partition is not None:
        bounded, number = partition
        bounds = f"target.{column(bounded)} between @from_{number} and @to_{number}\n  and "
    return "\n".join(
        [
            f"delete from {target} as target",  # noqa: S608 (checked identifiers)
            f"where {bounds}exists (",
            f"    select 1 from {staging} as staged",  # noqa: S608 (checked identifiers)
            f"    where {equal_on(keys, 'staged', 'target')}",
            ")",
        ]
    )


def insert_statement(target: str, staging: str, columns: Sequence[str]) -> str:
    """Return the statement that inserts the staged rows, without the deletion keys."""
    names = comma_list(columns)
    return (
        f"insert into {target} ({names})\nselect {names} from {staging} where not {DELETION_MARK}"
    )


def transaction(statements: Sequence[str]) -> str:
    """Return a script that makes all statements visible together."""
    return ";\n".join(["begin transaction", *statements, "commit transaction"]) + ";"


def changed_rows(
    target: str, staging: str, key: Sequence[str], columns: Sequence[str], whole: str | None
) -> str:
    """Return the query for the rows that an upsert inserts, updates and deletes.

    It returns the columns of the table and ``change``; see `ChangeNote`.
    """
    missing = f"old_rows.{column(key[0])} is null"
    differs = differs_on([name for name in columns if name not in key], "old_rows", "new_rows")
    lines = [
        f"select {comma_list(columns, 'new_rows')},",
        f"    if({missing}, 'inserted', 'updated') as change",
        f"from {staging} as new_rows",
        f"left join {target} as old_rows on {equal_on(key, 'old_rows', 'new_rows')}",
        f"where {missing} or {differs}",
    ]
    if whole is not None:
        lines += [
            "union all",
            f"select {comma_list(columns, 'old_rows')}, 'deleted' as change",
            f"from {target} as old_rows",
            f"where {_is_left_out(staging, key, whole)}",
        ]
    return "\n".join(lines)


def count_statement(changes: str) -> str:
    """Return the query that counts the changed rows by kind."""
    kinds = ", ".join(
        f"countif(change = '{kind}') as {kind}" for kind in ("inserted", "updated", "deleted")
    )
    return f"select {kinds}\nfrom ({changes}) as changes"


def delete_left_out_statement(target: str, staging: str, key: Sequence[str], whole: str) -> str:
    """Return the statement that deletes a group's stored rows that are not staged."""
    is_left_out = _is_left_out(staging, key, whole)
    return f"delete from {target} as old_rows\nwhere {is_left_out}"  # noqa: S608 (checked names)


def _is_left_out(staging: str, key: Sequence[str], whole: str) -> str:
    lines = [
        f"old_rows.{column(whole)} in (select {column(whole)} from {staging})",  # noqa: S608 our own names
        f"    and not exists (select 1 from {staging} as new_rows",  # noqa: S608 (checked names)
        f"        where {equal_on(key, 'old_rows', 'new_rows')})",
    ]
    return "\n".join(lines)


def merge_statement(target: str, staging: str, key: Sequence[str], columns: Sequence[str]) -> str:
    """Return the statement that inserts new rows and updates changed ones."""
    values = [name for name in columns if name not in key]
    updates = ", ".join(f"{column(name)} = new_rows.{column(name)}" for name in values)
    names = comma_list(columns)
    changed = differs_on(values, "old_rows", "new_rows")
    lines = [
        f"merge into {target} as old_rows",
        f"using {staging} as new_rows",
        f"on {equal_on(key, 'old_rows', 'new_rows')}",
        f"when not matched then insert ({names}) values ({names})",  # noqa: S608 (identifiers)
    ]
    if values:
        lines.append(f"when matched and {changed} then update set {updates}")
    return "\n".join(lines)
