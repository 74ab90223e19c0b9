"""Runs joblib over a stream of jobs, in a separate thread.

``joblib.Parallel(return_as="generator_unordered")`` starts the next task when it sees one end. This
module adds two things, through joblib's hooks for backends:

- The caller gets a result as soon as it arrives, but joblib learns that the task has ended only
  when the caller releases the result. So joblib's own ``pre_dispatch`` bounds the jobs that are
  read and not yet released, however slow the caller is.
- joblib runs in a separate thread, which also reads the next job. So the caller handles a result
  while the thread reads and the pool computes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, NamedTuple, Protocol

import joblib

from python_workers.pool.chunk import Chunk
from python_workers.runtime.interrupts import interrupts_deferred

# Every backend's `configure` returns this number of workers, whatever its real size: joblib reads
# that many jobs at a time. (With 1, joblib would run jobs in its own thread, where a crash of a job
# is a crash of backcourt.)
JOBS_READ_TOGETHER = 2


@dataclass(eq=False)
class Job:
    """A chunk on its way through the pool.

    Parameters
    ----------
    key
        Name of the job in messages.
    payload
        The task's argument: a parcel, or for threads the chunk itself.
    deaths
        How often its worker died or hung.
    reason
        How its worker died or hung the last time.
    """

    key: str
    payload: Any
    deaths: int = 0
    reason: str = ""


class Event(NamedTuple):
    """A message from the thread or the pool to the caller."""

    kind: str  # 'ready' (workers), 'sent', 'done', 'failed' (a job) or 'ended' (the thread)
    job: Job | None
    value: Any
    at: float


class Backend(Protocol):
    """The methods a backend needs beyond joblib's own protocol."""

    slots: int
    lost_task_errors: tuple[type[BaseException], ...]  # the task is lost, the pool continues

    def attach(self, dispatcher: Dispatcher) -> None:
        """Send every result and failure to `dispatcher`."""

    def kill(self) -> bool:
        """Kill the running tasks at once. Return False if the backend cannot."""

    def check(self) -> str | None:
        """Return the reason if the pool broke unnoticed; raise an error if it can never recover."""


class _StoppedError(Exception):
    """Stops joblib's generator from outside."""


class Dispatcher:
    """A thread that hands jobs to joblib and events to the caller.

    Parameters
    ----------
    jobs
        The jobs; the thread reads them lazily.
    entry, worker
        Functions; each task calls ``entry(worker, job.payload)``.
    backend
        A backend of `local_backends` or `dask_backend`, new for each dispatcher.
    bound
        Greatest number of jobs that are read and not yet released.
    """

    def __init__(
        self,
        jobs: Iterator[Job],
        entry: Callable[[Callable[[Chunk], Any], Any], Any],
        worker: Callable[[Chunk], Any],
        backend: Backend,
        bound: int,
    ) -> None:
        self.events: SimpleQueue[Event] = SimpleQueue()
        self.unsent: deque[Job] = deque()  # read, and not yet sent to the pool
        self._jobs = jobs
        self._entry = entry
        self._worker = worker
        self._backend = backend
        self._pre_dispatch = max(bound - JOBS_READ_TOGETHER + 1, 1)
        self._callbacks: dict[Job, Callable[[Any], None]] = {}
        self._used: SimpleQueue[Callable[[Any], None] | None] = SimpleQueue()
        self._read_count = 0
        self._reading_over = False
        self._is_winding_up = False
        self._is_stopping = False
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._run,), name="backcourt-jobs", daemon=True
        )
        backend.attach(self)

    # ---- for the caller

    def start(self) -> None:
        """Start the thread, which reads and dispatches jobs."""
        self._thread.start()

    def release(self, job: Job) -> None:
        """Mark the result of `job` as used, so that the thread may read another job."""
        self._used.put(self._callbacks.pop(job))

    def wind_up(self) -> None:
        """Stop reading jobs; let the running ones finish."""
        self._is_winding_up = True

    def stop(self) -> None:
        """Stop the thread; kill jobs that are still running."""
        if self._thread.is_alive() and not (self._reading_over and not self._callbacks):
            self._is_stopping = True
            with interrupts_deferred():
                self._backend.kill()
                self._used.put(None)
        self._thread.join()

    # ---- for the backend

    def workers_ready(self) -> None:
        """Tell the caller that the workers have started."""
        self._tell("ready")

    def worker_answered(self, answer: Future[Any]) -> None:
        """Tell the caller that a worker has started, unless it died while starting."""
        if answer.exception() is None:
            self.workers_ready()

    def sending(self, callback: Callable[[Any], None]) -> Callable[[Callable[[], Any]], None]:
        """Mark the next job as sent; return the callback that takes its result."""
        job = self.unsent.popleft()
        self._callbacks[job] = callback
        self._tell("sent", job)

        def arrived(get: Callable[[], list[Any]]) -> None:
            try:
                (result,) = get()
            except BaseException as error:  # noqa: BLE001 -- the caller raises or handles it
                self._tell("failed", job, error)
            else:
                self._tell("done", job, result)

        return arrived

    def _tell(self, kind: str, job: Job | None = None, value: object = None) -> None:
        self.events.put(Event(kind, job, value, time.monotonic()))

    # ---- the thread

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._dispatch()
        except _StoppedError:
            pass
        except BaseException as caught:  # noqa: BLE001 -- the caller raises or handles it
            error = caught
        self._tell("ended", None, error)

    def _dispatch(self) -> None:
        outputs = joblib.Parallel(
            n_jobs=self._backend.slots,
            backend=self._backend,
            return_as="generator_unordered",
            pre_dispatch=self._pre_dispatch,
            batch_size=1,
        )(self._tasks())
        try:
            self._pass_on_callbacks(outputs)
        except BaseException:
            with suppress(_StoppedError):
                outputs.throw(_StoppedError())  # makes joblib clean up now, in its own thread
            raise

    def _pass_on_callbacks(self, outputs: Generator[None, None, None]) -> None:
        """Tell joblib about each released result, which makes it send the next job."""
        released = 0
        while not (self._reading_over and released == self._read_count):
            callback = self._used.get()
            if callback is None:
                raise _StoppedError
            callback(None)
            next(outputs)
            released += 1
        for _ in outputs:  # exhausting the generator makes joblib terminate the pool
            pass

    def _tasks(self) -> Iterator[Any]:
        task = joblib.delayed(self._entry)
        while not self._is_winding_up and (job := next(self._jobs, None)) is not None:
            self.unsent.append(job)
            self._read_count += 1
            if self._is_stopping:
                return
            yield task(self._worker, job.payload)
        self._reading_over = True
