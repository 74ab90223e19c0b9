"""The raw tables carry their descriptions in the warehouse."""

from __future__ import annotations

from collections.abc import Callable

from python_workers.raw.descriptions import with_descriptions
from python_workers.raw.load import LoadReport
from python_workers.raw.schema import RAW_SPECS
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.folders import REPOSITORY

COMMENTS = """
select table_name, '' as column_name, comment from duckdb_tables() where schema_name = 'nba_raw'
union all
select table_name, column_name, comment from duckdb_columns() where schema_name = 'nba_raw'
"""


def comments(warehouse: DuckDBWarehouse) -> dict[tuple[str, str], str | None]:
    rows = warehouse.query(COMMENTS).to_pylist()
    return {(row["table_name"], row["column_name"]): row["comment"] for row in rows}


def test_a_load_describes_every_raw_table_and_column(
    load: Callable[..., LoadReport], warehouse: DuckDBWarehouse
) -> None:
    load()
    found = comments(warehouse)
    assert {name for name, text in found.items() if not text} == set()
    assert found["games", ""] == "The schedule and its results, one row per game."
    assert found["games", "home_score"] == "Points of the home team; NULL until final."
    expected = {}
    for spec in with_descriptions(RAW_SPECS, REPOSITORY / "models"):
        table = spec.name.partition(".")[2]
        expected[table, ""] = spec.description
        expected |= {(table, column.name): column.description for column in spec.columns}
    assert found == expected


def test_a_load_writes_only_descriptions_that_have_changed(
    load: Callable[..., LoadReport], warehouse: DuckDBWarehouse
) -> None:
    load()
    before = comments(warehouse)
    warehouse.execute("comment on table nba_raw.shots is null")
    warehouse.execute("comment on column nba_raw.shots.period is 'of another version'")
    report = load()
    assert comments(warehouse) == before
    assert not report.has_changes


def test_without_the_models_the_raw_tables_have_no_descriptions() -> None:
    assert {spec.description for spec in with_descriptions(RAW_SPECS, None)} == {""}
