"""dbt obeys only the command line, and a backfill restores what dbt by hand has deleted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from python_workers.accounting.ledger import Ledger, plan
from python_workers.backfill.dbt_environment import dbt_environment
from python_workers.errors import BackcourtError
from python_workers.processors.catalogue import PROCESSORS
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.engine import Engine, assert_same
from tests.python.support.folders import PLAIN_DATES

EARLIER, DAY = PLAIN_DATES

SWITCHES = {
    "DBT_EMPTY": "1",
    "DBT_ENGINE_EMPTY": "1",
    "DBT_FULL_REFRESH": "1",
    "DBT_RESOURCE_TYPES": "model",
    "DBT_EXCLUDE_RESOURCE_TYPES": "test",
    "DBT_PROFILE": "another",
    "DBT_PROJECT_DIR": "/nowhere",
    "DBT_PROFILES_DIR": "/nowhere",
    "DBT_ENGINE_DEFER": "1",
}


@pytest.fixture(scope="module")
def original(plain: Engine) -> Engine:
    return plain


@pytest.fixture
def engine(original: Engine, tmp_path: Path) -> Engine:
    return original.copy(tmp_path)


@pytest.mark.parametrize("name", SWITCHES)
def test_dbt_sees_no_switch_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, SWITCHES[name])
    monkeypatch.setenv("DBT_TARGET_PATH", "/elsewhere")
    with dbt_environment(Engine(tmp_path).project()._settings):
        assert {each for each in os.environ if each.startswith("DBT_")} <= {
            "DBT_TARGET_PATH",
            "DBT_LOG_PATH",
        }
        assert os.environ["DBT_TARGET_PATH"] == "/elsewhere"
    assert os.environ[name] == SWITCHES[name]


def test_a_backfill_is_the_same_under_every_switch(
    engine: Engine, original: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in SWITCHES.items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home"
    (home / ".dbt").mkdir(parents=True)
    (home / ".dbt" / "profiles.yml").write_text("config: {empty: true, full_refresh: true}")
    (home / "dbt_project.yml").write_text("name: elsewhere\nflags: {empty: true, fail_fast: true}")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    result = engine.backfill(DAY, DAY, reprocess="all", run_tests=True)
    assert result.inputs_rebuilt
    assert len(result.tests) > 30
    assert result.failed_tests == []
    assert result.written == 0
    assert_same(engine.everything(), original.everything())


@pytest.mark.parametrize("arguments", [("--full-refresh",), ("--empty",)])
def test_a_backfill_restores_what_dbt_by_hand_says_it_deleted(
    engine: Engine, original: Engine, arguments: tuple[str, ...]
) -> None:
    said: list[str] = []
    project = engine.project()
    of_day = {"start_date": str(DAY), "end_date": str(DAY)}
    from dbt.cli.main import dbtRunner
    from dbt_common.events.base_types import EventMsg

    def listen(event: EventMsg) -> None:
        said.append(getattr(event.info, "msg"))  # noqa: B009 -- of protobuf, untyped

    with dbt_environment(project._settings):
        runner = dbtRunner(manifest=project._manifest, callbacks=[listen])
        given = [] if arguments == ("--empty",) else ["--vars", str(of_day)]
        assert runner.invoke(["run", *arguments, *project._flags(), *given]).success
        project._release_file()
    lacking = [text for text in said if "now lacks" in text]
    assert len(lacking) == 9
    dates = f"--start {EARLIER} --end {DAY if '--empty' in arguments else EARLIER}"
    assert all(f"restore them with: backcourt backfill {dates}" in text for text in lacking)
    with DuckDBWarehouse(engine.path) as warehouse:
        states = plan(Ledger.read(warehouse, EARLIER, DAY), PROCESSORS, [EARLIER])
    assert {state.is_due("missing") for state in states.values()} == {True}
    engine.backfill(EARLIER, DAY)
    assert_same(engine.everything(), original.everything())


def test_if_dbt_builds_nothing_nothing_is_recorded_and_the_next_backfill_restores_the_rows(
    engine: Engine, original: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.execute("delete from nba_processing.input_builds")
    monkeypatch.setattr("python_workers.backfill.dbt_project.QUIET", ("--quiet", "--empty"))
    with pytest.raises(BackcourtError, match="2 of 2 game dates have no inputs"):
        engine.backfill(EARLIER, DAY)
    assert engine.query("select * from nba_processing.input_builds") == []
    monkeypatch.undo()
    # dbt builds team defence beside the inputs, so that its rows of both dates are gone.
    with DuckDBWarehouse(engine.path) as warehouse:
        states = plan(Ledger.read(warehouse, EARLIER, DAY), PROCESSORS, [EARLIER, DAY])
    assert {short for (short, _), state in states.items() if state.status == "missing"} == {"tdza"}
    engine.backfill(EARLIER, DAY)
    assert_same(engine.everything(), original.everything())


def test_a_selection_without_tests_is_an_error(engine: Engine) -> None:
    with pytest.raises(BackcourtError, match="dbt found no tests to run under tag:none_such"):
        engine.project().test(["tag:none_such"], DAY, DAY)
