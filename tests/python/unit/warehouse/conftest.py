"""A DuckDB file with two small tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.small_tables import GAMES, LINES


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(tmp_path / "data" / "backcourt.duckdb") as opened:
        opened.ensure_tables([GAMES, LINES])
        yield opened
