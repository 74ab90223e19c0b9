"""joblib over a stream of jobs, in a thread of its own.

``joblib.Parallel(return_as="generator_unordered")`` starts the next task when it sees one end. Two
things are added here, through the hooks joblib has for backends:

- A result goes to the caller the moment it arrives, but joblib is told that its task has ended
  only when the caller has used the result up. So joblib's own ``pre_dispatch`` bounds what has been
  read and not yet used, however slow the caller is.
- joblib runs in a thread of its own, in which it also reads the next job. So the caller's work on a
  result, the reading and the pool's computing go on side by side.
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

# What every backend's `configure` reports, whatever its size: joblib reads that many jobs at a time
# (and with 1 it would run them in its own thread, where a killed worker is a killed backcourt).
JOBS_READ_TOGETHER = 2


@dataclass(eq=False)
class Job:
    """A chunk on its way through the pool.

    Parameters
    ----------
    key
        Names it in messages.
    payload
        What the task receives: a parcel, or for threads the chunk itself.
    deaths
        How often its worker died or hung.
    reason
        What happened the last time.
    """

    key: str
    payload: Any
    deaths: int = 0
    reason: str = ""


class Event(NamedTuple):
    """What the thread and the pool tell the caller."""

    kind: str  # 'ready' (workers), 'sent', 'done', 'failed' (a job) or 'ended' (the thread)
    job: Job | None
    value: Any
    at: float


class Backend(Protocol):
    """What is needed of a backend, beyond joblib's own protocol."""

    slots: int
    lost_task_errors: tuple[type[BaseException], ...]  # one task is lost, the pool goes on

    def attach(self, dispatcher: Dispatcher) -> None:
        """Send everything that arrives to `dispatcher`."""

    def kill(self) -> bool:
        """End what runs, now. Return False where that cannot be done."""

    def check(self) -> str | None:
        """Say what broke the pool unnoticed, or raise what would be waited for in vain."""


class _StoppedError(Exception):
    """Ends joblib's generator from outside."""


class Dispatcher:
    """A thread that hands jobs to joblib and events to the caller.

    Parameters
    ----------
    jobs
        Read lazily, in the thread.
    entry, worker
        Each task is ``entry(worker, job.payload)``.
    backend
        A backend of `local_backends` or `dask_backend`, fresh for each dispatcher.
    bound
        At most so many jobs are read and not yet used up.
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
        self.unsent: deque[Job] = deque()  # read, and not yet handed to the pool
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
        """Begin to read and to dispatch."""
        self._thread.start()

    def release(self, job: Job) -> None:
        """Let another job be read in the place of `job`."""
        self._used.put(self._callbacks.pop(job))

    def wind_up(self) -> None:
        """Read no more; what is under way comes to its end."""
        self._is_winding_up = True

    def stop(self) -> None:
        """Be done: at once where something is still under way."""
        if self._thread.is_alive() and not (self._reading_over and not self._callbacks):
            self._is_stopping = True
            with interrupts_deferred():
                self._backend.kill()
                self._used.put(None)
        self._thread.join()

    # ---- for the backend

    def workers_ready(self) -> None:
        """Note that the workers have started."""
        self._tell("ready")

    def worker_answered(self, answer: Future[Any]) -> None:
        """Note that a worker has started, unless it died of it."""
        if answer.exception() is None:
            self.workers_ready()

    def sending(self, callback: Callable[[Any], None]) -> Callable[[Callable[[], Any]], None]:
        """Note that the next job goes to the pool; return whom to tell how to get its outcome."""
        job = self.unsent.popleft()
        self._callbacks[job] = callback
        self._tell("sent", job)

        def arrived(get: Callable[[], list[Any]]) -> None:
            try:
                (result,) = get()
            except BaseException as error:  # noqa: BLE001 -- the caller raises it or deals with it
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
        except BaseException as caught:  # noqa: BLE001 -- the caller raises it or deals with it
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
                outputs.throw(_StoppedError())  # joblib tidies up here and now, in its own thread
            raise

    def _pass_on_callbacks(self, outputs: Generator[None, None, None]) -> None:
        """Tell joblib of each result that was used up, which makes it send the next job."""
        released = 0
        while not (self._reading_over and released == self._read_count):
            callback = self._used.get()
            if callback is None:
                raise _StoppedError
            callback(None)
            next(outputs)
            released += 1
        for _ in outputs:  # runs out, which is how joblib takes leave of the pool
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
