"""Chunks through worker processes: same bytes, bounded memory, errors, and messages."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python_workers.errors import BackcourtError, ExitCode
from python_workers.pool.chunk import Chunk, pack, unpack
from tests.python.support.pool_runs import (
    as_bytes,
    expected,
    rows,
    run,
)
from tests.python.support.pool_tasks import (
    chunks_of,
    players_of,
    score_or_die,
)


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("n_jobs", [1, 2, 3, 4])
def test_the_number_of_jobs_changes_no_row(backend: str, n_jobs: int) -> None:
    results = run(chunks_of(100, 7), n_jobs=n_jobs, backend=backend)

    assert as_bytes(rows(results)) == as_bytes(expected(100))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_size_of_chunks_changes_no_row(data: st.DataObject) -> None:
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
def test_an_error_of_the_reader_comes_after_the_results_of_its_chunks(backend: str) -> None:
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


def test_a_slice_is_sent_without_the_rest_of_its_table() -> None:
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
