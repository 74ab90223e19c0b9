"""A lock beside the DuckDB file, held for as long as a command runs.

DuckDB locks the file while it is open. A command has it open nowhere for a moment whenever it and
dbt hand it over to each other; without this lock another command could slip in there.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from python_workers.warehouse.duckdb.file import describe_process, in_use_error

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 0.2
_TEXT_BYTES = 4096


@contextlib.contextmanager
def file_lock(path: Path, *, shared: bool, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of a DuckDB file; the kernel lifts it however the process ends.

    Parameters
    ----------
    path
        The DuckDB file. The lock is on ``<path>.lock``, which stays there and says nothing by
        being there.
    shared
        Whether others may hold it too: readers may, beside each other.
    wait_seconds
        How long to wait for another command to end.

    Raises
    ------
    BackcourtError
        With exit code 3, naming the command that holds it.
    """
    descriptor = _open(path)
    if descriptor is None:
        yield
        return
    try:
        _lock(path, descriptor, shared=shared, wait_seconds=wait_seconds)
        _sign(descriptor)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int | None:
    """Return a descriptor; None where there is no place for a file, which opening it will tell."""
    if path.is_dir():
        return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not inherited by worker processes, so that the lock goes when this process does.
        return os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        return None


def _lock(path: Path, descriptor: int, *, shared: bool, wait_seconds: float) -> None:
    operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    deadline = time.monotonic() + wait_seconds
    announced = False
    while True:
        try:
            fcntl.flock(descriptor, operation)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise in_use_error(path, _holder(descriptor)) from error
            if not announced:
                _LOG.warning("waiting for %s to let go of %s", _holder(descriptor), path)
                announced = True
            time.sleep(_POLL_SECONDS)
        except OSError:
            return  # a file system without such locks: DuckDB's own has to do
        else:
            return


def _sign(descriptor: int) -> None:
    """Write down who holds the lock; of several readers the last one."""
    with contextlib.suppress(OSError):  # a full disk: whoever waits gets no name
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{describe_process(os.getpid())}\n".encode()[:_TEXT_BYTES], 0)


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, _TEXT_BYTES, 0).decode(errors="replace").strip()
    named = re.match(r"process (\d+)", text)
    return text if named and psutil.pid_exists(int(named[1])) else "another process"
