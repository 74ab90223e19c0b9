"""Inputs and results in files of a shared folder: the same tables, no row through the parent."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from python_workers import table_names
from python_workers.accounting.commits import Commit
from python_workers.accounting.run_records import Run
from python_workers.backfill.outcome import BackfillResult
from python_workers.backfill.pool_stage import PoolOptions
from python_workers.pool import chunk as chunks
from python_workers.pool.chunk import Chunk
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import POOL_PROCESSORS
from python_workers.processors.unit import compute_unit
from tests.python.support.engine import Engine, Quiet, assert_same
from tests.python.support.terminal import Terminal, differences

pytestmark = pytest.mark.slow

CHUNK_DATES = 12
SHORTS = tuple(processor.key for processor in POOL_PROCESSORS)
ALL_AT_ONCE = {"BACKCOURT_COMMIT_ROWS": "1000000"}


@pytest.fixture
def exchange(tmp_path: Path) -> Path:
    return tmp_path / "the team's exchange"


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which workers of this process append the key of each unit they compute."""
    keys: list[str] = []

    def noted(chunk: Chunk) -> Any:
        keys.append(chunk.key)
        return compute_unit(chunk)

    monkeypatch.setattr("python_workers.backfill.exchange_stage.compute_unit", noted)
    return keys


def in_process(exchange: Path | None) -> PoolOptions:
    return PoolOptions(1, "threading", chunk_dates=CHUNK_DATES, exchange_dir=exchange)


def units(exchange: Path, short: str) -> list[Path]:
    return sorted(exchange.glob(f"{short}-*"))


def assert_equal(one: Engine, other: Engine) -> None:
    """Compare two warehouses after a run, without the times in the log of changes."""
    log = "select * exclude (run_id, changed_at) from nba_processing.record_changes order by all"
    assert one.query(log) == other.query(log) != []
    assert differences(one.path, other.path).keys() <= {table_names.RECORD_CHANGES}


@pytest.fixture(scope="module")
def killed(terminal_folder: Path, simulated: Engine, tmp_path_factory: Any) -> tuple[Engine, Path]:
    """Kill the parent when all results of the first wave are there and none is committed."""
    exchange = tmp_path_factory.mktemp("left") / "exchange"
    terminal = Terminal(terminal_folder)
    terminal.put(simulated.path)
    terminal.forget_outputs()
    terminal.run_until_killed(
        "before-commit:1",
        *("compute", "--all", "--processors", "psza", "--exchange-dir", str(exchange)),
        environment=ALL_AT_ONCE,
    )
    assert len(units(exchange, "psza")) > 2
    engine = Engine(terminal.folder).copy(tmp_path_factory.mktemp("killed"))
    terminal.clear()
    return engine, exchange


@pytest.fixture
def left_by_a_kill(killed: tuple[Engine, Path], tmp_path: Path, exchange: Path) -> Engine:
    """Return an engine that a killed parent left behind, its results in `exchange`."""
    engine, results = killed
    shutil.copytree(results, exchange)
    return engine.copy(tmp_path / "killed")


