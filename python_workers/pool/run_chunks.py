"""Runs chunks in a pool of workers and survives workers that die or hang.

joblib runs the chunks (see `dispatch` and `supervise`). When a worker process dies or hangs, joblib
abandons the whole call. This module then runs the chunks without a result again. If a chunk kills
its worker repeatedly, it halves the chunk until it finds the one entity that is the cause; all
others get their results.
"""

from __future__ import annotations

import functools
import logging
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, suppress
from typing import Any, TypeVar, cast

import joblib

from python_workers.choices import BackendName
from python_workers.errors import BackcourtError, ExitCode
from python_workers.pool.chunk import (
    Chunk,
    compute_parcel,
    compute_parcel_alike,
    pack,
    unpack,
    versions,
)
from python_workers.pool.dispatch import Backend, Dispatcher, Job
from python_workers.pool.local_backends import (
    ProcessBackend,
    ThreadBackend,
    start_workers,
    warn_of_threads,
    why_no_processes,
)
from python_workers.pool.supervise import SupervisedCall

__all__ = ["Chunk", "count_workers", "run_chunks", "start_workers"]

R = TypeVar("R")

_LOG = logging.getLogger(__name__)
WORKERS_PER_CORE = 4  # more workers cost memory and are not faster
HANG_SECONDS = 600.0
SHORTEST_HANG_SECONDS = 60.0
SPARE_CHUNKS = 8  # being committed by the caller, waiting for a worker, being read
DEATHS_BEFORE_ISOLATION = 2
FRUITLESS_CALLS = 5  # pools in a row that broke before a worker had started
MAX_LOST_ENTITIES = 100


def run_chunks(
    chunks: Iterable[Chunk],
    worker: Callable[[Chunk], R],
    *,
    n_jobs: int,
    split: Callable[[Chunk], list[Chunk]],
    on_lost_entity: Callable[[Chunk, str], R],
    merge: Callable[[list[R]], R] | None = None,
    name_entity: Callable[[Chunk], Hashable] | None = None,
    set_apart: Callable[[Chunk, AbstractSet[Hashable]], list[Chunk]] | None = None,
    backend: BackendName = "loky",
    scheduler: str | None = None,
    max_in_flight: int | None = None,
    hang_seconds: float = HANG_SECONDS,
) -> Generator[tuple[Chunk, R], None, None]:
    """Compute chunks in parallel and yield each with its result, in order of completion.

    The caller handles a result while a thread reads the next chunk and workers compute. Close the
    generator (``contextlib.closing``) to end early: no process keeps running.

    Parameters
    ----------
    chunks
        The chunks. A separate thread reads them lazily: a generator's body may query the warehouse
        while the caller commits. If it raises, the results of earlier chunks come first. The
        generator is closed at the end.
    worker
        Module-level function. It gets its own copy of the chunk and one Arrow thread. The caller
        gets its exceptions, except MemoryError, which counts as a death.
    n_jobs
        Number of workers; -1 is one per core, and WORKERS_PER_CORE per core is the maximum. Dask
        uses the whole cluster instead.
    split
        Halves a chunk; returns at most one chunk if it holds a single entity.
    on_lost_entity
        Makes the result for a single entity that always kills its worker, from its chunk and the
        reason.
    merge
        Merges the results for the parts of a split chunk into one. Without it, each part is
        yielded with its own result.
    name_entity
        Names the single entity of a chunk; other chunks may hold the same entity.
    set_apart
        Takes a chunk and some names; returns the chunk without these entities, followed by one
        chunk for each of them. With both functions, an entity that was lost once runs alone in
        every later chunk that dies, without a new search by halving.
    backend
        ``loky``: worker processes, even for one job, since the parent survives their crashes. If
        the system lacks semaphores: threads, after a warning.
        ``threading``: threads, or for one job the caller's own thread; chunks are not copied, and
        a crash or a hang ends the run.
        ``dask``: a cluster, through joblib's own backend. Dask itself gives the tasks of a dead
        worker to others. If Dask abandons a chunk after ``allowed-failures`` deaths, a process on
        this machine halves it. A hang on the cluster cannot be ended from here.
    scheduler
        Address of the Dask scheduler.
    max_in_flight
        Greatest number of chunks that are read and not yet handled by the caller (at least 2;
        default: SPARE_CHUNKS more than workers).
    hang_seconds
        A chunk that takes longer counts as hung, and its worker is killed. Parts of a chunk get
        proportionally less, but at least a minute.

    Yields
    ------
    tuple
        The chunk and its result.

    Raises
    ------
    BackcourtError
        If a worker hangs and cannot be killed, workers cannot start, or more than
        MAX_LOST_ENTITIES entities are lost; with Dask also if the package, the scheduler or the
        workers are missing, or versions differ.
    """
    if n_jobs == 0 or (max_in_flight is not None and max_in_flight < 2) or hang_seconds <= 0:
        raise ValueError(f"{n_jobs=}, {max_in_flight=}, {hang_seconds=}: out of range")
    n_jobs = count_workers(n_jobs)
    if backend == "dask" and scheduler is None:
        raise BackcourtError(
            "--backend dask needs the address of a scheduler",
            "Add --scheduler ADDRESS, for example: --scheduler tcp://127.0.0.1:8786",
            ExitCode.USAGE,
        )
    if backend == "loky" and (reason := why_no_processes()):
        warn_of_threads(reason)
        backend = "threading"
    if backend == "threading" and n_jobs == 1:
        return ((chunk, worker(chunk)) for chunk in chunks)
    run = _Run(
        chunks,
        worker,
        split,
        on_lost_entity,
        merge,
        name_entity or _by_key,
        set_apart,
        hang_seconds=hang_seconds,
    )
    return run.results(backend, n_jobs, scheduler, max_in_flight)


