"""A backfill leaves out tests, views and parsing as long as nothing has changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from python_workers.backfill.dbt_project import DbtProject, NodeOutcome
from python_workers.errors import BackcourtError
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.settings import load_settings
from tests.python.support.engine import Engine

pytestmark = pytest.mark.slow

# A write that changes only the file's version: no other decision reads the history of runs.
WRITE = "update nba_processing.processor_runs set records = records + 1 where rowid = 0"
PASSED = [NodeOutcome("a_test", "pass", "", 0, 0.0)]
FAILED = [NodeOutcome("a_test", "fail", "", 1, 0.0)]


@pytest.fixture
def engine(simulated: Engine, tmp_path: Path) -> Engine:
    return simulated.copy(tmp_path)


class StandIn:
    """Stands in for dbt's tests: counts the calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.outcome = PASSED
        self.calls = 0
        monkeypatch.setattr("python_workers.backfill.run.run_coverage_tests", self._test)

    def _test(self, *_: object) -> list[NodeOutcome]:
        self.calls += 1
        return self.outcome

    def run(self, engine: Engine, **options: Any) -> bool:
        """Backfill and tell whether the tests have run."""
        before = self.calls
        engine.backfill(run_tests=True, **options)
        return self.calls > before


def test_dbt_s_tests_run_once_on_an_unchanged_file(engine: Engine) -> None:
    first = engine.backfill(run_tests=True)
    assert len(first.tests) > 30
    assert first.failed_tests == []
    assert engine.backfill(run_tests=True).tests == []
    engine.execute(WRITE)
    assert engine.backfill(run_tests=True).tests != []


def test_a_write_by_hand_makes_the_tests_run_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = StandIn(monkeypatch)
    assert tests.run(engine)
    assert not tests.run(engine)
    for statement in (
        WRITE,
        "create or replace view nba_staging.stg_shots as from nba_raw.shots",
    ):
        engine.execute(statement)
        assert tests.run(engine), statement
        assert not tests.run(engine), statement
    (day,) = engine.query("select min(game_date) as first from nba_raw.games")
    assert tests.run(engine, start=day["first"], end=day["first"])
    assert not tests.run(engine, start=day["first"], end=day["first"])
    assert not tests.run(engine)


def test_failed_tests_run_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    tests = StandIn(monkeypatch)
    tests.outcome = FAILED
    assert tests.run(engine)
    tests.outcome = PASSED
    assert tests.run(engine)
    assert not tests.run(engine)


def test_writes_that_wait_in_the_log_of_the_file_count(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = StandIn(monkeypatch)
    assert tests.run(engine)
    log = engine.path.with_name(f"{engine.path.name}.wal")
    with duckdb.connect(str(engine.path)) as connection:
        connection.execute("pragma disable_checkpoint_on_shutdown")
        connection.execute("update nba_raw.players set player_name = player_name || 'x'")
    assert log.exists()
    assert tests.run(engine)


def comments(engine: Engine) -> dict[str, str]:
    found = engine.query(
        "select view_name, comment from duckdb_views() where schema_name = 'nba_staging'"
    )
    return {row["view_name"]: row["comment"] for row in found}


def change_a_line(engine: Engine) -> None:
    engine.execute(
        "update nba_raw.player_box_scores set points = points + 1, ftm = ftm + 1, fta = fta + 1 "
        "where not is_dnp and game_id = (select min(game_id) from nba_raw.player_box_scores)"
    )


class Stopped(Exception):  # noqa: N818 -- no error
    """Ends a backfill where dbt would build."""


def test_views_are_built_again_only_with_the_project(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = comments(engine)
    engine.execute(*(f"comment on view nba_staging.{name} is 'marked'" for name in described))
    change_a_line(engine)
    result = engine.backfill(processors=[DAILY_CACHE])
    assert result.inputs_rebuilt
    assert result.written > 0
    assert comments(engine) == dict.fromkeys(described, "marked")

    left_out: list[object] = []

    def build(*_: object, exclude: Sequence[str], **__: object) -> None:
        left_out.append(exclude)
        raise Stopped

    monkeypatch.setattr(DbtProject, "build", build)
    change_a_line(engine)
    builds = "nba_processing.input_builds"
    engine.execute(f"create table builds as from {builds}")
    for statement in (
        "select 1",
        f"update {builds} set project_state = 'of another project'",
        f"delete from {builds}",
    ):
        engine.execute(statement)
        with pytest.raises(Stopped):
            engine.backfill()
        engine.execute(f"delete from {builds}", f"insert into {builds} from builds")
    engine.execute("drop view nba_processing.stale_dates")
    with pytest.raises(Stopped):
        engine.backfill()
    with pytest.raises(Stopped):
        engine.backfill(reprocess="all")
    assert left_out == [
        ["config.materialized:view", "config.materialized:worker_table"],
        [],
        [],
        [],
        [],
    ]


def test_a_project_is_parsed_once_by_all_commands_on_a_database(
    simulated_raw: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(duckdb_path=simulated_raw.copy(tmp_path).path)
    DbtProject(settings).parse()

    def refuse(*_: object, **__: object) -> None:
        raise BackcourtError("the project is parsed again")

    monkeypatch.setattr("dbt.parser.manifest.ManifestLoader.get_full_manifest", refuse)
    again = DbtProject(settings)
    assert "nba_staging.stg_games" in again.relations(["view"])
    assert again.build(["stg_games"])
    with pytest.raises(BackcourtError, match="parsed again"):
        DbtProject(load_settings(duckdb_path=tmp_path / "another.duckdb")).parse()


def test_workers_start_before_dbt_if_dates_are_due_and_never_if_none_is(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[str] = []
    build = DbtProject.build

    def building(project: DbtProject, *arguments: Any, **options: Any) -> list[NodeOutcome]:
        began.append("dbt")
        return build(project, *arguments, **options)

    monkeypatch.setattr(DbtProject, "build", building)
    monkeypatch.setattr(
        "python_workers.backfill.run.prepare_pool", lambda _options: began.append("workers")
    )
    engine.backfill()
    assert began == []
    engine.execute("delete from nba_processing.input_builds")
    engine.backfill()
    assert began == ["dbt"]
    began.clear()
    engine.forget(DAILY_CACHE.key)
    engine.execute("delete from nba_processing.input_builds")
    engine.backfill()
    assert began[:2] == ["workers", "dbt"]
