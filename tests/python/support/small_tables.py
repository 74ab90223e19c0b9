"""Small tables for the tests of a warehouse."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

from python_workers.warehouse.base import (
    Column,
    TableSpec,
)
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse

GAMES = TableSpec(
    "nba_raw.games",
    (
        Column("game_id", "string"),
        Column("game_date", "date"),
        Column("home_score", "int64"),
        Column("position", "string"),
        Column("is_final", "bool"),
        Column("pace", "float64"),
        Column("loaded_at", "timestamp"),
    ),
    key=("game_id",),
)
LINES = TableSpec(
    "nba_raw.lines",
    (Column("game_id", "string"), Column("player_id", "int64"), Column("points", "int64")),
    key=("game_id", "player_id"),
)
NOTES = TableSpec(
    "nba_raw.notes",
    (
        Column("label", "string"),
        Column("game_id", "string"),
        Column("change", "string"),
        Column("changes", "int64"),
    ),
    key=("label", "game_id", "change"),
)
DAY = dt.date(2022, 1, 15)
NOON = dt.datetime(2022, 1, 15, 12, tzinfo=dt.UTC)


def games(*scores: int | None, ids: list[str] | None = None) -> pa.Table:
    count = len(scores)
    return pa.table(
        {
            "game_id": ids or [f"00221{number:05d}" for number in range(count)],
            "game_date": pa.array([DAY] * count, pa.date32()),
            "home_score": pa.array(scores, pa.int32()),
            "position": [None] * count,
            "is_final": [True] * count,
            "pace": [99.5] * count,
            "loaded_at": pa.array([NOON] * count, pa.timestamp("us", tz="UTC")),
        }
    )


def lines(*rows: tuple[str, int, int | None]) -> pa.Table:
    return pa.table(
        {
            "game_id": pa.array([row[0] for row in rows], pa.string()),
            "player_id": pa.array([row[1] for row in rows], pa.int64()),
            "points": pa.array([row[2] for row in rows], pa.int64()),
        }
    )


def rows_of(warehouse: DuckDBWarehouse, table: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = warehouse.query(
        f"select * from {table} order by all"
    ).to_pylist()
    return rows
