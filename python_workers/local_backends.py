"""The two pools of this machine, as joblib backends: worker processes and threads."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from joblib._parallel_backends import LokyBackend, ThreadingBackend
from joblib.executor import get_memmapping_executor

from python_workers.chunks import enter_process, load_worker
from python_workers.dispatch import JOBS_READ_TOGETHER, Call, describe_death

IDLE_WORKER_SECONDS = 300
PIPE_BYTES = 1 << 20


class ProcessBackend(LokyBackend):  # type: ignore[misc]  # joblib is untyped
    """joblib's process pool, its workers started at once and kept for the next call.

    Parameters
    ----------
    n_jobs
        Number of worker processes.
    """

    lost_task_errors: tuple[type[BaseException], ...] = ()

    def __init__(self, n_jobs: int) -> None:
        super().__init__()
        self.slots = n_jobs
        self._call: Call | None = None
        self._kill_lock = threading.Lock()
        self._killed = False
        self._dead_seen = False

    def attach(self, call: Call) -> None:
        """Send everything that arrives to `call`."""
        self._call = call

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_kwargs: object) -> int:  # noqa: ANN401, ARG002
        """Take over the workers that are there, or start them while the first job is read."""
        self.parallel = parallel
        self._workers = get_memmapping_executor(
            self.slots,
            timeout=IDLE_WORKER_SECONDS,
            initializer=enter_process,
            initargs=(os.getpid(),),
            env=self._prepare_worker_env(n_jobs=self.slots),
            context_id=parallel._id,  # noqa: SLF001 -- as joblib's own backend does
            max_nbytes=None,  # tables go through the pipe; nothing lies on disk after a crash
        )
        _widen_pipes(self._workers)
        with interrupts_kept_from_workers():
            self._workers.submit(load_worker, None, None)  # makes loky start them
        return JOBS_READ_TOGETHER

    def submit(self, func: Any, callback: Any = None) -> Any:  # noqa: ANN401 -- joblib's signature
        """Hand a task to the pool."""
        assert self._call is not None  # noqa: S101 -- for mypy; `Call` attaches itself
        arrived = self._call.sending(callback)
        with interrupts_kept_from_workers():
            future = self._workers.submit(func)
        future.add_done_callback(lambda done: arrived(done.result))
        return future

    def retrieve_result_callback(self, out: object) -> list[None]:  # noqa: ARG002
        """Give joblib no copy of the result: the call has it."""
        return [None]

    def abort_everything(self, ensure_ready: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002
        """Kill the workers; joblib's hook."""
        self.kill()

    def kill(self) -> bool:
        """Kill the workers, also where loky's own thread waits for one of them."""
        with self._kill_lock:
            executor = getattr(self, "_workers", None)
            if executor is not None and not self._killed:
                self._killed = True
                _kill_executor(executor)
        return True

    def check(self) -> str | None:
        """Name the worker that died unnoticed.

        loky waits for the rest of a result whose sender was killed in the middle of sending it.
        """
        workers = list(self._workers._processes.values())  # noqa: SLF001 -- no public way
        dead = [process.exitcode for process in workers if process.exitcode is not None]
        unnoticed = bool(dead) and self._dead_seen
        self._dead_seen = bool(dead)
        return describe_death(dead[0]) if unnoticed else None


class ThreadBackend(ThreadingBackend):  # type: ignore[misc]  # joblib is untyped
    """joblib's thread pool. Nothing in it can be killed.

    Parameters
    ----------
    n_jobs
        Number of threads.
    """

    lost_task_errors: tuple[type[BaseException], ...] = ()

    def __init__(self, n_jobs: int) -> None:
        super().__init__()
        self.slots = n_jobs
        self._call: Call | None = None

    def attach(self, call: Call) -> None:
        """Send everything that arrives to `call`."""
        self._call = call

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_kwargs: object) -> int:  # noqa: ANN401, ARG002
        """Note the size of the pool; joblib makes it when the first task comes."""
        self.parallel = parallel
        self._n_jobs = self.slots
        return JOBS_READ_TOGETHER

    def submit(self, func: Any, callback: Any = None) -> Any:  # noqa: ANN401 -- joblib's signature
        """Hand a task to the pool."""
        assert self._call is not None  # noqa: S101 -- for mypy; `Call` attaches itself
        arrived = self._call.sending(callback)
        retrieve = super().retrieve_result_callback
        return super().submit(func, callback=lambda out: arrived(lambda: retrieve(out)))

    def retrieve_result_callback(self, out: object) -> list[None]:  # noqa: ARG002
        """Give joblib no copy of the result: the call has it."""
        return [None]

    def kill(self) -> bool:
        """Return False: threads end when their chunk ends."""
        return False

    def check(self) -> None:
        """Find nothing: a thread cannot die by itself."""


def start_workers(n_jobs: int) -> None:
    """Start the worker processes that the next call with `n_jobs` will use; do not wait for them.

    Parameters
    ----------
    n_jobs
        Number of worker processes.
    """
    backend = ProcessBackend(n_jobs)
    backend.configure(parallel=SimpleNamespace(_id=uuid4().hex))
    backend.terminate()  # joblib's word for leaving the workers to the next call


@contextmanager
def interrupts_kept_from_workers() -> Iterator[None]:
    """Let what is started here ignore Ctrl-C from its first instruction on.

    Ctrl-C reaches every process of the terminal, and it is the parent's to answer. Processes and
    threads inherit the signal mask, so those that loky's threads start later have it, too.
    """
    resource_tracker.ensure_running()  # starting it would lift the mask
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _widen_pipes(executor: Any) -> None:  # noqa: ANN401 -- loky is untyped
    """Give the pool's pipes 1 MiB each: a third of the time for tables of 20 MB."""
    if sys.platform != "linux":
        return
    for queue in (executor._call_queue, executor._result_queue):  # noqa: SLF001 -- no public way
        with suppress(OSError):  # the user's quota of pipe memory is used up
            fcntl.fcntl(queue._writer.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)  # noqa: SLF001


def _kill_executor(executor: Any) -> None:  # noqa: ANN401 -- loky is untyped
    for process in list(executor._processes.values()):  # noqa: SLF001 -- no public way
        if process.exitcode is None:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
    # With no other end left open, loky's threads no longer wait for the rest of a result that a
    # killed worker had begun to send, or for room in the pipe to one.
    executor._result_queue._writer.close()  # noqa: SLF001 -- no public way
    executor._call_queue._reader.close()  # noqa: SLF001 -- no public way
    executor.shutdown(wait=True, kill_workers=True)
