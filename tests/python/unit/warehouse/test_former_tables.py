"""Queries on tables of an earlier version, which lack newer columns."""

from __future__ import annotations

import yaml

from python_workers import table_names
from python_workers.raw.schema import CHANGED_GAMES
from python_workers.warehouse.base import Column
from python_workers.warehouse.former_tables import ADDED_COLUMNS, with_added_columns
from tests.python.support.folders import REPOSITORY

STORED = {
    table_names.PROCESSED_DATES: (Column("run_id", "string"), Column("rows_fingerprint", "string")),
    table_names.PROCESSOR_RUNS: (
        Column("run_id", "string"),
        Column("known_source_gap", "int64"),
    ),
}


def completed(sql: str) -> str | None:
    return with_added_columns(sql, STORED.__contains__, STORED.__getitem__)


def test_only_a_table_that_lacks_columns_gets_them() -> None:
    sql = (
        "select now.failures_fingerprint, runs.known_source_gap "
        "from nba_processing.processed_dates as now\n"
        "left join nba_processing.processor_runs as runs on now.run_id = runs.run_id"
    )
    assert completed(sql) == (
        "select now.failures_fingerprint, runs.known_source_gap "
        "from (select *, cast(null as string) as failures_fingerprint "
        "from nba_processing.processed_dates) as now\n"
        "left join nba_processing.processor_runs as runs on now.run_id = runs.run_id"
    )


def test_a_query_that_fails_for_another_reason_stays_as_it_is() -> None:
    assert completed("select nothing from nba_processing.processor_runs") is None
    assert completed("select nothing from nba_processing.input_builds") is None
    assert completed("select nothing from nba_processing.processed_dates_of_former") is None


def test_every_added_column_is_declared() -> None:
    declared = {CHANGED_GAMES.name: set(CHANGED_GAMES.column_names)}
    for file in (REPOSITORY / "models").rglob("*.yml"):
        for model in (yaml.safe_load(file.read_text()) or {}).get("models", []):
            columns = {column["name"] for column in model.get("columns", [])}
            declared.setdefault(model["name"], set()).update(columns)
    unknown = {
        (table, column)
        for table, columns in ADDED_COLUMNS.items()
        for column in columns
        if column not in declared.get(table, declared.get(table.partition(".")[2], set()))
    }
    assert not unknown
