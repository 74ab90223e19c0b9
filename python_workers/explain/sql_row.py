"""Explains a row that dbt builds: runs the model's own SQL for one date, and shows its formulas."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from python_workers.explain.lines import Line, stored_problem
from python_workers.explain.model_sql import Engine, Renderer
from python_workers.explain.select_list import (
    FINAL,
    Expression,
    definition,
    expressions,
    names_in,
)
from python_workers.processors.base import Processor
from python_workers.warehouse.base import Warehouse

_END = re.compile(r"select \* from final\s*$")

Rows = Mapping[str, Mapping[str, Any] | None]
"""The entity's row in each common table expression; None where it has none."""


def explain_sql(
    warehouse: Warehouse,
    processor: Processor,
    day: date,
    entity: object,
    stored: Mapping[str, Any] | None,
    directory: Path,
) -> tuple[dict[str, Any] | None, list[Line]]:
    """Recompute a row of a model, and explain each of its columns.

    Parameters
    ----------
    warehouse
        Runs the model's select for the date.
    processor, day, entity
        Whose row it is; a player's id or a team's abbreviation.
    stored
        The stored row; None if there is none.
    directory
        The folder of the dbt project.

    Returns
    -------
    tuple
        The recomputed row, None if there is none, and the lines of its columns, each after the
        values on the way to it.
    """
    engine: Engine = "duckdb" if warehouse.kind == "duckdb" else "bigquery"
    sql = Renderer(directory, engine, day).model(processor.model)
    readable = expressions(
        Renderer(directory, engine, day, is_readable=True).model(processor.model)
    )
    rows = _rows(warehouse, sql, readable, processor, entity)
    final = rows[FINAL]
    if final is None:
        return None, []
    lines: list[Line] = []
    explained: set[tuple[str, str]] = set()
    for column in final:
        found = definition(readable, FINAL, column)
        formula = filled = None
        if found is not None:
            lines += _steps(readable, rows, found.expression, found.formula, explained)
            explained.add((found.expression, found.column))
            formula = found.formula
            filled = _filled(readable, rows, found.expression, formula)
        was = None if stored is None else stored[column]
        problem = "" if stored is None else stored_problem(final[column], was)
        lines.append(
            Line(column, final[column], formula, filled, True, was, problem)  # noqa: FBT003 -- is_column
        )
    return dict(final), lines


def _rows(
    warehouse: Warehouse,
    sql: str,
    readable: Mapping[str, Expression],
    processor: Processor,
    entity: object,
) -> Rows:
    """Read the entity's row of each expression, with one query for those that extend each other."""
    extended = {each.takes_all for each in readable.values()}
    rows: dict[str, Mapping[str, Any] | None] = {}
    names = [name for name in readable if name not in extended or name == FINAL]
    # The row of another team is chosen by the opponent, which the final row names.
    for name in sorted(names, key=lambda each: each != FINAL):
        table = warehouse.query(_END.sub(f"select * from {name}", sql))  # noqa: S608 names of the model
        opponent = (rows.get(FINAL) or {}).get("opponent_team_abbr", entity)
        column, wanted = ("player_id", entity)
        if "player_id" not in table.column_names:
            column, wanted = ("team_abbr", opponent)
        if processor.entity == "team_abbr":
            column, wanted = ("team_abbr", entity)
        found = table.filter(pc.equal(table.column(column), pa.scalar(wanted))).to_pylist()
        rows[name] = found[0] if found else None
    for name in reversed(list(readable)):
        heirs = [each.name for each in readable.values() if each.takes_all == name]
        if name not in rows:
            rows[name] = rows[heirs[0]]
    return rows


def _steps(
    models: dict[str, Expression],
    rows: Rows,
    within: str,
    formula: str,
    explained: set[tuple[str, str]],
) -> Iterator[Line]:
    """Yield the computed values that a formula uses, each once, and before them theirs."""
    for source, name in _sources(models, within, formula):
        found = definition(models, source, name)
        if found is None or (found.expression, found.column) in explained:
            continue
        explained.add((found.expression, found.column))
        yield from _steps(models, rows, found.expression, found.formula, explained)
        value = _value(rows, found.expression, found.column)
        filled = _filled(models, rows, found.expression, found.formula)
        yield Line(found.column, value, found.formula, filled)


def _sources(
    models: Mapping[str, Expression], within: str, formula: str
) -> Iterator[tuple[str, str]]:
    """Yield the expression and the name of each column that a formula uses."""
    sources = models[within].sources
    for qualifier, name, _ in names_in(formula):
        source = sources.get(qualifier) if qualifier else next(iter(sources.values()), None)
        if source is not None and _has(rows_of=models, expression=source, name=name):
            yield source, name


def _has(rows_of: Mapping[str, Expression], expression: str, name: str) -> bool:
    found = rows_of.get(expression)
    if found is None:
        return True
    if name in found.columns:
        return True
    return found.takes_all is not None and _has(rows_of, found.takes_all, name)


def _value(rows: Rows, expression: str, name: str) -> object:
    row = rows.get(expression)
    return None if row is None else row.get(name)


def _filled(models: Mapping[str, Expression], rows: Rows, within: str, formula: str) -> str:
    """Return a formula with values in the place of its columns."""
    sources = models[within].sources
    parts: list[str] = []
    end = 0
    for qualifier, name, (first, last) in names_in(formula):
        source = sources.get(qualifier) if qualifier else next(iter(sources.values()), None)
        row = rows.get(source or "")
        if (row is not None and name in row) or (qualifier and source is not None):
            parts += [formula[end:first], _shown(None if row is None else row.get(name))]
            end = last
    return "".join([*parts, formula[end:]])


def _shown(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"({value})" if value < 0 else str(value)
    return f"'{value}'"
