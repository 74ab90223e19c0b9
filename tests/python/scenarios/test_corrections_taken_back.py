"""A correction that is taken back is undone, even after a wrong clock or a killed run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from python_workers.accounting.coverage import read_coverage
from python_workers.accounting.ledger import Ledger, plan
from python_workers.accounting.schedule import resolve
from python_workers.backfill.outcome import BackfillOptions
from python_workers.backfill.run import Backfill
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import POOL_PROCESSORS, PROCESSORS
from python_workers.processors.composite_factors import COMPOSITE_FACTORS
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.feature_store import FEATURE_STORE
from python_workers.processors.shot_zones import SHOT_ZONES
from python_workers.processors.team_defense import TEAM_DEFENSE
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.engine import IN_PROCESS, Engine, Quiet, assert_same
from tests.python.support.folders import PLAIN, PLAIN_DATES

DAY = PLAIN_DATES[-1]
PLAYER = 101


def points(engine: Engine) -> float:
    (row,) = engine.query(
        "select points_avg_last_10 from nba_precompute.player_daily_cache "
        "where player_id = ? and analysis_date = ?",
        [PLAYER, DAY],
    )
    found: float = row["points_avg_last_10"]
    return found


@pytest.fixture(scope="module")
def original(plain: Engine) -> Engine:
    return plain


@pytest.fixture
def engine(original: Engine, tmp_path: Path) -> Engine:
    return original.copy(tmp_path)


def test_a_correction_is_undone_after_the_clock_has_stepped_back(
    engine: Engine, original: Engine
) -> None:
    assert points(engine) == 12.0
    # Pretend that the clock was ten years fast so far; run ids begin with its time.
    for table in ("processor_runs", "processed_dates"):
        engine.execute(
            f"update nba_processing.{table} "
            "set finished_at = finished_at + interval 10 year, run_id = '2036' || run_id"
        )
    engine.load(PLAIN / "correct", "player_box_scores")
    engine.backfill(DAY, DAY)
    assert points(engine) != 12.0
    assert set(engine.backfill(DAY, DAY).dates.values()) == {0}
    engine.load(PLAIN / "restore", "player_box_scores")
    engine.backfill(DAY, DAY)
    assert points(engine) == 12.0
    assert_same(engine.everything(), original.everything())
    assert set(engine.backfill(DAY, DAY).dates.values()) == {0}
    history = engine.query("select run_id from nba_processing.processor_runs")
    assert len({row["run_id"] for row in history}) == 3
    (current,) = engine.query(
        "select count(*) as n from nba_processing.processed_dates where analysis_date = ?", [DAY]
    )
    assert current["n"] == len(PROCESSORS)


PLACES = ("after-inputs", "after-tdza", "after-commit", "after-mlfs")


@pytest.fixture(scope="module")
def killed(original: Engine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Engine]:
    """Return, by place, what a backfill of corrected data leaves behind if it is killed there.

    These are the file and its log as they lie on the disk when one run passes the places.
    """
    engine = original.copy(tmp_path_factory.mktemp("corrected"))
    engine.load(PLAIN / "correct", "player_box_scores")
    left: dict[str, Engine] = {}

    def keep(name: str) -> None:
        if name in PLACES and name not in left:
            left[name] = engine.copy(tmp_path_factory.mktemp(name))
            for file in engine.path.parent.glob(f"{engine.path.name}.*"):
                shutil.copyfile(file, left[name].path.with_name(file.name))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("python_workers.runtime.injected_faults.crash_point", keep)
        engine.backfill(DAY, DAY)
    return left


@pytest.mark.parametrize("place", PLACES)
def test_a_correction_is_undone_where_its_run_was_killed(
    killed: dict[str, Engine], original: Engine, place: str
) -> None:
    engine = killed[place]
    engine.load(PLAIN / "restore", "player_box_scores")
    engine.backfill(DAY, DAY)
    assert_same(engine.everything(), original.everything())


def test_compute_does_not_record_rows_of_dbt_from_before_a_killed_run_as_made_of_new_inputs(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(name: str) -> None:
        if name == "after-inputs":
            raise SystemExit(name)

    engine.execute("update nba_raw.shots set is_made = true where shot_value = 2")
    with monkeypatch.context() as patch:
        patch.setattr("python_workers.runtime.injected_faults.crash_point", stop)
        with pytest.raises(SystemExit):
            engine.backfill(DAY, DAY, processors=POOL_PROCESSORS)
    before = engine.rows("tdza")
    with DuckDBWarehouse(engine.path) as warehouse:
        schedule = resolve(warehouse, DAY, DAY)
        options = BackfillOptions(POOL_PROCESSORS, pool=IN_PROCESS)
        Backfill(warehouse, None, schedule, options, Quiet()).run()
        found = read_coverage(warehouse, schedule, PROCESSORS, engine.project().state())
    stale = {row["processor_name"] for row in found.by_date if row["coverage_status"] == "stale"}
    assert TEAM_DEFENSE.name in stale
    assert engine.rows("tdza") == before
    engine.backfill(DAY, DAY)
    assert engine.rows("tdza") != before
    after = engine.everything()
    engine.backfill(DAY, DAY, reprocess="all")
    assert_same(engine.everything(), after)


def test_rows_that_are_gone_are_missing_altered_ones_are_stale_and_both_come_back(
    engine: Engine, original: Engine
) -> None:
    def of_day(processor: Processor) -> str:
        return f"{processor.table} where {processor.date_column} = date '{DAY}'"

    engine.execute(
        *(f"delete from {of_day(each)}" for each in (SHOT_ZONES, DAILY_CACHE, FEATURE_STORE)),
        f"delete from {of_day(COMPOSITE_FACTORS)} and player_id = {PLAYER}",
        f"update {TEAM_DEFENSE.table} set opponent_pace = 0 "
        f"where analysis_date = date '{DAY}' and team_abbr = 'AAA'",
    )
    with DuckDBWarehouse(engine.path) as warehouse:
        states = plan(Ledger.read(warehouse, DAY, DAY), PROCESSORS, [DAY])
    assert {short: state.status for (short, _), state in states.items()} == {
        each.key: "stale" if each is TEAM_DEFENSE else "missing" for each in PROCESSORS
    }
    assert states["pdc", DAY].reason.startswith("0 of 20 rows")
    assert states["pcf", DAY].reason.startswith("19 of 20 rows")
    assert states["tdza", DAY].reason == "its rows differ from those recorded"
    engine.backfill(DAY, DAY)
    assert_same(engine.everything(), original.everything())
