"""Explains a row of the process pool: computes it again, and shows the formulas of its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from python_workers.backfill.pool_stage import read_inputs
from python_workers.columnar.columns import Integers
from python_workers.columnar.workings import Quotients, noted
from python_workers.errors import BackcourtError, ExitCode
from python_workers.explain.formulas import evaluate, filled, names, plain
from python_workers.explain.lines import Line, are_equal, stored_problem
from python_workers.pool.chunk import Chunk
from python_workers.processors.base import PoolWork, Processor
from python_workers.processors.catalogue import BY_KEY
from python_workers.processors.worker import compute_task
from python_workers.warehouse.base import Warehouse


@dataclass(frozen=True)
class Recomputed:
    """What the worker's function makes of a player and date.

    Parameters
    ----------
    row, failure
        One of the two; both None if the inputs do not list him.
    lines
        The lines of the row's columns, each after the intermediate values of `OutputTable.steps`
        that it uses.
    games
        The games of his window as the function reads them, most recent first.
    upstream
        The upstream rows that the function reads, by processor key; None where there is no row.
    """

    row: Mapping[str, Any] | None = None
    failure: Mapping[str, Any] | None = None
    lines: Sequence[Line] = ()
    games: Sequence[Mapping[str, Any]] = ()
    upstream: Mapping[str, Mapping[str, Any] | None] | None = None


def explain_pool(
    warehouse: Warehouse,
    processor: Processor,
    day: date,
    player: int,
    stored: Mapping[str, Any] | None,
    params: Mapping[str, object],
) -> Recomputed:
    """Compute a player's row of a date again, and explain each of its columns.

    Parameters
    ----------
    warehouse
        Holds the inputs and the upstream rows.
    processor, day, player
        Whose row it is.
    stored
        The stored row; None if there is none.
    params
        Decisions of daily mode, as the worker's function takes them.
    """
    _require_layout(warehouse, processor)
    tables = {
        name: _of(table, "player_id", player)
        for name, table in read_inputs(warehouse, processor, [day]).items()
    }
    return explain_tables(processor, tables, stored, params)


def explain_tables(
    processor: Processor,
    tables: Mapping[str, pa.Table],
    stored: Mapping[str, Any] | None,
    params: Mapping[str, object],
) -> Recomputed:
    """Compute the one row of some input tables, and explain each of its columns.

    Parameters
    ----------
    processor
        Whose row it is.
    tables
        The input tables of the worker's function, with one player on one date.
    stored, params
        As for `explain_pool`.
    """
    work = processor.work
    if not isinstance(work, PoolWork):
        raise TypeError(f"{processor.key} is not computed by the pool")
    if not tables["players"].num_rows:
        return Recomputed()
    inputs = _plain(tables["players"])[0]
    upstream = {key: _upstream_row(tables[key], key, inputs) for key in work.upstream_columns}
    games: list[dict[str, Any]] = []
    if "games" in tables:
        games = sorted(_plain(tables["games"]), key=lambda game: game["game_date"], reverse=True)
    with noted() as workings:
        result = compute_task(
            Chunk("explain", dict(tables), {"processor": processor.key, **params})
        )
    if result.failures.num_rows:
        (failure,) = result.failures.to_pylist()
        return Recomputed(failure=failure, games=games, upstream=upstream)
    (row,) = result.rows.to_pylist()
    steps = {name: _single(value) for name, value in workings.items()}
    values = {
        **inputs,
        **{
            f"{key}.{name}": None if found is None else found[name]
            for key, found in upstream.items()
            for name in work.upstream_columns[key]
        },
        **steps,
        **row,
    }
    lines = _lines(work, row, steps, values, stored)
    return Recomputed(row, None, lines, games, upstream)


def _require_layout(warehouse: Warehouse, processor: Processor) -> None:
    """Refuse tables that an earlier version has built, without columns that are read now."""
    work = processor.work
    if not isinstance(work, PoolWork):
        return
    reads = {processor.inputs: work.player_columns}
    if work.games is not None:
        reads[work.games.table] = work.games.columns
    for table, names_read in reads.items():
        there = {column.name for column in warehouse.columns(table)}
        lacking = [name for name in names_read if name not in there]
        if lacking:
            raise BackcourtError(
                f"{table} lacks {', '.join(lacking)}: an earlier version has built it",
                "Build the inputs again with: backcourt backfill --all",
                ExitCode.ENVIRONMENT,
            )


def _lines(
    work: PoolWork,
    row: Mapping[str, Any],
    steps: Mapping[str, object],
    values: Mapping[str, object],
    stored: Mapping[str, Any] | None,
) -> list[Line]:
    lines: list[Line] = []
    told: set[str] = set()

    def tell_steps(formula: str | None) -> None:
        """Add the steps that a formula uses, each once, and before them theirs."""
        for name in names(formula) if formula else ():
            if name in work.output.steps and name not in told:
                told.add(name)
                tell_steps(work.output.steps[name])
                lines.append(_line(name, steps.get(name), work.output.steps[name], values))

    for column in work.output.columns:
        tell_steps(column.formula)
        line = _line(column.name, row[column.name], column.formula, values)
        was = None if stored is None else stored[column.name]
        problem = line.problem
        if stored is not None and not problem:
            problem = stored_problem(line.value, was)
        lines.append(replace(line, is_column=True, stored=was, problem=problem))
    return lines


def _line(name: str, value: object, formula: str | None, values: Mapping[str, object]) -> Line:
    shown = plain(value)
    if formula is None:
        return Line(name, shown)
    result = evaluate(formula, values)
    problem = "" if are_equal(value, result) else f"the formula gives {plain(result)!r}"
    return Line(name, shown, formula, filled(formula, values), problem=problem)


def _of(table: pa.Table, column: str, value: object) -> pa.Table:
    if column not in table.column_names:
        return table
    return table.filter(pc.equal(table.column(column), pa.scalar(value)))


def _plain(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _upstream_row(table: pa.Table, key: str, inputs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if BY_KEY[key].entity == "team_abbr":
        table = _of(table, "team_abbr", inputs["opponent_team_abbr"])
    rows = _plain(table)
    return rows[0] if rows else None


def _single(value: object) -> object:
    """Return the one value of a noted array, a quotient as an exact fraction."""
    if isinstance(value, Quotients):
        if not value.where[0]:
            return None
        return Fraction(int(value.num[0]), int(value.den[0]))
    if isinstance(value, Integers):
        value = value.array()
    if isinstance(value, pa.Array | pa.ChunkedArray):
        return value[0].as_py() if len(value) else None
    if isinstance(value, np.ndarray):
        return value[0].item() if len(value) else None
    return value
