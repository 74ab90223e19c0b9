"""Chunks on a Dask cluster of separate processes, some of which die."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from python_workers.errors import BackcourtError, ExitCode
from python_workers.pool import chunk as chunks
from python_workers.pool import dask_backend
from python_workers.pool.chunk import Chunk
from python_workers.pool.run_chunks import run_chunks
from tests.python.support.cluster import Cluster, kill_a_worker
from tests.python.support.folders import REPOSITORY
from tests.python.support.pool_runs import as_bytes, expected, lost_in, rows, without
from tests.python.support.pool_tasks import (
    chunks_of,
    halves,
    lost_player,
    process_id,
    score,
    score_or_die,
    slow_score,
)

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Give a scheduler without workers."""
    cluster = Cluster(tmp_path)
    cluster.start("scheduler", "--port", "0")
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a cluster of two workers, for tests that do not harm it."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    cluster.start("scheduler", "--port", "0")
    cluster.start_worker("--no-nanny")
    cluster.start_worker("--no-nanny")
    yield cluster.ready(2)
    cluster.stop()


def run(chunks: Iterator[Chunk], worker: Any, scheduler: str, **options: Any) -> Any:
    return run_chunks(
        chunks,
        worker,
        n_jobs=2,
        backend="dask",
        scheduler=scheduler,
        split=halves,
        on_lost_entity=lost_player,
        **options,
    )


def test_a_cluster_gives_the_same_bytes(shared: str) -> None:
    assert as_bytes(rows(run(chunks_of(100, 7), score, shared))) == as_bytes(expected(100))


def test_large_chunks_travel_to_a_cluster(shared: str) -> None:
    table = rows(run(chunks_of(900_000, 300_000), score, shared))

    assert as_bytes(table) == as_bytes(expected(900_000))


def test_chunks_are_computed_in_the_processes_of_the_cluster(shared: str) -> None:
    pids = {pid for _, pid in run(chunks_of(40, 2), process_id, shared)}

    assert os.getpid() not in pids
    assert len(pids) == 2


@pytest.mark.parametrize("bound", [2, 5])
def test_what_is_read_and_not_yet_used_stays_within_the_bound(shared: str, bound: int) -> None:
    read = used = most = 0

    def counted() -> Iterator[Chunk]:
        nonlocal read, most
        for chunk in chunks_of(40, 2):
            read += 1
            most = max(most, read - used)
            yield chunk

    for _ in run(counted(), score, shared, max_in_flight=bound):
        used += 1

    assert used == 20
    assert most <= bound


def test_what_a_worker_raises_is_raised_as_it_is(shared: str) -> None:
    with pytest.raises(ValueError, match=r"^player 7 made 7 of 5$"):
        list(run(chunks_of(12, 2, fate="error", at=[7]), score_or_die, shared))


def test_workers_that_are_killed_in_the_middle_cost_nothing(cluster: Cluster) -> None:
    """The first worker never comes back; its nanny starts the other one again."""
    for_good = cluster.start_worker("--no-nanny")
    cluster.start_worker("--nanny")
    address = cluster.ready(2)
    results = []

    for chunk, result in run(chunks_of(120, 3), slow_score, address):
        results.append((chunk, result))
        if len(results) == 6:
            for_good.kill()
        if len(results) == 18:
            kill_a_worker(address)

    assert as_bytes(rows(results)) == as_bytes(expected(120))


