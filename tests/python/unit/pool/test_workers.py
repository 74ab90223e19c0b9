"""The number and set-up of workers, and the threads that compute where processes cannot."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress

import joblib
import psutil
import pytest

from python_workers.backfill import pool_stage
from python_workers.backfill.pool_stage import PoolOptions
from python_workers.pool import local_backends
from python_workers.pool.run_chunks import count_workers, start_workers
from tests.python.support.folders import REPOSITORY
from tests.python.support.pool_runs import (
    run,
    worker_processes,
)
from tests.python.support.pool_tasks import (
    arrow_threads,
    chunks_of,
    imported_modules,
    process_id,
)


def test_workers_are_bounded_by_cores_with_a_message(caplog: pytest.LogCaptureFixture) -> None:
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
        | {"PYTHONWARNINGS": "ignore"}  # joblib's own warning, which the command line leaves out
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


def test_workers_that_have_left_while_idle_are_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local_backends, "IDLE_WORKER_SECONDS", 2.0)
    start_workers(2)
    left = worker_processes()
    deadline = time.monotonic() + 60
    while any(map(_runs, left)):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    computed = {pid for _, pid in run(chunks_of(8, 2), process_id)}

    assert left
    assert computed
    assert not computed & {process.pid for process in left}


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False
