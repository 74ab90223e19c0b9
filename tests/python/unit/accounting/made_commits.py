"""Commits of daily caches of a few players."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from python_workers import table_names
from python_workers.accounting import record_changes
from python_workers.accounting.commits import Commit, commit_of_pool_rows
from python_workers.accounting.processed_dates import WhatIsRead
from python_workers.accounting.run_records import Run, run_changes
from python_workers.processors import daily_cache
from python_workers.processors.base import Processor
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.failures import FAILURE_SCHEMA, ChunkResult
from python_workers.warehouse.base import Column, TableSpec
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.factories import (
    DAY,
    Row,
    box_score,
    daily_cache_tables,
    regular,
)

FIVE_GAMES = [box_score()] * 5
BETTER_GAMES = [box_score(points=31)] * 5


def run(number: int) -> Run:
    return Run(f"run{number}", "backfill", dt.datetime(2022, 2, number, tzinfo=dt.UTC))


def spec(name: str, schema: pa.Schema, *instants: str) -> TableSpec:
    types: dict[str, Any] = {
        "double": "float64",
        "date32[day]": "date",
        "timestamp[us, tz=UTC]": "timestamp",
    }
    columns = [Column(each.name, types.get(str(each.type), str(each.type))) for each in schema]
    columns += [Column(each, "timestamp") for each in instants]
    return TableSpec(name, tuple(columns), key=("analysis_date",))


@contextmanager
def opened_warehouse(folder: Path) -> Iterator[DuckDBWarehouse]:
    """Open a warehouse with the tables that a commit of DAILY_CACHE writes, empty."""
    text = pa.string()
    rows = compute(regular(FIVE_GAMES)).rows.schema.append(pa.field("run_id", text))
    failures = FAILURE_SCHEMA.append(pa.field("processor_name", text)).append(
        pa.field("run_id", text)
    )
    history, current = (
        change.rows.schema
        for change in run_changes(DAILY_CACHE, run(1), {}, {}, 0.0, run(1).started_at)
        if change.rows is not None
    )
    with DuckDBWarehouse(folder / "backcourt.duckdb") as opened:
        opened.ensure_tables(
            [
                spec(DAILY_CACHE.table, rows, "created_at", "processed_at"),
                spec(table_names.PRECOMPUTE_FAILURES, failures, "created_at"),
                spec(table_names.PROCESSOR_RUNS, history),
                spec(table_names.PROCESSED_DATES, current),
                spec(table_names.RECORD_CHANGES, record_changes.SCHEMA),
            ]
        )
        yield opened


def compute(*players: Row) -> ChunkResult:
    """Compute date by date, since here a player's games differ between dates."""
    results = [
        daily_cache.compute(daily_cache_tables(of_day), {})
        for _, of_day in itertools.groupby(players, key=lambda player: player["analysis_date"])
    ] or [daily_cache.compute(daily_cache_tables(()), {})]
    return ChunkResult(
        pa.concat_tables([result.rows for result in results]),
        pa.concat_tables([result.failures for result in results]),
    )


def commit(
    warehouse: DuckDBWarehouse,
    number: int,
    result: ChunkResult,
    days: tuple[dt.date, ...] = (DAY,),
    processor: Processor = DAILY_CACHE,
    *,
    is_altered: bool = False,
) -> Commit:
    read = dict.fromkeys(days, WhatIsRead(f"f{number}", "psza:1"))
    made = commit_of_pool_rows(
        warehouse,
        processor,
        run(number),
        read,
        result.rows,
        result.failures,
        0.5,
        altered=days if is_altered else (),
    )
    warehouse.commit(made.changes, made.statements)
    return made


def stored(warehouse: DuckDBWarehouse, table: str = DAILY_CACHE.table) -> list[dict[str, Any]]:
    order = {
        table_names.RECORD_CHANGES: "change, entity_id",
        table_names.PROCESSOR_RUNS: "finished_at",
        table_names.PROCESSED_DATES: "processor_name",
    }.get(table, "player_id")
    found: list[dict[str, Any]] = warehouse.query(
        f"select * from {table} order by analysis_date, {order}"
    ).to_pylist()
    return found
