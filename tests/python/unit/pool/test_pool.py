"""Chunks through worker processes that die, hang, raise, or simply work."""

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

import joblib
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib.externals.loky.backend.process import LokyProcess

from python_workers.backfill import pool_stage
from python_workers.backfill.pool_stage import PoolOptions
from python_workers.errors import BackcourtError, ExitCode
from python_workers.pool import local_backends
from python_workers.pool import run_chunks as pool
from python_workers.pool.chunk import Chunk, pack, unpack
from python_workers.pool.run_chunks import count_workers, run_chunks, start_workers
from tests.python.support import pool_tasks
from tests.python.support.folders import REPOSITORY
from tests.python.support.pool_tasks import (
    arrow_threads,
    chunks_of,
    halves,
    imported_modules,
    lost_player,
    memory_for_one,
    players_of,
    process_id,
    score,
    score_or_die,
    slow_score,
)


def run(chunks: Iterator[Chunk], worker: Callable[[Chunk], Any] = score, **options: Any) -> Any:
    defaults: dict[str, Any] = {"n_jobs": 2, "split": halves, "on_lost_entity": lost_player}
    return run_chunks(chunks, worker, **(defaults | options))


def rows(results: Any) -> pa.Table:
    """Put the results of a run together as a warehouse would hold them."""
    return pa.concat_tables([result for _, result in results]).sort_by("player").combine_chunks()


def as_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def expected(players: int) -> pa.Table:
    (whole,) = chunks_of(players, players)
    return score(whole)


def lost_in(table: pa.Table) -> dict[int, str]:
    lost = table.filter(pc.is_valid(table["lost"]))
    return dict(zip(lost["player"].to_pylist(), lost["lost"].to_pylist(), strict=True))


def without(player: int, table: pa.Table) -> pa.Table:
    return table.filter(pc.not_equal(table["player"], player)).combine_chunks()


# ---- the same bytes whatever runs them


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("n_jobs", [1, 2, 3, 4])
def test_the_rows_are_the_same_whatever_the_number_of_jobs(backend: str, n_jobs: int) -> None:
    results = run(chunks_of(100, 7), n_jobs=n_jobs, backend=backend)

    assert as_bytes(rows(results)) == as_bytes(expected(100))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_rows_are_the_same_whatever_the_chunks(data: st.DataObject) -> None:
    players = data.draw(st.integers(1, 60), label="players")
    order = np.array(data.draw(st.permutations(range(players)), label="order"), dtype=np.int64)
    size = data.draw(st.integers(1, players), label="size")
    backend = data.draw(st.sampled_from(["loky", "threading"]), label="backend")

    results = run(chunks_of(players, size, order=order), backend=backend)

    assert as_bytes(rows(results)) == as_bytes(expected(players))


def test_no_chunks_give_no_results() -> None:
    assert list(run(iter(()))) == []


def test_each_result_comes_with_its_chunk() -> None:
    for chunk, result in run(chunks_of(40, 5)):
        assert players_of(chunk) == result["player"].to_pylist()


# ---- reading ahead, within bounds


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("bound", [2, 3, 6])
def test_what_is_read_and_not_yet_used_stays_within_the_bound(backend: str, bound: int) -> None:
    read = used = most = 0

    def counted() -> Iterator[Chunk]:
        nonlocal read, most
        for chunk in chunks_of(60, 2):
            read += 1
            most = max(most, read - used)
            yield chunk

    for _ in run(counted(), backend=backend, max_in_flight=bound):
        time.sleep(0.005)
        used += 1

    assert used == 30
    assert most <= bound


def test_a_result_is_handed_over_while_the_next_chunk_is_being_read() -> None:
    is_handed_over = threading.Event()
    in_time = []

    def chunks() -> Iterator[Chunk]:
        for number, chunk in enumerate(chunks_of(20, 2)):
            if number == 4:
                in_time.append(is_handed_over.wait(timeout=60))
            yield chunk

    results = run(chunks(), max_in_flight=4)
    next(results)
    next(results)
    next(results)
    is_handed_over.set()

    assert sum(1 for _ in results) == 7
    assert in_time == [True]


