"""The dbt project on its own: it parses cleanly, and its unit tests need no data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine import Engine

from python_workers.raw_schema import PLAYER_REGISTRY, RAW_TABLES
from python_workers.settings import resolve_project_dir
from python_workers.warehouse.duckdb import DuckDBWarehouse


def test_unit_tests_pass_on_empty_tables(tmp_path: Path) -> None:
    # dbt reads the types of the mocked columns from the parents, so these have to exist.
    engine = Engine(tmp_path / "backcourt.duckdb")
    with DuckDBWarehouse(engine.path) as warehouse:
        warehouse.ensure_tables([*(table.spec for table in RAW_TABLES), PLAYER_REGISTRY])
    project = engine.project()
    project._invoke(["run", "--empty"], {})
    # A range in the vars does not reach the mocked rows.
    found = project._invoke(["test", "--select", "test_type:unit"], {"start_date": "2030-01-01"})
    unit_tests = project._manifest.unit_tests.values()
    assert {each.name for each in found} == {each.name for each in unit_tests}
    assert {each.name: each.message for each in found if each.status != "pass"} == {}


def test_the_project_parses_without_warnings_and_takes_its_severity_from_a_var(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbt.cli.main import dbtRunner

    project = resolve_project_dir()
    monkeypatch.setenv("BACKCOURT_DUCKDB_PATH", str(tmp_path / "backcourt.duckdb"))
    parsed = dbtRunner().invoke(
        [
            *("--warn-error", "--quiet", "parse", "--show-all-deprecations", "--no-partial-parse"),
            *("--project-dir", str(project), "--profiles-dir", str(project / "profiles")),
            *("--target-path", str(tmp_path), "--log-path", str(tmp_path)),
            *("--vars", "{investigate_severity: error}"),
        ]
    )
    assert parsed.success, parsed.exception
    manifest: Any = parsed.result
    test = manifest.nodes["test.backcourt.no_failure_needs_investigation"]
    assert test.config.severity.lower() == "error"
