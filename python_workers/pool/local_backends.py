"""The two local pools as joblib backends: worker processes and threads."""

from __future__ import annotations

import functools
import logging
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from joblib._multiprocessing_helpers import mp
from joblib._parallel_backends import LokyBackend, ThreadingBackend
from joblib.executor import get_memmapping_executor
from joblib.externals.loky.backend import resource_tracker

from python_workers.errors import BackcourtError, ExitCode
from python_workers.pool.chunk import enter_process, ping
from python_workers.pool.dispatch import JOBS_READ_TOGETHER, Dispatcher
from python_workers.pool.supervise import describe_death
from python_workers.runtime.interrupts import hangups_blocked, interrupts_kept_from_children
from python_workers.runtime.tuning import WORKER_ENVIRONMENT

_LOG = logging.getLogger(__name__)
IDLE_WORKER_SECONDS = 300
STUCK_SECONDS = 2.0


def why_no_processes() -> str | None:
    """Return why this machine cannot run worker processes, or None if it can."""
    if os.environ.get("JOBLIB_MULTIPROCESSING") == "0":
        return "JOBLIB_MULTIPROCESSING is 0"
    try:
        from _multiprocessing import (  # type: ignore[import-not-found]  # noqa: PLC0415
            SemLock,  # some Python builds lack it
        )

        SemLock(0, 0, 1, name=f"/backcourt-{uuid4().hex}", unlink=True)
    except (ImportError, OSError) as error:
        return f"no semaphore in /dev/shm: {getattr(error, 'strerror', None) or error}"
    return None if mp is not None else "there was no semaphore in /dev/shm at the start"


@functools.cache
def warn_of_threads(reason: str) -> None:
    """Warn once that threads replace worker processes."""
    _LOG.warning(
        "no worker processes here (%s): computing in threads of this process, "
        "which survives neither a crash nor a hang",
        reason,
    )