@functools.cache
def count_workers(n_jobs: int) -> int:
    """Return the number of workers to start: -1 is one per core, as in joblib.

    WORKERS_PER_CORE per core is the maximum; warn once if `n_jobs` asks for more.
    """
    cores = joblib.cpu_count()
    if n_jobs <= 0:
        return int(max(cores + 1 + n_jobs, 1))
    if n_jobs > cores * WORKERS_PER_CORE:
        _LOG.warning(
            "--n-jobs %d is more than %d workers for each of %d cores: starting %d",
            *(n_jobs, WORKERS_PER_CORE, cores, cores * WORKERS_PER_CORE),
        )
    return int(min(n_jobs, cores * WORKERS_PER_CORE))


class _Run:
    """One call of `run_chunks`; tracks the jobs without a result and the reasons."""

    def __init__(
        self,
        chunks: Iterable[Chunk],
        worker: Callable[[Chunk], Any],
        split: Callable[[Chunk], list[Chunk]],
        on_lost_entity: Callable[[Chunk, str], Any],
        merge: Callable[[list[Any]], Any] | None,
        name_entity: Callable[[Chunk], Hashable],
        set_apart: Callable[[Chunk, AbstractSet[Hashable]], list[Chunk]] | None,
        *,
        hang_seconds: float,
    ) -> None:
        self._chunks = chunks
        self._worker = worker
        self._split = split
        self._on_lost_entity = on_lost_entity
        self._merge = merge
        self._name_entity = name_entity
        self._set_apart = set_apart
        self._hang_seconds = hang_seconds
        self._unread: Iterator[Job] = self._read()
        self._has_read = self._exhausted = False
        self._read_error: Exception | None = None
        self._again: deque[Job] = deque()
        self._fruitless_calls = 0
        self._lost_entities: set[Hashable] = set()

    def results(
        self, backend: BackendName, n_jobs: int, scheduler: str | None, max_in_flight: int | None
    ) -> Generator[tuple[Chunk, Any], None, None]:
        with ExitStack() as stack:
            stack.callback(self._close)
            slots = self._open(stack, backend, n_jobs, scheduler)
            bound = max_in_flight or slots + SPARE_CHUNKS
            while self._again or not self._exhausted:
                for job in self._take_suspects():
                    yield from self._settle(job)
                call = self._call(self._next_jobs(), self._new_backend(), bound, self._hang_seconds)
                for job, result in call:
                    yield self._unpack(job.payload), self._unpack(result)
                self._note_losses(call)
            if self._read_error is not None:
                raise self._read_error

    # ---- where chunks come from

    def _read(self) -> Iterator[Job]:
        try:
            for chunk in self._chunks:
                self._has_read = True
                yield self._job(chunk)
        except Exception as error:  # noqa: BLE001 -- raised again after the earlier chunks
            self._read_error = error
        self._exhausted = True

    def _next_jobs(self) -> Iterator[Job]:
        """Yield the jobs to run again, then unread ones; a later call may continue the reading."""
        while self._again:
            yield self._again.popleft()
        for job in self._unread:  # noqa: UP028 -- `yield from` would close `_unread` with this generator
            yield job

    def _close(self) -> None:
        close = getattr(self._chunks, "close", None)
        with suppress(ValueError):  # it may still run if a second Ctrl-C did not wait for it
            cast("Generator[Job, None, None]", self._unread).close()
            if close is not None:
                close()

    # ---- the pool

    def _open(
        self, stack: ExitStack, backend: BackendName, n_jobs: int, scheduler: str | None
    ) -> int:
        """Choose the backend and how to pack chunks; return how many chunks run at once."""
        self._entry: Callable[[Callable[[Chunk], Any], Any], Any] = compute_parcel
        self._new_backend: Callable[[], Backend] = lambda: ProcessBackend(
            n_jobs, is_early=not self._has_read
        )
        self._pack: Callable[[object], Any] = pack
        self._unpack: Callable[[Any], Any] = unpack
        if backend == "threading":
            self._entry = _compute_here
            self._new_backend = lambda: ThreadBackend(n_jobs)
            self._pack = self._unpack = _unchanged
        elif backend == "dask":
            from python_workers.pool.dask_backend import DaskBackend, cluster, count_slots  # noqa: PLC0415 -- an optional extra

            client = stack.enter_context(cluster(str(scheduler)))
            slots = count_slots(client)
            self._new_backend = lambda: DaskBackend(client, slots)
            self._entry = functools.partial(compute_parcel_alike, versions())
            return slots
        return n_jobs

    def _job(self, chunk: Chunk) -> Job:
        return Job(chunk.key, self._pack(chunk))

    def _call(
        self, jobs: Iterator[Job], backend: Backend, bound: int, hang_seconds: float
    ) -> SupervisedCall:
        dispatcher = Dispatcher(jobs, self._entry, self._worker, backend, bound)
        return SupervisedCall(dispatcher, backend, hang_seconds)

    # ---- what was lost

    def _note_losses(self, call: SupervisedCall) -> None:
        self._again.extend(call.lost)
        fruitless = bool(call.lost) and not call.are_workers_ready
        self._fruitless_calls = self._fruitless_calls + 1 if fruitless else 0
        if self._fruitless_calls >= FRUITLESS_CALLS:
            raise _workers_do_not_start()

    def _take_suspects(self) -> list[Job]:
        suspects = [
            job
            for job in self._again
            if job.deaths >= DEATHS_BEFORE_ISOLATION
            or (job.deaths and len(self._known_apart(self._unpack(job.payload))) > 1)
        ]
        for job in suspects:
            self._again.remove(job)
        return suspects

    def _settle(self, job: Job) -> Iterator[tuple[Chunk, Any]]:
        """Run a suspect job alone, and halve its chunk as long as it kills its worker."""
        chunk = self._unpack(job.payload)
        parts = self._known_apart(chunk)
        if len(parts) == 1:
            settled = list(self._settled(job, chunk, depth=0))
        else:
            settled = [
                found
                for number, part in enumerate(parts)
                for found in self._settled(self._job(part), part, depth=0, is_known=number > 0)
            ]
        if self._merge is not None and len(settled) > 1:
            yield chunk, self._merge([result for _, result in settled])
        else:
            yield from settled

    def _known_apart(self, chunk: Chunk) -> list[Chunk]:
        """Return the chunk without the known lost entities, followed by each of them alone."""
        if self._set_apart is None or not self._lost_entities:
            return [chunk]
        return self._set_apart(chunk, self._lost_entities)

    def _settled(
        self, job: Job, chunk: Chunk, *, depth: int, is_known: bool = False
    ) -> Iterator[tuple[Chunk, Any]]:
        hang_seconds = max(
            self._hang_seconds / 2**depth, min(self._hang_seconds, SHORTEST_HANG_SECONDS)
        )
        outcome = self._alone(job, hang_seconds)
        halves: list[Chunk] = []
        if not outcome:
            halves = self._split(chunk)
            if len(halves) <= 1 and not is_known:
                outcome = self._alone(job, hang_seconds)
        if outcome:
            yield chunk, outcome[0]
        elif len(halves) > 1:
            for half in halves:
                yield from self._settled(self._job(half), half, depth=depth + 1)
        else:
            self._note_lost_entity(job, chunk)
            yield chunk, self._on_lost_entity(chunk, job.reason)

    def _alone(self, job: Job, hang_seconds: float) -> list[Any]:
        """Run one job alone; return its result, or an empty list if its worker died.

        Run it in a local process, so that it does not kill one worker of a cluster after another.
        """
        for _ in range(FRUITLESS_CALLS):
            call = self._call(iter([job]), ProcessBackend(1), 2, hang_seconds)
            results = [self._unpack(result) for _, result in call]
            if results or call.are_workers_ready:
                return results
        raise _workers_do_not_start()

    def _note_lost_entity(self, job: Job, chunk: Chunk) -> None:
        self._lost_entities.add(self._name_entity(chunk))
        if len(self._lost_entities) > MAX_LOST_ENTITIES:
            raise BackcourtError(
                f"more than {MAX_LOST_ENTITIES} entities killed their worker; the last: {job.key}",
                [f"Reason: {job.reason}.", "Look for the cause in the machine, not in the data."],
            )


def _workers_do_not_start() -> BackcourtError:
    return BackcourtError(
        "worker processes cannot start on this machine, or die while idle",
        [
            "Check its memory limit, and whether another program kills processes.",
            "To run without worker processes: --backend threading",
        ],
        ExitCode.ENVIRONMENT,
    )


def _by_key(chunk: Chunk) -> str:
    return chunk.key


def _compute_here(worker: Callable[[Chunk], R], chunk: Chunk) -> R:
    return worker(chunk)


def _unchanged(payload: Any) -> Any:  # noqa: ANN401 -- any payload
    return payload
