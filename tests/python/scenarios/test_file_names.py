"""A DuckDB file works under any name and alias."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import duckdb
import pytest

from python_workers.accounting.coverage import Coverage, read_coverage
from python_workers.accounting.schedule import resolve
from python_workers.errors import BackcourtError
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.engine import Engine

VIEWS = "select schema_name, view_name, sql from duckdb_views() where not internal"


def coverage_of(path: Path) -> Coverage:
    with DuckDBWarehouse(path, read_only=True) as warehouse:
        return read_coverage(warehouse, resolve(warehouse, everything=True))


@pytest.fixture
def engine(simulated: Engine, tmp_path: Path) -> Engine:
    return simulated.copy(tmp_path / "original")


def test_nothing_stored_names_the_file(engine: Engine) -> None:
    views = engine.query(VIEWS)
    assert len(views) >= 6
    assert [row["view_name"] for row in views if engine.path.stem in row["sql"]] == []
    assert engine.query("select * from duckdb_functions() where not internal") == []


def test_a_renamed_or_attached_file_is_as_good(engine: Engine, tmp_path: Path) -> None:
    renamed = tmp_path / "another name.duckdb"
    shutil.copyfile(engine.path, renamed)
    assert coverage_of(renamed) == coverage_of(engine.path)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{renamed}' as other (read_only)")
        for row in engine.query(VIEWS):
            name = f"other.{row['schema_name']}.{row['view_name']}"
            (found,) = connection.execute(f"select count(*) from {name}").fetchall()
            (own,) = engine.query(f"select count(*) as n from {name.removeprefix('other.')}")
            assert found == (own["n"],), name


def views_of_before(engine: Engine) -> None:
    """Let the views contain another file name, as views of an earlier version do."""
    elsewhere = engine.path.with_name("elsewhere.duckdb")
    engine.path.rename(elsewhere)
    with duckdb.connect(str(elsewhere)) as connection:
        for _, _, sql in connection.execute(VIEWS).fetchall():
            named = re.sub(r"\b(FROM|JOIN) (nba_\w+\.)", r"\1 elsewhere.\2", sql)
            connection.execute(named.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1))
        connection.execute("update nba_processing.input_builds set project_state = 'before'")
    elsewhere.rename(engine.path)


def test_one_run_repairs_a_file_whose_views_name_another(engine: Engine) -> None:
    expected = coverage_of(engine.path)
    views_of_before(engine)
    with pytest.raises(BackcourtError, match=r"views of .* name another file"):
        coverage_of(engine.path)
    assert engine.backfill().written == 0
    assert coverage_of(engine.path) == expected
