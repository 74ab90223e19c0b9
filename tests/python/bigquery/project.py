"""The command line on an emulator as processes of its own, and the rows of any warehouse."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from python_workers.accounting.processed_dates import BOOKKEEPING
from python_workers.processors.catalogue import PROCESSORS
from python_workers.settings import Settings, load_settings
from python_workers.table_names import DATASETS
from python_workers.warehouse.base import Warehouse
from python_workers.warehouse.bigquery.open import open_bigquery
from python_workers.warehouse.bigquery.warehouse import BigQueryWarehouse
from tests.python.bigquery.emulator import Emulator
from tests.python.support.folders import REPOSITORY

Row = dict[str, Any]

FAILURES = (
    "select processor_name, analysis_date, entity_id, player_id, failure_category, failure_reason, "
    "can_retry, is_expected, expected_game_count, actual_game_count, missing_game_dates "
    "from nba_processing.precompute_failures where analysis_date between @start and @end"
)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    output: str

    def event(self, name: str) -> dict[str, Any]:
        return self.events(name)[0]

    def events(self, name: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]
        return [one for one in found if one["event"] == name]

    def dates(self) -> set[str]:
        """Return the dates that were committed."""
        return set(re.findall(r'"event": "date_committed".*?"date": "([\d-]+)"', self.output))


@dataclass(frozen=True)
class Project:
    """The command line and the tables of one emulator."""

    emulator: Emulator
    environment: dict[str, str]

    def run(self, *arguments: str, **more: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "python_workers", *arguments, "--target", "emulator"],
            check=False,
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            env=self.environment | more,
        )
        return Done(done.returncode, done.stdout + done.stderr)

    def backfill(self, *arguments: str, **more: str) -> Done:
        return self.run("backfill", *arguments, "--log-format", "json", **more)

    def settings(self) -> Settings:
        return load_settings(
            target="emulator",
            bq_endpoint=self.emulator.endpoint,
            bq_storage_endpoint=self.emulator.storage_endpoint,
            bq_project=self.emulator.project,
        )

    def warehouse(self) -> BigQueryWarehouse:
        """Open the tables for a look that no proxy sees."""
        return open_bigquery(self.settings())

    def tables(self, dataset: str) -> list[str]:
        with self.warehouse() as warehouse:
            listed = warehouse._connection.client.list_tables(dataset)
            return [table.table_id for table in listed if table.table_type == "TABLE"]

    def state(self) -> str:
        """Return a text that changes with the content of any table."""
        # Leave out the lease: every command that may write changes it.
        names = [
            f"{each}.{name}"
            for each in DATASETS
            for name in self.tables(each)
            if name != "run_lease"
        ]
        with self.warehouse() as warehouse:
            return warehouse.content_state(names)

    def rows(self, start: dt.date, end: dt.date) -> dict[str, dict[Any, Row]]:
        with self.warehouse() as warehouse:
            return rows_of(warehouse, start, end)


def rows_of(warehouse: Warehouse, start: dt.date, end: dt.date) -> dict[str, dict[Any, Row]]:
    """Return every row and failure of a range by its key."""
    found: dict[str, dict[Any, Row]] = {}
    days = {"start": start, "end": end}
    for processor in PROCESSORS:
        names = [
            column.name
            for column in warehouse.columns(processor.table)
            if column.name not in BOOKKEEPING
        ]
        sql = (
            f"select {', '.join(sorted(names))} from {processor.table} "
            f"where {processor.date_column} between @start and @end"
        )
        entity = "team_abbr" if processor.key == "tdza" else "player_lookup"
        rows = warehouse.query(sql, days).to_pylist()
        found[processor.key] = {(row[processor.date_column], row[entity]): row for row in rows}
        assert len(found[processor.key]) == len(rows), "duplicate keys"
    found["failures"] = {
        (row["processor_name"], row["analysis_date"], row["entity_id"]): row
        for row in warehouse.query(FAILURES, days).to_pylist()
    }
    return found


def assert_same_rows(found: dict[str, dict[Any, Row]], expected: dict[str, dict[Any, Row]]) -> None:
    """Compare all rows, naming the columns that differ and the first row that does."""
    assert {name: rows.keys() for name, rows in found.items()} == {
        name: rows.keys() for name, rows in expected.items()
    }
    for name, rows in found.items():
        differing = [key for key, row in rows.items() if repr(row) != repr(expected[name][key])]
        columns = {
            (column, repr(value), repr(expected[name][key][column]))
            for key in differing[:20]
            for column, value in rows[key].items()
            if repr(value) != repr(expected[name][key][column])
        }
        assert not differing, (name, len(differing), differing[0], sorted(columns)[:10])
