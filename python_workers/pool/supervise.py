"""Supervises one joblib call: yields results, detects hung and dead workers."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty

from joblib.externals.loky.process_executor import ShutdownExecutorError, TerminatedWorkerError

from python_workers.errors import BackcourtError
from python_workers.pool.dispatch import (
    Backend,
    Dispatcher,
    Event,
    Job,
)

POLL_SECONDS = 1.0
START_SECONDS = 120.0  # longest wait for the first worker, on a busy machine


class PoolLostError(Exception):
    """A worker process died or was killed, which ends its pool."""


class SupervisedCall:
    """Iterate over (job, result) as jobs are completed.

    Parameters
    ----------
    dispatcher
        A dispatcher that has not started.
    backend
        The backend of the dispatcher.
    hang_seconds
        A job that runs longer counts as hung. Its time begins with its turn: pools start jobs in
        the order in which they receive them.

    Attributes
    ----------
    lost
        After the iteration: the jobs that were read and have no result. A job that may be the
        cause has one more death (two if it certainly is) and a reason.
    are_workers_ready
        Whether a worker has started. No job causes a death before that.
    """

    def __init__(self, dispatcher: Dispatcher, backend: Backend, hang_seconds: float) -> None:
        self.lost: list[Job] = []
        self._dispatcher = dispatcher
        self._backend = backend
        self._hang_seconds = hang_seconds
        self._turns: dict[Job, float | None] = {}  # start time of each job in the pool, in order
        self.are_workers_ready = False
        self._started_at = self._checked_at = time.monotonic()

    def __iter__(self) -> Iterator[tuple[Job, object]]:
        """Yield each job with its result; raise an exception of the worker unchanged."""
        self._dispatcher.start()
        try:
            try:
                yield from self._results()
            except PoolLostError:
                self._backend.kill()
                self._dispatcher.stop()
                yield from self._late_results()
        finally:
            self._dispatcher.stop()

    def _results(self) -> Iterator[tuple[Job, object]]:
        while True:
            event = self._next_event()
            job, error = event.job, event.value
            if event.kind == "ended" and error is None:
                return
            if event.kind == "done" and job is not None:
                yield job, event.value
                self._dispatcher.release(job)
            elif job is not None and isinstance(error, self._backend.lost_task_errors):
                self._set_aside(job, error)
            elif _is_pool_loss(event):
                if self.are_workers_ready:
                    self._blame(self._running(), _cause_of_death(error))
                raise PoolLostError
            else:
                raise error

    def _next_event(self) -> Event:
        """Return the next result or failure; meanwhile record when jobs start."""
        events = self._dispatcher.events
        poll = min(POLL_SECONDS, self._hang_seconds / 4)
        while True:
            if events.empty() and time.monotonic() - self._checked_at >= poll:
                self._look_for_trouble()
                self._checked_at = time.monotonic()
            try:
                event = events.get(timeout=poll)
            except Empty:
                continue
            self._note(event)
            if event.kind not in {"ready", "sent"}:
                return event

    def _note(self, event: Event) -> None:
        if event.kind == "ready":
            self.are_workers_ready = True
        elif event.kind == "sent" and event.job is not None:
            self._turns[event.job] = None
        elif event.kind == "done" and event.job is not None:
            del self._turns[event.job]
        for job in self._running():
            if self._turns[job] is None and self.are_workers_ready:
                self._turns[job] = event.at

    def _running(self) -> list[Job]:
        """Return the jobs that may be running: the first ones, as many as there are workers."""
        return list(self._turns)[: self._backend.slots]

    def _look_for_trouble(self) -> None:
        if reason := self._backend.check():
            self._blame(self._running(), reason)
            raise PoolLostError
        now = time.monotonic()
        if self._turns and not self.are_workers_ready and now - self._started_at > START_SECONDS:
            raise PoolLostError
        turns = ((job, self._turns[job]) for job in self._running())
        hung = [job for job, at in turns if at is not None and now - at > self._hang_seconds]
        if not hung:
            return
        if not self._backend.kill():
            raise _hang_without_end(hung, self._hang_seconds)
        self._blame(hung, f"its worker process was still busy after {self._hang_seconds:g} s")
        raise PoolLostError

    def _blame(self, jobs: list[Job], reason: str, deaths: int = 1) -> None:
        for job in jobs:
            job.deaths += deaths
            job.reason = reason

    def _set_aside(self, job: Job, error: BaseException) -> None:
        """Record a single lost job, and let the others finish."""
        # Count two deaths: a cluster has tried the job repeatedly, or it needs too much memory.
        self._blame([job], f"{type(error).__name__}: {error}".splitlines()[0], deaths=2)
        self.lost.append(job)
        del self._turns[job]
        self._dispatcher.wind_up()
        self._dispatcher.release(job)

    def _late_results(self) -> Iterator[tuple[Job, object]]:
        """Yield the results that arrived before the pool broke; the other jobs are lost."""
        with suppress(Empty):
            while True:
                event = self._dispatcher.events.get_nowait()
                self._note(event)
                if event.kind == "done" and event.job is not None:
                    yield event.job, event.value
        self.lost += [*self._turns, *self._dispatcher.unsent]


def _is_pool_loss(event: Event) -> bool:
    if isinstance(event.value, (TerminatedWorkerError, ShutdownExecutorError)):
        return True
    # A worker died during its start.
    return event.kind == "ended" and isinstance(event.value, BrokenPipeError)


def _cause_of_death(error: BaseException) -> str:
    """Summarise loky's message in a few words."""
    codes = re.search(r"exit codes of the workers are \{\w+\((-?\d+)\)", str(error))
    return describe_death(int(codes[1])) if codes else "its worker process died"


def describe_death(exit_code: int) -> str:
    """Describe in a few words how a process ended."""
    if exit_code < 0:
        return f"its worker process was killed by {signal.Signals(-exit_code).name}"
    return f"its worker process exited with code {exit_code}"


def _hang_without_end(hung: list[Job], seconds: float) -> BackcourtError:
    return BackcourtError(
        f"no answer within {seconds:g} s for chunk {', '.join(job.key for job in hung)}",
        [
            "Only the worker processes of --backend loky can be stopped from here.",
            "With --backend loky the chunk is retried, then halved until the hang is found.",
        ],
    )
