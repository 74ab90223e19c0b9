"""Copies a DuckDB file while another process writes it.

DuckDB never overwrites a block that the file's header can reach: a checkpoint writes new blocks and
then the header, and commits between two checkpoints only append to the log. So a copy is one state
of the file if the log is copied first and the header is the same before and after the copy. DuckDB
verifies the checksum of each block that it reads.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from python_workers.errors import BackcourtError, ExitCode
from python_workers.runtime.scratch import scratch_folder

# The main header and the two that checkpoints write in turn, 4 KiB each.
_HEADER_BYTES = 3 * 4096
_ATTEMPTS = 10
_PAUSE_SECONDS = 0.3


@contextmanager
def snapshot(path: Path) -> Iterator[Path]:
    """Yield a copy of the last committed state of a DuckDB file, for reading; then delete it.

    Call this only in a process that has not opened the file: closing any descriptor of it would
    release the locks that DuckDB holds for this process.

    Raises
    ------
    BackcourtError
        With exit code 3 if checkpoints follow one another faster than the file can be copied, or
        if the temporary folder has no room for the copy.
    """
    with scratch_folder() as folder:
        copy = folder / path.name
        try:
            is_whole = _copy(path, copy)
        except OSError as error:
            raise BackcourtError(
                f"cannot copy {path} to {folder}: {error.strerror or error}",
                "Free some space there, or name another folder with TMPDIR.",
                ExitCode.ENVIRONMENT,
            ) from error
        if not is_whole:
            raise BackcourtError(
                f"{path} changes faster than it can be copied",
                "Wait for the command that writes it to end, and read it again.",
                ExitCode.ENVIRONMENT,
            )
        yield copy


def _copy(path: Path, copy: Path) -> bool:
    """Copy the file and its log; return whether the copy is one state of them."""
    log, copied_log = (each.with_name(f"{each.name}.wal") for each in (path, copy))
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        header = _header(path)
        copied_log.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(log, copied_log)
        shutil.copyfile(path, copy)
        # While a checkpoint runs, DuckDB keeps a second log beside the first one.
        is_checkpointing = any(path.parent.glob(f"{path.name}.wal.*"))
        if header == _header(path) and not is_checkpointing:
            return True
    return False


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEADER_BYTES)
