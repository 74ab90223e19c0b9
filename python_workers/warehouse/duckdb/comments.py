"""Descriptions of tables and columns as DuckDB's comments."""

from __future__ import annotations

import duckdb

from python_workers.warehouse.base import TableSpec, split_table_name
from python_workers.warehouse.duckdb.dialect import literal, quoted

# The comment of the table itself stands under the empty name.
_STORED = """
select column_name, comment from duckdb_columns()
where database_name = current_database() and schema_name = $schema and table_name = $name
union all
select '', comment from duckdb_tables()
where database_name = current_database() and schema_name = $schema and table_name = $name
"""


def missing_comments(cursor: duckdb.DuckDBPyConnection, spec: TableSpec) -> list[str]:
    """Return the statements for those descriptions of a table that the file does not hold.

    A table without a description keeps its comments, and so does a view that stands for a table.
    """
    if not spec.description:
        return []
    schema, name = split_table_name(spec.name)
    stored = dict(cursor.execute(_STORED, {"schema": schema, "name": name}).fetchall())
    if "" not in stored:
        return []
    table = quoted(spec.name)
    statements = [
        f'comment on column {table}."{column.name}" is {_literal(column.description)}'
        for column in spec.columns
        if column.description != (stored[column.name] or "")
    ]
    if spec.description != (stored[""] or ""):
        statements.append(f"comment on table {table} is {_literal(spec.description)}")
    return statements


def _literal(text: str) -> str:
    return literal(text) if text else "null"