def test_a_player_who_kills_his_worker_costs_nobody_else_his_row(tmp_path: Path) -> None:
    """Dask gives up the chunk, and a process on this machine finds the player."""
    cluster = Cluster(tmp_path, {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"})
    try:
        cluster.start("scheduler", "--port", "0")
        cluster.start_worker("--no-nanny")
        cluster.start_worker("--no-nanny")

        table = rows(run(chunks_of(8, 1, fate="killed", at=[5]), score_or_die, cluster.ready(2)))
    finally:
        cluster.stop()

    assert lost_in(table) == {5: "its worker process was killed by SIGKILL"}
    assert as_bytes(without(5, table)) == as_bytes(without(5, expected(8)))


def test_lost_workers_hangs_and_a_lost_scheduler_are_errors(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_backend, "CONNECT_SECONDS", 5)
    monkeypatch.setattr(dask_backend, "WORKERLESS_SECONDS", 1)
    with pytest.raises(BackcourtError, match="has no workers"):
        list(run(chunks_of(4, 2), score, cluster.ready(0)))

    worker = cluster.start_worker("--no-nanny")
    results = run(chunks_of(4000, 1), slow_score, cluster.ready(1))
    next(results)
    worker.kill()
    with pytest.raises(BackcourtError, match="has had no worker for 1 s"):
        list(results)

    cluster.start_worker("--no-nanny", threads="2")  # one thread for the hang
    deadly = chunks_of(4, 2, fate="hang", at=[1])
    with pytest.raises(BackcourtError, match="no answer within 1 s for chunk chunk 0"):
        list(run(deadly, score_or_die, cluster.ready(1), hang_seconds=1.0))

    results = run(chunks_of(4000, 1), slow_score, cluster.ready(1))
    next(results)
    cluster.processes[0].kill()
    with pytest.raises(BackcourtError, match="connection to the Dask scheduler was lost") as raised:
        list(results)
    assert raised.value.exit_code == ExitCode.ENVIRONMENT


def test_a_scheduler_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import distributed

    monkeypatch.setattr(dask_backend, "CONNECT_SECONDS", 1)
    # A client that cannot connect goes on trying, and logs it after the command's message.
    monkeypatch.setattr(distributed, "Client", lambda *_, **__: pytest.fail("made a client"))

    with pytest.raises(BackcourtError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        list(run(chunks_of(4, 2), score, "tcp://127.0.0.1:9"))


def test_workers_with_other_versions_are_refused(
    shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "__version__", "0.0.1")

    with pytest.raises(BackcourtError, match="has other versions than this machine") as raised:
        list(run(chunks_of(4, 2), score, shared))
    assert any(line.endswith("there, 0.0.1 here") for line in raised.value.hint)


def test_workers_with_other_code_of_the_same_version_are_refused(
    shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = chunks.code_digest()
    monkeypatch.setattr(chunks, "code_digest", lambda: "0" * 16)

    with pytest.raises(BackcourtError, match="has other versions than this machine") as raised:
        list(run(chunks_of(4, 2), score, shared))
    assert f"code of backcourt: {code} there, {'0' * 16} here" in raised.value.hint


def test_a_worker_that_joins_with_other_code_is_refused_by_its_first_task(
    shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker starts after the parent has compared the workers' code."""
    monkeypatch.setattr(dask_backend, "_check_workers", lambda *_: None)
    monkeypatch.setattr(chunks, "code_digest", lambda: "0" * 16)

    with pytest.raises(BackcourtError, match="has other versions than this machine"):
        list(run(chunks_of(4, 2), score, shared))


def test_the_digest_is_of_every_source_of_the_package(tmp_path: Path) -> None:
    copy = tmp_path / "python_workers"
    shutil.copytree(
        REPOSITORY / "python_workers", copy, ignore=shutil.ignore_patterns("__pycache__")
    )

    def digest() -> str:
        program = "from python_workers.pool.chunk import code_digest; print(code_digest())"
        return subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    assert digest() == chunks.code_digest()
    with (copy / "rounding.py").open("a") as source:
        source.write("# another line\n")
    assert digest() != chunks.code_digest()


@pytest.mark.parametrize(
    ("variables", "lines"),
    [
        ({}, ["CA_FILE names no file", "CLIENT__CERT names no file"]),
        (
            {"ca-file": "/no/ca.pem", "client": {"cert": __file__, "key": "/no/key.pem"}},
            ["CA_FILE names /no/ca.pem, which is no file", "CLIENT__KEY names /no/key.pem, which"],
        ),
    ],
)
def test_tls_without_certificates_says_which_are_missing(
    variables: dict[str, Any], lines: list[str]
) -> None:
    import dask

    with (
        dask.config.set({f"distributed.comm.tls.{key}": value for key, value in variables.items()}),
        pytest.raises(BackcourtError, match="needs certificates") as raised,
    ):
        list(run(chunks_of(4, 2), score, "tls://127.0.0.1:9"))
    assert raised.value.exit_code == ExitCode.ENVIRONMENT
    *missing, how = raised.value.hint
    for line, expected_line in zip(missing, lines, strict=True):
        assert line.startswith(f"DASK_DISTRIBUTED__COMM__TLS__{expected_line}")
    assert "docs/scaling.md" in how


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")
def test_a_cluster_over_tls_gives_the_same_bytes(tmp_path: Path) -> None:
    import dask

    page = (REPOSITORY / "docs" / "scaling.md").read_text()
    documented = re.findall(r"^openssl .*$", page, re.MULTILINE)
    assert len(documented) == 3
    for command in documented:
        subprocess.run(shlex.split(command), cwd=tmp_path, check=True, capture_output=True)
    both = (tmp_path / "dask.crt").read_text() + (tmp_path / "dask.key").read_text()
    (tmp_path / "dask.pem").write_text(both)
    authority, certificate = (str(tmp_path / name) for name in ("ca.pem", "dask.pem"))
    prefix = "DASK_DISTRIBUTED__COMM__"
    cluster = Cluster(
        tmp_path,
        {
            f"{prefix}DEFAULT_SCHEME": "tls",
            f"{prefix}REQUIRE_ENCRYPTION": "true",
            f"{prefix}TLS__CA_FILE": authority,
            f"{prefix}TLS__SCHEDULER__CERT": certificate,
            f"{prefix}TLS__WORKER__CERT": certificate,
        },
    )
    here = {"ca-file": authority, "client": {"cert": certificate, "key": None}}
    try:
        cluster.start("scheduler", "--port", "0")
        cluster.start_worker("--no-nanny")
        with dask.config.set({f"distributed.comm.tls.{key}": value for key, value in here.items()}):
            address = cluster.ready(1)
            table = rows(run(chunks_of(20, 7), score, address))
    finally:
        cluster.stop()

    assert address.startswith("tls://")
    assert as_bytes(table) == as_bytes(expected(20))


def test_without_the_extra_the_message_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(BackcourtError, match="needs the package distributed") as raised:
        list(run(chunks_of(4, 2), score, "tcp://127.0.0.1:9"))
    assert raised.value.hint == (
        "In the folder of the clone: make setup, or pip install -e '.[dask]'",
    )