def test_chunks_are_read_as_they_are_needed() -> None:
    read = 0

    def counted() -> Iterator[Chunk]:
        nonlocal read
        for chunk in chunks_of(1000, 2):
            read += 1
            yield chunk

    with closing(run(counted(), max_in_flight=3)) as results:
        next(results)

    assert read <= 4


# ---- workers that die


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
def test_a_machine_on_which_no_worker_can_start_is_named_as_the_cause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local_backends, "enter_process", pool_tasks.die_at_start)

    with pytest.raises(BackcourtError, match="worker processes cannot start") as raised:
        list(run(chunks_of(8, 4), n_jobs=1))
    assert raised.value.exit_code == ExitCode.ENVIRONMENT


@pytest.mark.slow
def test_too_many_lost_players_are_taken_for_a_broken_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "MAX_LOST_ENTITIES", 0)

    with pytest.raises(BackcourtError, match="more than 0 entities killed their worker"):
        list(run(chunks_of(4, 1, fate="killed", at=[2]), score_or_die, n_jobs=1))


# ---- errors


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_what_a_worker_raises_is_raised_as_it_is(backend: str, n_jobs: int) -> None:
    chunks = chunks_of(12, 2, fate="error", at=[7])

    with pytest.raises(ValueError, match=r"^player 7 made 7 of 5$"):
        list(run(chunks, score_or_die, backend=backend, n_jobs=n_jobs))


def test_an_error_that_cannot_be_pickled_still_says_what_it_was() -> None:
    chunks = chunks_of(12, 2, fate="unreadable error", at=[7])

    with pytest.raises(RuntimeError, match=r"^UnreadableError: player 7 in paint$"):
        list(run(chunks, score_or_die))


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_an_error_of_the_reader_comes_after_the_results_of_what_it_read(backend: str) -> None:
    def chunks() -> Iterator[Chunk]:
        yield from chunks_of(20, 4)
        raise ConnectionResetError("the warehouse went away")

    got = []
    with pytest.raises(ConnectionResetError, match="the warehouse went away"):  # noqa: PT012
        for _, result in run(chunks(), backend=backend):
            got += result["player"].to_pylist()

    assert sorted(got) == list(range(20))


def test_a_hang_in_a_thread_is_an_error_that_names_the_chunk() -> None:
    chunks = chunks_of(8, 2, fate="hang", at=[5])

    with pytest.raises(BackcourtError, match="no answer within 1 s for chunk chunk 2"):
        list(run(chunks, score_or_die, backend="threading", hang_seconds=1.0))


@pytest.mark.parametrize("options", [{"n_jobs": 0}, {"max_in_flight": 1}, {"hang_seconds": 0}])
def test_options_out_of_range_are_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="out of range"):
        run(chunks_of(4, 2), **options)


def test_the_dask_backend_asks_for_a_scheduler() -> None:
    with pytest.raises(BackcourtError, match="needs the address of a scheduler") as raised:
        run(chunks_of(4, 2), backend="dask")
    assert raised.value.exit_code == ExitCode.USAGE


# ---- no process is left behind


