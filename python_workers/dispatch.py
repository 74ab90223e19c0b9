"""One joblib call over a stream of jobs, on a pool of processes or threads.

``joblib.Parallel(return_as="generator_unordered")`` starts the next task when it sees one end. Two
things are added here, through the hooks joblib has for backends:

- A result goes to the caller the moment it arrives, but joblib is told that its task has ended
  only when the caller has used the result up. So joblib's own ``pre_dispatch`` bounds what has been
  read and not yet used, however slow the caller is.
- joblib runs in a thread of its own, in which it also reads the next job. So the caller's work on a
  result, the reading and the pool's computing go on side by side.
"""

from __future__ import annotations

import re
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Protocol

import joblib
from joblib.externals.loky.process_executor import ShutdownExecutorError, TerminatedWorkerError

from python_workers.chunks import Chunk
from python_workers.errors import BackcourtError

# What the pool's `configure` reports, whatever its size: joblib reads that many jobs at a time
# (and with 1 it would run them in its own thread, where a killed worker is a killed backcourt).
JOBS_READ_TOGETHER = 2
POLL_SECONDS = 1.0


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


class Backend(Protocol):
    """What a call needs of a backend, beyond joblib's own protocol."""

    slots: int
    lost_task_errors: tuple[type[BaseException], ...]

    def attach(self, call: Call) -> None:
        """Send everything that arrives to `call`."""

    def kill(self) -> bool:
        """End what runs, now. Return False where that cannot be done."""

    def check(self) -> str | None:
        """Say what broke the pool unnoticed, or raise what would be waited for in vain."""


class PoolLostError(Exception):
    """A worker process died, and the pool with it."""


class _Event(NamedTuple):
    kind: str  # 'sent', 'done', 'failed' or 'ended'
    job: Job | None
    value: Any
    at: float


class _StoppedError(Exception):
    """Ends joblib's generator from outside."""


