"""Temporary folders that do not outlive their process for long, even a killed one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from python_workers.errors import BackcourtError, ExitCode

PREFIX = "backcourt-run-"
_swept: set[Path] = set()


@contextlib.contextmanager
def scratch_folder(beside: Path | None = None) -> Iterator[Path]:
    """Create a temporary folder for data that does not fit into memory; delete it at the end.

    Its process holds a lock on it, which the system releases when the process dies: the next
    command that makes one in the same place deletes a folder without a lock.

    Parameters
    ----------
    beside
        The folder to create it in; by default that of the system, or of TMPDIR.

    Raises
    ------
    BackcourtError
        With exit code 3, if there is no room for it.
    """
    place = beside or Path(tempfile.gettempdir())
    advice = "Free some space there" + (
        "." if beside else ", or name another folder with the variable TMPDIR."
    )
    if place not in _swept:
        _swept.add(place)
        _sweep(place)
    try:
        # A folder that is not locked yet has another name, so that nobody deletes it.
        made = Path(tempfile.mkdtemp(prefix=".backcourt-", dir=place))
        descriptor = os.open(made, os.O_RDONLY)
        _lock(descriptor)
        folder = made.rename(place / f"{PREFIX}{made.name.removeprefix('.backcourt-')}")
    except OSError as error:
        raise BackcourtError(
            f"cannot create a folder for temporary files: {error.strerror}",
            advice,
            ExitCode.ENVIRONMENT,
        ) from error
    try:
        yield folder
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise BackcourtError(f"no space left in {place}", advice, ExitCode.ENVIRONMENT) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock a folder; return False if another process holds the lock or the disk has none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sweep(place: Path) -> None:
    """Delete the folders of this user whose processes were killed."""
    for folder in place.glob(f"{PREFIX}*"):
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            if os.fstat(descriptor).st_uid == os.getuid() and _lock(descriptor):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)
