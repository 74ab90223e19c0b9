"""Workers may die or hang, and no process is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest
from joblib.externals.loky.backend.process import LokyProcess

from python_workers.errors import BackcourtError, ExitCode
from python_workers.pool import local_backends
from python_workers.pool import run_chunks as pool
from python_workers.pool.chunk import Chunk
from tests.python.support import pool_tasks
from tests.python.support.folders import REPOSITORY
from tests.python.support.pool_runs import (
    as_bytes,
    expected,
    lost_in,
    rows,
    run,
    without,
    worker_processes,
)
from tests.python.support.pool_tasks import (
    chunks_of,
    halves,
    memory_for_one,
    players_of,
    score_or_die,
    slow_score,
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fate", "size", "n_jobs", "reason"),
    [
        ("killed", 4, 2, "its worker process was killed by SIGKILL"),
        ("exit", 1, 1, "its worker process exited with code 3"),
        ("abort", 1, 1, "its worker process was killed by SIGABRT"),
    ],
)
def test_a_player_who_kills_his_worker_each_time_costs_nobody_else_his_row(
    fate: str, size: int, n_jobs: int, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    table = rows(run(chunks_of(16, size, fate=fate, at=[9]), score_or_die, n_jobs=n_jobs))

    assert lost_in(table) == {9: reason}
    assert as_bytes(without(9, table)) == as_bytes(without(9, expected(16)))
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_a_player_who_hangs_costs_nobody_else_his_row() -> None:
    chunks = chunks_of(12, 2, fate="hang", at=[7])

    table = rows(run(chunks, score_or_die, n_jobs=1, hang_seconds=1.0))

    assert lost_in(table) == {7: "its worker process was still busy after 1 s"}
    assert table["player"].to_pylist() == list(range(12))


@pytest.mark.slow
@pytest.mark.parametrize("fate", ["killed", "killed while sending", "killed while receiving"])
def test_a_worker_that_is_killed_once_costs_nothing(fate: str, tmp_path: Path) -> None:
    """Messages are larger than a pipe, so that a kill can fall into the middle of one."""
    marker = str(tmp_path / "died")
    chunks = chunks_of(1_200_000, 200_000, fate=fate, at=[450_000], marker=marker)

    table = rows(run(chunks, score_or_die))

    assert Path(marker).exists()
    assert as_bytes(table) == as_bytes(expected(1_200_000))


@pytest.mark.slow
def test_chunks_beside_deadly_ones_are_not_split() -> None:
    split: list[str] = []

    def noted(chunk: Chunk) -> list[Chunk]:
        split.append(chunk.key)
        return halves(chunk)

    chunks = chunks_of(16, 2, fate="killed", at=[5, 12])
    table = rows(run(chunks, score_or_die, split=noted))

    assert sorted(lost_in(table)) == [5, 12]
    assert table["player"].to_pylist() == list(range(16))
    assert {key.split(".")[0] for key in split} == {"chunk 2", "chunk 6"}


@pytest.mark.slow
def test_a_split_chunk_can_be_put_together_again() -> None:
    results = list(
        run(
            chunks_of(6, 2, fate="exit", at=[3]),
            score_or_die,
            merge=pa.concat_tables,
            n_jobs=1,
        )
    )

    assert sorted(chunk.key for chunk, _ in results) == ["chunk 0", "chunk 1", "chunk 2"]
    assert all(players_of(chunk) == result["player"].to_pylist() for chunk, result in results)


def test_a_chunk_too_large_for_memory_is_halved_until_it_fits() -> None:
    assert as_bytes(rows(run(chunks_of(8, 4), memory_for_one))) == as_bytes(expected(8))


@pytest.mark.slow
def test_if_no_worker_can_start_the_machine_is_named_as_the_cause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local_backends, "enter_process", pool_tasks.die_at_start)

    with pytest.raises(BackcourtError, match="worker processes cannot start") as raised:
        list(run(chunks_of(8, 4), n_jobs=1))
    assert raised.value.exit_code == ExitCode.ENVIRONMENT


@pytest.mark.slow
def test_too_many_lost_players_end_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "MAX_LOST_ENTITIES", 0)

    with pytest.raises(BackcourtError, match="more than 0 entities killed their worker"):
        list(run(chunks_of(4, 1, fate="killed", at=[2]), score_or_die, n_jobs=1))


@pytest.mark.parametrize(
    ("worker", "params", "options"),
    [
        (score_or_die, {"fate": "killed", "at": [5]}, {}),
        (score_or_die, {"fate": "hang", "at": [5]}, {"hang_seconds": 1.0}),
        (memory_for_one, {}, {}),
    ],
)
@pytest.mark.slow
def test_workers_of_killed_pools_are_reaped(
    worker: Callable[[Chunk], Any], params: dict[str, Any], options: dict[str, Any]
) -> None:
    list(run(chunks_of(8, 2, **params), worker, **options))

    children = psutil.Process().children(recursive=True)
    assert [child for child in children if child.status() == psutil.STATUS_ZOMBIE] == []


def test_a_process_that_loky_has_forgotten_is_reaped() -> None:
    class LostSight:
        """A loky executor that forgets its processes."""

        _executor_manager_thread = None
        _call_queue = _result_queue = None

        def __init__(self) -> None:
            self._processes = {0: LokyProcess(target=time.sleep, args=(60,))}
            self._processes[0].start()

        def shutdown(self, *, wait: bool) -> None:
            assert wait
            self._processes = {}

    executor = LostSight()
    pid = executor._processes[0].pid

    local_backends._kill_executor(executor)

    assert not psutil.pid_exists(int(pid or 0))


def test_closing_early_ends_the_workers_and_the_reader() -> None:
    closed = threading.Event()

    def chunks() -> Iterator[Chunk]:
        try:
            yield from chunks_of(1000, 1)
        finally:
            closed.set()

    with closing(run(chunks(), slow_score)) as results:
        next(results)

    assert closed.is_set()
    assert worker_processes() == []


INTERRUPTED = """
import sys
from tests.python.support.pool_tasks import chunks_of, halves, lost_player, slow_score
from python_workers.pool.run_chunks import run_chunks
try:
    for chunk, _ in run_chunks(
        chunks_of(5000, 1), slow_score, n_jobs=2, split=halves, on_lost_entity=lost_player
    ):
        print(chunk.key, flush=True)
except KeyboardInterrupt:
    sys.exit(130)
"""


def start_session() -> subprocess.Popen[str]:
    """Start a run in a session of its own and wait for its first result."""
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("chunk")
    return process


def alive_in_session(session: int) -> list[str]:
    alive = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(" ".join(process.cmdline()))
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return alive


def wait_for_empty(session: int) -> list[str]:
    deadline = time.monotonic() + 60
    while (alive := alive_in_session(session)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return alive


@pytest.mark.slow
def test_ctrl_c_is_raised_once_and_leaves_no_process_and_no_stack_trace() -> None:
    process = start_session()

    os.killpg(process.pid, signal.SIGINT)  # to every process, as the terminal does
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 130
    assert errors == ""
    assert wait_for_empty(process.pid) == []


@pytest.mark.slow
def test_workers_leave_when_their_parent_is_killed() -> None:
    process = start_session()
    assert len(alive_in_session(process.pid)) > 2

    process.kill()
    process.communicate(timeout=60)

    assert wait_for_empty(process.pid) == []