class Call:
    """Run jobs through joblib and iterate over (job, result) as they complete.

    Parameters
    ----------
    jobs
        Read lazily, in a thread of this call.
    entry, worker
        Each task is ``entry(worker, job.payload)``.
    backend
        A backend of this module or of `dask_backend`, fresh for each call.
    bound
        At most so many jobs are read and not yet used up.
    hang_seconds
        A task that runs longer is taken for hung.

    Attributes
    ----------
    lost
        After the iteration: the jobs that were read and have no result. Those that may have been
        the cause have one death more (two, where it is certain) and a reason.
    """

    def __init__(
        self,
        jobs: Iterator[Job],
        entry: Callable[[Callable[[Chunk], Any], Any], Any],
        worker: Callable[[Chunk], Any],
        backend: Backend,
        *,
        bound: int,
        hang_seconds: float,
    ) -> None:
        self.lost: list[Job] = []
        self._jobs = jobs
        self._entry = entry
        self._worker = worker
        self._backend = backend
        self._pre_dispatch = max(bound - JOBS_READ_TOGETHER + 1, 1)
        self._hang_seconds = hang_seconds
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._used: SimpleQueue[Callable[[Any], None] | None] = SimpleQueue()
        self._read: deque[Job] = deque()  # read, and not yet sent to the pool
        self._read_count = 0
        self._reading_over = False
        self._winding_up = False  # read no more, finish what is under way
        self._stopping = False  # finish nothing
        self._callbacks: dict[Job, Callable[[Any], None]] = {}
        self._sent: dict[Job, float | None] = {}  # in order; when it was first able to run
        self._checked_at = time.monotonic()
        self._thread = threading.Thread(target=self._drive, name="backcourt-jobs", daemon=True)
        backend.attach(self)

    def __iter__(self) -> Iterator[tuple[Job, Any]]:
        """Yield each job with its result; an exception of the worker is raised as it is."""
        self._thread.start()
        try:
            yield from self._results()
        finally:
            self._stop()

    # ---- the caller's side

    def _results(self) -> Iterator[tuple[Job, Any]]:
        while True:
            try:
                event = self._next_event()
            except PoolLostError:
                break
            if event.kind == "ended" and event.value is None:
                return
            if event.kind == "done" and event.job is not None:
                yield event.job, event.value
                self._used.put(self._callbacks.pop(event.job))
            elif event.kind in {"failed", "ended"}:
                if event.job is not None and self._is_single_loss(event.value):
                    self._set_aside(event.job, event.value)
                elif self._is_pool_loss(event):
                    self._blame(self._running(), _cause_of_death(event.value))
                    break
                else:
                    raise event.value
        self._backend.kill()
        self._stop()
        yield from self._leftovers()

    def _next_event(self) -> _Event:
        """Return the next event; note when jobs get their turn."""
        poll = min(POLL_SECONDS, self._hang_seconds / 4)
        while True:
            if self._events.empty() and time.monotonic() - self._checked_at >= poll:
                self._look_for_trouble()
                self._checked_at = time.monotonic()
            try:
                event = self._events.get(timeout=poll)
            except Empty:
                continue
            if event.kind == "sent" and event.job is not None:
                self._sent[event.job] = None
            elif event.kind == "done" and event.job is not None:
                del self._sent[event.job]
            for job in self._running():
                if self._sent[job] is None:
                    self._sent[job] = event.at
            if event.kind != "sent":
                return event

    def _running(self) -> list[Job]:
        """Return the jobs that may be running: pools start tasks in the order they get them."""
        return list(self._sent)[: self._backend.slots]

    def _look_for_trouble(self) -> None:
        if reason := self._backend.check():
            self._blame(self._running(), reason)
            raise PoolLostError
        now = time.monotonic()
        hung = [
            job for job in self._running() if now - (self._sent[job] or now) > self._hang_seconds
        ]
        if not hung:
            return
        limit = f"{self._hang_seconds:g} s"
        if not self._backend.kill():
            names = ", ".join(job.key for job in hung)
            raise BackcourtError(
                f"no answer within {limit} for chunk {names}",
                [
                    "Only the worker processes of --backend loky can be stopped from here.",
                    "Run it again with --backend loky: the chunk is retried, then halved until "
                    "the entity that hangs is found.",
                ],
            )
        self._blame(hung, f"its worker process was still busy after {limit}")
        raise PoolLostError

    def _is_single_loss(self, error: BaseException) -> bool:
        return isinstance(error, (MemoryError, *self._backend.lost_task_errors))

    @staticmethod
    def _is_pool_loss(event: _Event) -> bool:
        if isinstance(event.value, (TerminatedWorkerError, ShutdownExecutorError)):
            return True
        # A worker that dies while it is being started
        return event.kind == "ended" and isinstance(event.value, BrokenPipeError)

    def _blame(self, jobs: list[Job], reason: str) -> None:
        for job in jobs:
            job.deaths += 1
            job.reason = reason

    def _set_aside(self, job: Job, error: BaseException) -> None:
        """Note a task that was lost by itself, and let the others end."""
        job.deaths += 2  # a cluster has tried it repeatedly; memory that is short stays short
        job.reason = f"{type(error).__name__}: {error}".splitlines()[0]
        self.lost.append(job)
        self._winding_up = True
        del self._sent[job]
        self._used.put(self._callbacks.pop(job))

    def _leftovers(self) -> Iterator[tuple[Job, Any]]:
        """Yield what arrived before the pool broke; the rest is lost."""
        with suppress(Empty):
            while True:
                event = self._events.get_nowait()
                if event.job is None:
                    continue
                if event.kind == "sent":
                    self._sent[event.job] = None
                elif event.kind == "done":
                    del self._sent[event.job]
                    yield event.job, event.value
        self.lost += [*self._sent, *self._read]

    def _stop(self) -> None:
        """End the call: at once where it is still under way."""
        if self._thread.is_alive() and not (self._reading_over and not self._callbacks):
            self._stopping = True
            with interrupts_deferred():
                self._backend.kill()
                self._used.put(None)
        self._thread.join()

    # ---- joblib's side, in the call's own thread

    def _drive(self) -> None:
        error: BaseException | None = None
        try:
            self._dispatch()
        except _StoppedError:
            pass
        except BaseException as caught:  # noqa: BLE001 -- raised again on the caller's side
            error = caught
        self._events.put(_Event("ended", None, error, time.monotonic()))

    def _dispatch(self) -> None:
        outputs = joblib.Parallel(
            n_jobs=self._backend.slots,
            backend=self._backend,
            return_as="generator_unordered",
            pre_dispatch=self._pre_dispatch,
            batch_size=1,
        )(self._tasks())
        try:
            self._hand_over(outputs)
        except BaseException:
            with suppress(_StoppedError):
                outputs.throw(_StoppedError())  # joblib tidies up here and now, in its own thread
            raise

    def _hand_over(self, outputs: Generator[None, None, None]) -> None:
        """Tell joblib of each result that was used up, which makes it send the next job."""
        used_up = 0
        while not (self._reading_over and used_up == self._read_count):
            callback = self._used.get()
            if callback is None:
                raise _StoppedError
            callback(None)
            next(outputs)
            used_up += 1
        for _ in outputs:  # runs out, which is how joblib takes leave of the pool
            pass

    def _tasks(self) -> Iterator[Any]:
        task = joblib.delayed(self._entry)
        while not self._winding_up and (job := next(self._jobs, None)) is not None:
            self._read.append(job)
            self._read_count += 1
            if self._stopping:
                return
            yield task(self._worker, job.payload)
        self._reading_over = True

    def sending(self, callback: Callable[[Any], None]) -> Callable[[Callable[[], Any]], None]:
        """Note that the next job goes to the pool; return whom to tell how to get its outcome."""
        job = self._read.popleft()
        self._callbacks[job] = callback
        self._events.put(_Event("sent", job, None, time.monotonic()))

        def arrived(get: Callable[[], Any]) -> None:
            kind, value = "done", None
            try:
                value = get()
                if not isinstance(value, list):  # what a cancelled Dask task leaves
                    raise value
                value = value[0]
            except BaseException as error:  # noqa: BLE001 -- raised again on the caller's side
                kind, value = "failed", error
            self._events.put(_Event(kind, job, value, time.monotonic()))

        return arrived


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Hold Ctrl-C back until the block is done, so that no process is left behind."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or handler is None:
        yield
        return
    came = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: came.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came.is_set():
            signal.raise_signal(signal.SIGINT)


def _cause_of_death(error: BaseException) -> str:
    """Say in a few words what loky says in a paragraph."""
    codes = re.search(r"exit codes of the workers are \{\w+\((-?\d+)\)", str(error))
    return describe_death(int(codes[1])) if codes else "its worker process died"


def describe_death(exit_code: int) -> str:
    """Say in a few words how a process ended."""
    if exit_code < 0:
        return f"its worker process was killed by {signal.Signals(-exit_code).name}"
    return f"its worker process exited with code {exit_code}"
