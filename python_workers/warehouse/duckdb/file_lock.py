"""A lock beside the DuckDB file, which a command holds as long as it runs.

DuckDB locks the file only while it is open. A command closes it each time before dbt opens it, and
without this lock another command could open it in between.
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

from python_workers.runtime.streams import shown
from python_workers.warehouse.duckdb.file import describe_process, in_use_error

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 0.2
_TEXT_BYTES = 4096


@contextlib.contextmanager
def file_lock(path: Path, *, shared: bool, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of a DuckDB file; the kernel releases it when the process ends in any way.

    Parameters
    ----------
    path
        The DuckDB file. The lock is on ``<path>.lock``, a file that stays; its existence means
        nothing.
    shared
        Whether other readers may hold the lock at the same time.
    wait_seconds
        How long to wait for another command to end.

    Raises
    ------
    BackcourtError
        With exit code 3; it names the command that holds the lock.
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
    """Return a descriptor, or None if the path is unusable, which opening the file will report."""
    if path.is_dir():
        return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Worker processes must not inherit it, so that the lock ends with this process.
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
                _LOG.warning("waiting for %s to release %s", _holder(descriptor), path)
                announced = True
            time.sleep(_POLL_SECONDS)
        except OSError:
            return  # the file system has no such locks: rely on DuckDB's own
        else:
            return


def _sign(descriptor: int) -> None:
    """Write the holder's name into the lock file; of several readers the last one."""
    # An argument may hold bytes that are no text.
    text = shown(f"{describe_process(os.getpid())}\n").encode()
    with contextlib.suppress(OSError):  # on a full disk, waiting commands see no name
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text[:_TEXT_BYTES], 0)


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, _TEXT_BYTES, 0).decode(errors="replace").strip()
    named = re.match(r"process (\d+)", text)
    return text if named and psutil.pid_exists(int(named[1])) else "another process"
