"""Small tables and the commits that the tests of BigQuery write to them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa

from python_workers.warehouse.base import Column, TableChange, TableSpec
from python_workers.warehouse.bigquery.warehouse import BigQueryWarehouse

FIRST = dt.date(2021, 12, 1)
SECOND = dt.date(2021, 12, 2)
THIRD = dt.date(2021, 12, 3)

PLAYERS = TableSpec(
    name="nba_raw.players",
    columns=(
        Column("player_id", "int64"),
        Column("player_name", "string"),
        Column("birth_date", "date"),
        Column("position", "string"),
    ),
    key=("player_id",),
    cluster_by=("player_id",),
)
FEATURES = TableSpec(
    name="nba_precompute.features",
    columns=(
        Column("analysis_date", "date"),
        Column("player_id", "int64"),
        Column("score", "float64"),
        Column("is_bootstrap", "bool"),
        Column("created_at", "timestamp"),
    ),
    key=("analysis_date", "player_id"),
    partition_by="analysis_date",
    cluster_by=("player_id",),
)
RUNS = TableSpec(
    name="nba_processing.runs",
    columns=(
        Column("processor_name", "string"),
        Column("analysis_date", "date"),
        Column("run_id", "string"),
    ),
    key=("processor_name", "analysis_date"),
    partition_by="analysis_date",
)

NOW = dt.datetime(2024, 1, 1, 12, 30, 15, 250, tzinfo=dt.UTC)


def players(*rows: tuple[int, str, dt.date | None, str | None]) -> pa.Table:
    ids, names, births, positions = zip(*rows, strict=True)
    return pa.table(
        {
            "player_id": pa.array(ids, pa.int32()),
            "player_name": pa.array(names).dictionary_encode(),
            "birth_date": pa.array(births, pa.date32()),
            "position": pa.array(positions, pa.string()),
        }
    )


def features(dates: Sequence[dt.date], score: float, ids: Sequence[int] = (1, 2)) -> pa.Table:
    rows = [(date, player_id) for date in dates for player_id in ids]
    return pa.table(
        {
            "player_id": pa.array([player_id for _, player_id in rows], pa.int64()),
            "analysis_date": pa.array([date for date, _ in rows], pa.date32()),
            "score": pa.array([score] * len(rows), pa.float64()),
            "is_bootstrap": pa.array([True] * len(rows)),
            "created_at": pa.array([NOW] * len(rows), pa.timestamp("us", tz="UTC")),
        }
    )


def dates_of(dates: Sequence[dt.date]) -> pa.Table:
    return pa.table({"analysis_date": pa.array(dates, pa.date32())})


def chunk(run_id: str, dates: Sequence[dt.date], score: float) -> list[TableChange]:
    """A chunk's commit: rows of some dates and their run records, replacing earlier ones."""
    runs = pa.table(
        {
            "processor_name": ["PlayerDailyCacheProcessor"] * len(dates),
            "analysis_date": pa.array(dates, pa.date32()),
            "run_id": [run_id] * len(dates),
        }
    )
    return [
        TableChange(FEATURES.name, ("analysis_date",), features(dates, score)),
        TableChange(RUNS.name, RUNS.key, runs),
    ]


def scores(warehouse: BigQueryWarehouse) -> list[tuple[dt.date, int, float]]:
    rows = warehouse.query(
        "select analysis_date, player_id, score from nba_precompute.features order by 1, 2"
    )
    return [tuple(row.values()) for row in rows.to_pylist()]


def run_ids(warehouse: BigQueryWarehouse) -> list[tuple[dt.date, str]]:
    rows = warehouse.query("select analysis_date, run_id from nba_processing.runs order by 1, 2")
    return [tuple(row.values()) for row in rows.to_pylist()]


def staging_tables(warehouse: BigQueryWarehouse) -> list[str]:
    found = warehouse._connection.client.list_tables(f"{warehouse._prefix}nba_processing")
    return [table.table_id for table in found if table.table_id.startswith("staged_")]