def test_units_give_the_rows_of_a_run_without_files(
    simulated: Engine, tmp_path: Path, exchange: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = simulated.copy(tmp_path / "copy")
    engine.forget(*SHORTS)
    sizes: list[int] = []

    def weighed(payload: object) -> chunks.Parcel:
        parcel = chunks.pack(payload)
        sizes.append(parcel.nbytes)
        return parcel

    monkeypatch.setattr("python_workers.pool.run_chunks.pack", weighed)
    engine.backfill(pool=PoolOptions(2, chunk_dates=CHUNK_DATES, exchange_dir=exchange))

    assert differences(engine.path, simulated.path) == {}
    assert 0 < max(sizes) < 1000  # The message holds a folder's name, not the rows.
    assert list(exchange.iterdir()) == []


def test_stored_rows_are_updated_deleted_or_left_as_without_files(
    simulated: Engine, tmp_path: Path, exchange: Path
) -> None:
    """The counts of both runs are the same, and so are the rows and when they were made."""

    def restated(name: str, folder: Path | None) -> tuple[Engine, BackfillResult]:
        engine = simulated.copy(tmp_path / name)
        table = "nba_precompute.player_daily_cache"
        (some,) = engine.query(f"select min(player_id) as a, max(player_id) as z from {table}")
        engine.execute(
            f"update {table} set data_hash = 'another' where player_id = {some['a']}",
            f"delete from {table} where player_id = {some['z']}",
            f"insert into {table} select * replace (-1 as player_id) from {table} "
            f"where player_id = {some['a']}",
            "delete from nba_processing.precompute_failures where can_retry is null "
            "or entity_id = (select max(entity_id) from nba_processing.precompute_failures)",
        )
        return engine, engine.backfill(
            processors=POOL_PROCESSORS, pool=in_process(folder), reprocess="all"
        )

    with_files, outcome = restated("files", exchange)
    without_files, expected = restated("none", None)

    assert outcome.counts == expected.counts
    counts = outcome.counts["pdc"]
    assert min(counts.inserted, counts.updated, counts.deleted, counts.unchanged) > 0
    assert_equal(with_files, without_files)


def test_a_killed_parent_leaves_its_results_to_the_next_run(
    left_by_a_kill: Engine, simulated: Engine, exchange: Path, computed: list[str]
) -> None:
    engine = left_by_a_kill

    engine.backfill(pool=in_process(exchange))

    assert {key.split()[0] for key in computed} == {"pcf", "pdc"}
    assert differences(engine.path, simulated.path) == {}
    assert list(exchange.iterdir()) == []


def test_a_result_that_is_not_whole_is_computed_again(
    left_by_a_kill: Engine, simulated: Engine, exchange: Path, computed: list[str]
) -> None:
    engine = left_by_a_kill
    cut, unnamed, *whole = units(exchange, "psza")
    os.truncate(cut / "result" / "rows.parquet", 1000)
    (unnamed / "result").rename(unnamed / "result-0123")  # as if a worker still wrote it

    engine.backfill(processors=POOL_PROCESSORS[:1], pool=in_process(exchange))

    assert len(computed) == 2
    assert len(whole) > 0
    assert differences(engine.path, simulated.path).keys() <= {
        *(processor.table for processor in POOL_PROCESSORS[1:]),
        *(f"nba_processing.{name}" for name in ("processed_dates", "processor_runs")),
        "nba_processing.precompute_failures",
    }
    assert engine.rows("psza") == simulated.rows("psza")
    assert engine.failures("psza") == simulated.failures("psza")


def test_a_result_of_other_code_is_not_taken(
    left_by_a_kill: Engine,
    exchange: Path,
    computed: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = left_by_a_kill
    left = units(exchange, "psza")
    monkeypatch.setattr(chunks, "code_digest", lambda: "0" * 16)

    engine.backfill(processors=POOL_PROCESSORS[:1], pool=in_process(exchange))

    assert len(computed) == len(left)
    assert units(exchange, "psza") == left  # no unit uses these folders any more


def test_a_result_of_other_inputs_is_not_taken(
    left_by_a_kill: Engine,
    simulated: Engine,
    tmp_path: Path,
    exchange: Path,
    computed: list[str],
) -> None:
    engine = left_by_a_kill
    left = units(exchange, "psza")
    plain = simulated.copy(tmp_path / "plain")
    correction = (
        "update nba_raw.shots set is_made = not is_made where game_id = "
        "(select game_id from nba_raw.games where status = 'final' "
        "order by game_date desc, game_id limit 1 offset 20)"
    )
    for each in (engine, plain):
        each.execute(correction)

    engine.backfill(pool=in_process(exchange))
    plain.backfill(pool=in_process(None))

    assert_same(engine.everything(), plain.everything())
    assert engine.rows("psza") != simulated.rows("psza")
    again = [key for key in computed if key.startswith("psza")]
    assert 0 < len(again) < len(left)


def test_killed_workers_cost_nothing(terminal: Terminal, simulated: Engine, exchange: Path) -> None:
    terminal.put(simulated.path)
    terminal.forget_outputs()
    command = terminal.start("compute", "--all", "--exchange-dir", str(exchange))
    for point in ("before-commit:1", "after-commit:2"):
        command.wait_for_point(point)
        command.kill_workers()
    ended = command.wait()
    assert ended.code == 0, ended.text
    command.assert_nothing_is_left()
    assert differences(terminal.file, simulated.path) == {}
    assert list(exchange.iterdir()) == []


def test_a_player_who_kills_his_worker_fails_as_without_files(
    terminal: Terminal, simulated: Engine, tmp_path: Path, exchange: Path
) -> None:
    (last,) = simulated.query(
        "select player_id, analysis_date from nba_precompute.player_daily_cache "
        "order by analysis_date desc, player_id limit 1"
    )
    player, day = last["player_id"], last["analysis_date"]
    arguments = ("compute", "--start", str(day), "--end", str(day), "--force")
    found = []
    for more in ((), ("--exchange-dir", str(exchange))):
        terminal.put(simulated.path)
        command = terminal.start(*arguments, *more, faults={"sigkill": [player]})
        assert command.wait().code == 1
        found.append(Engine(terminal.folder).copy(tmp_path / str(len(more))))
    assert_equal(*found)
    assert "killed by SIGKILL" in str(found[1].failures("pdc"))


class KillsAWorker(Quiet):
    """A reporter that kills one worker of a cluster after the first commit."""

    def __init__(self, kill: Any) -> None:
        self._kill = kill

    def committed(self, run: Run, processor: Processor, commit: Commit) -> None:  # noqa: ARG002
        kill, self._kill = self._kill, lambda: None
        kill()


def test_a_cluster_that_loses_a_worker_gives_the_same_rows(
    simulated: Engine, tmp_path: Path, exchange: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    from tests.python.support.cluster import Cluster

    engine = simulated.copy(tmp_path / "copy")
    engine.forget(*SHORTS)
    cluster = Cluster(tmp_path)
    try:
        cluster.start("scheduler", "--port", "0")
        first = cluster.start_worker("--no-nanny")
        cluster.start_worker("--no-nanny")
        options = PoolOptions(
            backend="dask",
            scheduler=cluster.ready(2),
            chunk_dates=CHUNK_DATES,
            exchange_dir=exchange,
        )
        reporter = KillsAWorker(first.kill)
        monkeypatch.setattr("tests.python.support.engine.Quiet", lambda: reporter)
        engine.backfill(pool=options)
    finally:
        cluster.stop()
    assert differences(engine.path, simulated.path) == {}