def worker_processes() -> list[psutil.Process]:
    """Return the pool's processes under this one."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "popen_loky" in " ".join(child.cmdline())
    ]


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


def test_a_process_that_loky_has_lost_sight_of_is_reaped() -> None:
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

    os.killpg(process.pid, signal.SIGINT)  # as the terminal does: to every process
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


# ---- how many there are, and what else computes where there can be none


def test_workers_are_bounded_by_cores_which_is_said(caplog: pytest.LogCaptureFixture) -> None:
    cores = joblib.cpu_count()
    count_workers.cache_clear()

    assert [count_workers(jobs) for jobs in (1, cores, 4 * cores, 1000, -1)] == [
        *(1, cores, 4 * cores, 4 * cores, cores),
    ]
    (record,) = caplog.records
    assert record.getMessage().startswith("--n-jobs 1000 is more than 4 workers for each of")


@pytest.mark.parametrize(
    ("dates", "chunk_dates", "workers"), [(1, 40, 2), (41, 40, 4), (400, 40, 8), (0, 40, 1)]
)
def test_workers_are_bounded_by_chunks(
    monkeypatch: pytest.MonkeyPatch, dates: int, chunk_dates: int, workers: int
) -> None:
    monkeypatch.setattr(pool_stage, "count_workers", lambda jobs: jobs)

    bounded = PoolOptions(n_jobs=8, chunk_dates=chunk_dates).for_dates(dates)

    assert bounded == PoolOptions(n_jobs=workers, chunk_dates=chunk_dates)


WITHOUT_PROCESSES = """
import sys, threading
from tests.python.support.pool_tasks import chunks_of, halves, lost_player, score
from python_workers.pool.run_chunks import count_workers, run_chunks, start_workers
from python_workers.backfill.pool_stage import PoolOptions
start_workers(2)
for _ in range(2):
    results = run_chunks(
        chunks_of(100, 7), score, n_jobs=2, split=halves, on_lost_entity=lost_player
    )
    assert sum(result.num_rows for _, result in results) == 100
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mount", "reason"),
    [
        (None, "JOBLIB_MULTIPROCESSING is 0"),
        ("-o ro", "no semaphore in /dev/shm: Read-only file system"),
        ("-o size=4k", "no semaphore in /dev/shm: No space left on device"),
    ],
)
def test_without_processes_threads_compute_after_one_sentence(
    mount: str | None, reason: str
) -> None:
    command = [sys.executable, "-c", WITHOUT_PROCESSES]
    if mount is not None:
        mounted = f"mount -t tmpfs {mount} none /dev/shm && (echo full > /dev/shm/full || true)"
        command = [
            "unshare",
            "-m",
            "sh",
            "-c",
            f'{mounted} 2>/dev/null && exec "$@"',
            "-",
            *command,
        ]
        if subprocess.run([*command[:4], mounted], check=False, capture_output=True).returncode:
            pytest.skip("this user may not mount")
    ran = subprocess.run(
        command,
        env=os.environ
        | {"PYTHONPATH": str(REPOSITORY)}
        | {"PYTHONWARNINGS": "ignore"}  # joblib's own, which the command line leaves out
        | ({"JOBLIB_MULTIPROCESSING": "0"} if mount is None else {}),
        check=False,
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    assert ran.stderr == (
        f"no worker processes here ({reason}): computing in threads of this process, "
        "which survives neither a crash nor a hang\n"
    )


# ---- what workers are like


def test_workers_import_numpy_and_pyarrow_and_nothing_heavy() -> None:
    ((_, modules),) = run(chunks_of(4, 4), imported_modules)

    assert {"numpy", "pyarrow"} <= set(modules)
    assert not {"pandas", "dbt", "duckdb", "distributed", "pydantic", "typer"} & set(modules)


def test_workers_give_arrow_one_thread_each() -> None:
    assert {threads for _, threads in run(chunks_of(8, 2), arrow_threads)} == {1}


def test_one_job_still_has_a_process_of_its_own() -> None:
    assert os.getpid() not in {pid for _, pid in run(chunks_of(8, 2), process_id, n_jobs=1)}


def test_workers_started_beforehand_are_those_that_compute() -> None:
    start_workers(2)
    started = {process.pid for process in worker_processes()}

    assert {pid for _, pid in run(chunks_of(8, 2), process_id)} <= started


# ---- what travels


def test_a_slice_travels_without_the_table_it_is_cut_from() -> None:
    (whole,) = chunks_of(1_000_000, 1_000_000)
    part = Chunk("part", {"games": whole.tables["games"].slice(500, 10)})

    parcel = pack(part)

    assert parcel.nbytes < 4_000
    assert unpack(parcel) == part


def test_tables_arrive_as_they_were() -> None:
    text = pa.array(["paint", None, "Dončić", ""])
    table = pa.table(
        {
            "text": text,
            "dictionary": text.dictionary_encode(),
            "date": pa.array([1, None, 3, 4], pa.date32()),
            "flag": pa.array([True, None, False, True]),
            "none": pa.nulls(4),
            "list": pa.array([[1], [], None, [2, 3]]),
        }
    )
    chunk = Chunk("kinds", {"all": table, "empty": table.slice(0, 0)}, {"waived": ["2022-01-15"]})

    arrived = unpack(pack(chunk))

    assert arrived == chunk
    assert arrived.tables["all"].schema == table.schema