class ProcessBackend(LokyBackend):  # type: ignore[misc]  # joblib is untyped
    """joblib's process pool, which keeps its workers for the next call.

    Parameters
    ----------
    n_jobs
        Number of worker processes.
    is_early
        Whether to start the workers while the first job is still being read.
    """

    lost_task_errors: tuple[type[BaseException], ...] = (MemoryError,)

    def __init__(self, n_jobs: int, *, is_early: bool = False) -> None:
        if reason := why_no_processes():
            raise BackcourtError(
                f"there can be no worker processes here: {reason}",
                "To run without them: --backend threading",
                ExitCode.ENVIRONMENT,
            )
        # Give numpy's BLAS one thread: its order of summation must not depend on n_jobs.
        super().__init__(inner_max_num_threads=1)
        self.slots = n_jobs
        self._dispatcher: Dispatcher | None = None
        self._workers: Any = None
        self._is_early = is_early
        self._is_started = False
        self._kill_lock = threading.Lock()
        self._killed = False
        self._dead_seen = False

    def attach(self, dispatcher: Dispatcher) -> None:
        """Send everything that arrives to `dispatcher`."""
        self._dispatcher = dispatcher

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_kwargs: object) -> int:  # noqa: ANN401, ARG002
        """Reuse existing workers, or prepare to start new ones."""
        self.parallel = parallel
        with hangups_blocked():
            resource_tracker.ensure_running()
        self._workers = get_memmapping_executor(
            self.slots,
            timeout=IDLE_WORKER_SECONDS,
            initializer=enter_process,
            initargs=(os.getpid(),),
            env=WORKER_ENVIRONMENT | self._prepare_worker_env(n_jobs=self.slots),
            context_id=parallel._id,  # noqa: SLF001 -- joblib's own backend does the same
            max_nbytes=None,  # send tables through the pipe, so that a crash leaves nothing on disk
        )
        if self._is_early:
            self._start()
        return JOBS_READ_TOGETHER

    def _start(self) -> None:
        self._is_started = True
        with interrupts_kept_from_children():
            started = self._workers.submit(ping)
        if self._dispatcher is not None:
            started.add_done_callback(self._dispatcher.worker_answered)

    def submit(self, func: Any, callback: Any = None) -> Any:  # noqa: ANN401 -- joblib's signature
        """Hand a task to the pool."""
        assert self._dispatcher is not None  # noqa: S101 -- for mypy; it attaches itself
        arrived = self._dispatcher.sending(callback)
        if not self._is_started:
            self._start()
        with interrupts_kept_from_children():
            future = self._workers.submit(func)
        future.add_done_callback(lambda done: arrived(done.result))
        return future

    def retrieve_result_callback(self, out: object) -> list[None]:  # noqa: ARG002
        """Give joblib no copy of the result: the caller has it."""
        return [None]

    def abort_everything(self, ensure_ready: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002
        """Kill the workers; joblib calls this hook."""
        self.kill()

    def kill(self) -> bool:
        """Kill the workers, even while loky's own thread waits for one of them."""
        with self._kill_lock:
            executor = self._workers
            if executor is not None and not self._killed:
                self._killed = True
                _kill_executor(executor)
        return True

    def check(self) -> str | None:
        """Describe a worker's death that loky did not notice.

        If a worker is killed while it sends a result, loky waits for the rest of the result.
        """
        if self._workers is None:
            return None
        workers = list(self._workers._processes.values())  # noqa: SLF001 -- no public way
        dead = [process.exitcode for process in workers if process.exitcode is not None]
        unnoticed = bool(dead) and self._dead_seen
        self._dead_seen = bool(dead)
        return describe_death(dead[0]) if unnoticed else None


class _Threads:
    """Threads that take tasks from one queue.

    joblib's own thread pool needs a system semaphore; and at exit Python waits for threads of
    ``concurrent.futures``, even for one that hangs.
    """

    def __init__(self, count: int) -> None:
        self._tasks: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._is_over = False
        for _ in range(count):
            threading.Thread(target=self._run, name="backcourt-worker", daemon=True).start()
        self._count = count

    def put(self, func: Callable[[], Any], future: Future[Any]) -> None:
        self._tasks.put((func, future))

    def end(self) -> None:
        self._is_over = True
        for _ in range(self._count):
            self._tasks.put(None)

    def _run(self) -> None:
        for func, future in iter(self._tasks.get, None):
            if self._is_over:
                return
            try:
                result = func()
            except BaseException as error:  # noqa: BLE001 -- the caller raises it
                future.set_exception(error)
            else:
                future.set_result(result)


class ThreadBackend(ThreadingBackend):  # type: ignore[misc]  # joblib is untyped
    """Threads of this process; a task in a thread cannot be killed.

    Parameters
    ----------
    n_jobs
        Number of threads.
    """

    lost_task_errors: tuple[type[BaseException], ...] = ()

    def __init__(self, n_jobs: int) -> None:
        super().__init__()
        self.slots = n_jobs
        self._dispatcher: Dispatcher | None = None
        self._threads: _Threads | None = None

    def attach(self, dispatcher: Dispatcher) -> None:
        """Send everything that arrives to `dispatcher`."""
        self._dispatcher = dispatcher

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_kwargs: object) -> int:  # noqa: ANN401, ARG002
        """Store joblib's call; the threads start with the first task."""
        self.parallel = parallel
        assert self._dispatcher is not None  # noqa: S101 -- for mypy; it attaches itself
        self._dispatcher.workers_ready()
        return JOBS_READ_TOGETHER

    def submit(self, func: Any, callback: Any = None) -> Future[Any]:  # noqa: ANN401 -- joblib's signature
        """Hand a task to the threads."""
        assert self._dispatcher is not None  # noqa: S101 -- for mypy; it attaches itself
        arrived = self._dispatcher.sending(callback)
        future: Future[Any] = Future()
        future.add_done_callback(lambda done: arrived(done.result))
        self._threads = self._threads or _Threads(self.slots)
        self._threads.put(func, future)
        return future

    def terminate(self) -> None:
        """Let the threads end; joblib calls this hook."""
        if self._threads is not None:
            self._threads.end()
            self._threads = None

    def abort_everything(self, ensure_ready: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002
        """Begin no further task; joblib calls this hook."""
        self.terminate()

    def retrieve_result_callback(self, out: object) -> list[None]:  # noqa: ARG002
        """Give joblib no copy of the result: the caller has it."""
        return [None]

    def kill(self) -> bool:
        """Return False: threads end when their chunk ends."""
        return False

    def check(self) -> None:
        """Return None: a thread cannot die by itself."""


def start_workers(n_jobs: int) -> None:
    """Start the worker processes that the next call with `n_jobs` will use; do not wait for them.

    Do nothing if this machine cannot run worker processes.

    Parameters
    ----------
    n_jobs
        Number of worker processes.
    """
    if why_no_processes():
        return
    backend = ProcessBackend(n_jobs, is_early=True)
    backend.configure(parallel=SimpleNamespace(_id=uuid4().hex))
    backend.terminate()  # in joblib this leaves the workers to the next call


def _kill_executor(executor: Any) -> None:  # noqa: ANN401 -- loky is untyped
    """Kill the workers and wait for loky's threads to end.

    loky's own ``shutdown(kill_workers=True)`` fails if a task arrives at the same time. But loky
    shuts down properly after workers died, so kill them first.
    """
    manager = executor._executor_manager_thread  # noqa: SLF001 -- no public way, here and below
    calls, results = executor._call_queue, executor._result_queue  # noqa: SLF001
    processes = list(executor._processes.values())  # noqa: SLF001
    for process in processes:
        if process.exitcode is None:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
    if manager is not None:
        manager.join(timeout=STUCK_SECONDS)
        if manager.is_alive():
            # The thread waits for the rest of a result from a killed worker. Once no process holds
            # the pipe's writing end, the thread reads end-of-file instead.
            _replace_pipe_end(results._writer)  # noqa: SLF001
            manager.join()
        calls._reader.close()  # noqa: SLF001 -- loky's feeder may wait for room in this pipe
    executor.shutdown(wait=True)
    for process in processes:
        process.join(timeout=STUCK_SECONDS)  # including those that loky no longer tracks


def _replace_pipe_end(connection: Any) -> None:  # noqa: ANN401 -- loky is untyped
    """Replace a pipe's end by /dev/null.

    Closing the end would race with the thread on the other end, which also closes it on waking up.
    """
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, connection.fileno())
    finally:
        os.close(nothing)
