"""Whether statements bound the dates of partitioned tables; needs the emulator's environment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import sqlglot
from sqlglot import exp

BOUNDS = (exp.Between, exp.EQ, exp.GTE, exp.LTE, exp.GT, exp.LT)


def unbounded(sql: str, partitioned: Mapping[str, str]) -> list[str]:
    """Return the partitioned tables that a statement or script reads without bounds.

    Parameters
    ----------
    sql
        GoogleSQL.
    partitioned
        Partitioning column by table, as ``dataset.table``.

    Notes
    -----
    A bound compares the bare column with literals or parameters, in the WHERE of the very select
    (or DELETE) that names the table, or in the WHEN of a MERGE: what BigQuery prunes by. One that
    stands in a select around it may do as well, but that is left to BigQuery's optimiser.
    """
    found = []
    for statement in sqlglot.parse(sql, read="bigquery"):
        if statement is None:
            continue
        for table in statement.find_all(exp.Table):
            column = partitioned.get(f"{table.db}.{table.name}")
            if column is not None and not is_bounded(table, column):
                found.append(f"{table.db}.{table.name}")
    return found


def is_bounded(table: exp.Table, column: str) -> bool:
    reader = table.find_ancestor(exp.Select, exp.Delete, exp.Update, exp.Merge, exp.Insert)
    if isinstance(reader, exp.Insert) or reader is None:
        return True
    if isinstance(reader, exp.Merge):
        whens = reader.args["whens"].expressions
        conditions = [when.args["condition"] for when in whens if when.args.get("condition")]
    else:
        where = reader.args.get("where")
        conditions = [] if where is None else [where.this]
    is_alone = not isinstance(reader, exp.Select) or not reader.args.get("joins")
    names = {table.alias_or_name, ""} if is_alone else {table.alias_or_name}
    return any(bounds(part, column, names) for each in conditions for part in conjuncts(each))


def conjuncts(condition: exp.Expression) -> Iterator[exp.Expression]:
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        yield from conjuncts(condition.left)
        yield from conjuncts(condition.right)
    else:
        yield condition


def bounds(condition: exp.Expression, column: str, names: Iterable[str]) -> bool:
    if isinstance(condition, exp.Or):
        # Beside the range, the partition of rows without a date.
        sides = [condition.left.unnest(), condition.right.unnest()]
        nulls = [side for side in sides if isinstance(side, exp.Is)]
        return len(nulls) == 1 and all(
            bounds(side, column, names) or (side in nulls and is_column(side.this, column, names))
            for side in sides
        )
    if not isinstance(condition, BOUNDS) or not is_column(condition.this, column, names):
        return False
    values = [
        value for key, value in condition.args.items() if key in {"low", "high", "expression"}
    ]
    return all(is_constant(value) for value in values)


def is_column(node: exp.Expression, column: str, names: Iterable[str]) -> bool:
    return isinstance(node, exp.Column) and node.name == column and node.table in names


def is_constant(node: exp.Expression) -> bool:
    if isinstance(node, exp.Cast):
        node = node.this
    return isinstance(node, exp.Literal | exp.Parameter | exp.Placeholder)
