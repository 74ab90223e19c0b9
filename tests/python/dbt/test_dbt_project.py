"""The dbt project on its own: its unit tests need no data."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from python_workers.backfill.dbt_project import DbtProject
from python_workers.errors import BackcourtError
from python_workers.raw.schema import RAW_SPECS
from python_workers.settings import load_settings, resolve_project_dir
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.engine import Engine


def test_unit_tests_pass_on_empty_tables(tmp_path: Path) -> None:
    # dbt reads the types of the mocked columns from the parents, so these have to exist.
    engine = Engine(tmp_path / "backcourt.duckdb")
    with DuckDBWarehouse(engine.path) as warehouse:
        warehouse.ensure_tables(RAW_SPECS)
    project = engine.project()
    project._invoke(["run", "--empty"], {})
    # A range in the vars does not reach the mocked rows.
    found = project._invoke(["test", "--select", "test_type:unit"], {"start_date": "2030-01-01"})
    unit_tests = project._manifest.unit_tests.values()
    assert {each.name for each in found} == {each.name for each in unit_tests}
    assert {each.name: each.message for each in found if each.status != "pass"} == {}


def test_a_clone_that_cannot_be_written_to_works_with_the_folders_elsewhere(
    tmp_path: Path, simulated_raw: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "o'brien's (read-only) clone"
    engine = simulated_raw.copy(tmp_path / "it's a folder")
    shutil.copytree(
        resolve_project_dir(),
        clone,
        ignore=lambda folder, names: {
            name
            for name in names
            if Path(folder) == resolve_project_dir()
            and name not in {"dbt_project.yml", "models", "macros", "seeds", "profiles", "tests"}
        },
    )
    (clone / "target").touch()  # A file stands in for a folder that cannot be written to.
    monkeypatch.setenv("BACKCOURT_PROJECT_DIR", str(clone))
    monkeypatch.delenv("DBT_TARGET_PATH")

    with pytest.raises(BackcourtError, match=r"dbt cannot write to its folder .*target") as caught:
        DbtProject(load_settings(duckdb_path=engine.path)).build(["int_games"])
    assert caught.value.exit_code == 3
    assert "DBT_TARGET_PATH" in caught.value.render()

    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    monkeypatch.setenv("BACKCOURT_JOB_LABELS", "")
    project = DbtProject(load_settings(duckdb_path=engine.path))
    built = project.build(["staging.*", "int_games"])
    assert {outcome.status for outcome in built} == {"success"}
    _, *seasons = (clone / "seeds" / "seasons.csv").read_text(encoding="utf-8").splitlines()
    assert engine.query("select count(*) as n from nba_staging.seasons") == [{"n": len(seasons)}]


def test_a_select_that_breaks_its_contract_is_refused_with_the_column(
    simulated_raw: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = simulated_raw.copy(tmp_path).project()
    built = project.build(["staging.*", "int_games"])
    assert {outcome.status for outcome in built} == {"success"}
    # Other tests of this process share the manifest: leave the order of its columns as it is.
    node = project._manifest.nodes["model.backcourt.int_games"]
    with monkeypatch.context() as patch:
        patch.setattr(node.columns["home_score"], "data_type", "date")
        with pytest.raises(BackcourtError, match="dbt could not build int_games"):
            project.build(["int_games"])
        assert "home_score" in project._results[-1].message
    with monkeypatch.context() as patch:
        others = {name: each for name, each in node.columns.items() if name != "away_score"}
        patch.setattr(node, "columns", others)
        with pytest.raises(BackcourtError, match="dbt could not build int_games"):
            project.build(["int_games"])
        assert "away_score" in project._results[-1].message
    project.build(["int_games"])
