"""Opening a DuckDB file, and saying plainly what went wrong with it."""

from __future__ import annotations

import contextlib
import logging
import re
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psutil

from python_workers.errors import BackcourtError, ExitCode
from python_workers.runtime.redaction import plain_process
from python_workers.table_names import DATASETS

_LOG = logging.getLogger(__name__)
_OTHER_CATALOG = re.compile(r'Catalog "[^"]*" does not exist')
_POLL_SECONDS = 0.2
# Files of this version compress text faster and smaller than DuckDB's default of old does; a file
# keeps the version that it was created with.
STORAGE_VERSION = "v1.5.0"
_HOLDER = re.compile(r"\(PID (\d+)\)")
_PATH_HINT = "Name another file with BACKCOURT_DUCKDB_PATH."
DEFAULT_NAME = "backcourt.duckdb"
# DuckDB's catalog is named after the file, whatever the case of its letters. The name of a schema
# would make every `schema.table` ambiguous; DuckDB renames the others, and dbt does not.
_TAKEN_NAMES = {*DATASETS, "main", "system", "temp"}
# dbt takes the path for an address and puts the catalog's name between quotes as it is.
_CUT_BY_DBT = "?#;"
_QUOTES = "'\"`"
# Nothing is ever downloaded: what the wheel of DuckDB contains is all that is needed.
NO_DOWNLOADS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false"
}


def open_file(
    path: Path, *, memory_limit: str, wait_seconds: float, read_only: bool
) -> duckdb.DuckDBPyConnection:
    """Open (or create) the file, waiting for another process to let go of it if asked to.

    Parameters
    ----------
    path
        The DuckDB file; its folder is created.
    memory_limit
        DuckDB's own bound, for example ``700MB``; beyond it DuckDB spills beside the file.
    wait_seconds
        How long to retry while another process holds the file.
    read_only
        Open an existing file without writing.

    Raises
    ------
    BackcourtError
        With exit code 3, for each way in which it can fail.
    """
    check_file(path)
    _check_folder(path, read_only=read_only)
    deadline = time.monotonic() + wait_seconds
    announced = False
    while True:
        try:
            return _connect(path, memory_limit=memory_limit, read_only=read_only)
        except duckdb.Error as error:
            if not is_lock_conflict(str(error)):
                raise _opening_error(path, error) from error
            if time.monotonic() >= deadline:
                raise in_use_error(path, lock_holder(str(error))) from error
            if not announced:
                _LOG.warning("waiting for %s to let go of %s", lock_holder(str(error)), path)
                announced = True
            time.sleep(_POLL_SECONDS)


@contextlib.contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn failures of the file, the disk and the memory during a statement into plain messages.

    A wrong statement stays DuckDB's own exception: it is a defect of the program.
    """
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise BackcourtError(
            f"DuckDB ran out of memory on {path}",
            [
                _first_line(error),
                "Give it more with BACKCOURT_DUCKDB_MEMORY_LIMIT (for example 1500MB),",
                "or free disk space beside the file, where it spills.",
            ],
            ExitCode.ENVIRONMENT,
        ) from error
    except (duckdb.IOException, duckdb.FatalException, duckdb.InternalException) as error:
        raise _running_error(path, error) from error
    except duckdb.BinderException as error:
        # Views that an earlier version made carry the name of the file that they were made in.
        if not _OTHER_CATALOG.search(str(error)):
            raise
        raise BackcourtError(
            f"the views of {path} name another file: {_first_line(error)}",
            "Make them anew with: backcourt backfill --all",
            ExitCode.ENVIRONMENT,
        ) from error
    except duckdb.TransactionException as error:
        # A commit that finds no room is one of these.
        if is_disk_full(str(error)):
            raise disk_full(path, _first_line(error)) from error
        raise
    except OSError as error:
        raise _running_error(path, error) from error
    except RuntimeError as error:
        # What DuckDB makes of a Ctrl-C that comes during a statement.
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise


def _connect(path: Path, *, memory_limit: str, read_only: bool) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory_limit,
        "preserve_insertion_order": "false",
        "temp_directory": f"{path}.tmp",
        # Many commits of a chunk each: compressing them together costs half of one by one.
        "checkpoint_threshold": "256MB",
        "storage_compatibility_version": STORAGE_VERSION,
        **NO_DOWNLOADS,
    }
    connection = duckdb.connect(str(path), read_only=read_only, config=config)
    # Only now: at connect the extension that knows time zones is not loaded yet. Global, so that
    # every cursor has it.
    connection.execute("set global TimeZone = 'UTC'")
    return connection


def check_file(path: Path) -> None:
    """Refuse what cannot be the DuckDB file, before anything is written.

    Raises
    ------
    BackcourtError
        With exit code 3: a name that DuckDB or dbt cannot work with, or not a regular file.
    """
    if path.is_dir():
        raise BackcourtError(
            f"{path} is a folder, not a DuckDB file",
            f"{_PATH_HINT} For example: {path / 'backcourt.duckdb'}",
            ExitCode.ENVIRONMENT,
        )
    reason = _unusable_name(path)
    if reason is None and path.exists() and not path.is_file():
        reason = "it is a device, a pipe or a socket, not a file"
    if reason is not None:
        raise BackcourtError(
            f"{str(path)!r} cannot be the DuckDB file: {reason}",
            f"{_PATH_HINT} For example: {DEFAULT_NAME}",
            ExitCode.ENVIRONMENT,
        )


def _unusable_name(path: Path) -> str | None:
    catalog, text = path.name.lstrip(".").split(".")[0], str(path)
    reasons = {
        "the stages of a backfill hand over a file": path.name == ":memory:",
        "it has no name before the dot": not catalog,
        f"DuckDB could not tell it from its schema or catalog {catalog.lower()}": (
            catalog.lower() in _TAKEN_NAMES
        ),
        f"dbt cuts the path at each of {' '.join(_CUT_BY_DBT)}": bool(set(text) & set(_CUT_BY_DBT)),
        f"dbt cannot quote the marks {' '.join(_QUOTES)} in a name": bool(
            set(catalog) & set(_QUOTES)
        ),
        "there are control characters, or bytes that are not UTF-8, in its path": any(
            unicodedata.category(character) in ("Cc", "Cs") for character in text
        ),
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


def _check_folder(path: Path, *, read_only: bool) -> None:
    if read_only and not path.exists():
        raise BackcourtError(
            f"there is no DuckDB file {path}",
            f"Load raw data first with: backcourt load DIR. {_PATH_HINT}",
            ExitCode.ENVIRONMENT,
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BackcourtError(
            f"cannot create the folder of the DuckDB file {path}: {error.strerror}",
            f"Make {path.parent} a folder that you may write to. {_PATH_HINT}",
            ExitCode.ENVIRONMENT,
        ) from error


def is_lock_conflict(text: str) -> bool:
    """Tell whether DuckDB says in `text` that another process has the file open."""
    return "Could not set lock" in text


def lock_holder(text: str) -> str:
    """Name the process that DuckDB's message says holds the lock."""
    found = _HOLDER.search(text)
    return describe_process(int(found.group(1))) if found else "another process"


def describe_process(pid: int) -> str:
    """Name a process as `plain_process` does."""
    try:
        command = plain_process(psutil.Process(pid).cmdline())
    except psutil.Error:
        command = ""
    return f"process {pid} ({command})" if command else f"process {pid}"


def in_use_error(path: Path, holder: str) -> BackcourtError:
    """Return the error of a file that somebody else is using."""
    return BackcourtError(
        f"{path} is in use by {holder}",
        [
            "One process at a time writes to a DuckDB file; nothing is lost.",
            "Let it finish or stop it, then run the same command again,",
            "or wait for it with: --wait SECONDS (or BACKCOURT_WAIT_SECONDS).",
        ],
        ExitCode.ENVIRONMENT,
    )


def is_disk_full(text: str) -> bool:
    """Tell whether an error says that there is no room for what is to be written."""
    return any(words in text for words in ("No space left", "File too large", "Disk quota"))


def disk_full(path: Path, cause: str) -> BackcourtError:
    """Return the error of a file that cannot grow."""
    return BackcourtError(
        f"no space left for {path}",
        [
            cause,
            "What was committed before is intact.",
            "Free some space and run the same command again; it goes on from there.",
        ],
        ExitCode.ENVIRONMENT,
    )


def _opening_error(path: Path, error: duckdb.Error) -> BackcourtError:
    text = str(error)
    if "different configuration" in text:
        return BackcourtError(
            f"{path} is still open elsewhere in this process",
            "Close that connection first; the warehouse and dbt take turns on the file.",
            ExitCode.ENVIRONMENT,
        )
    if "not a valid DuckDB database" in text or "Corrupt" in text or "checksum" in text:
        return BackcourtError(
            f"{path} is not a DuckDB file, or is damaged",
            [_first_line(error), f"Move it away and load the raw data again. {_PATH_HINT}"],
            ExitCode.ENVIRONMENT,
        )
    if "version number" in text or "newer version" in text:
        return BackcourtError(
            f"{path} was written by another version of DuckDB than {duckdb.__version__}",
            [_first_line(error), f"Use that version, or load the raw data again. {_PATH_HINT}"],
            ExitCode.ENVIRONMENT,
        )
    return _running_error(path, error)


def _running_error(path: Path, error: Exception) -> BackcourtError:
    text = str(error)
    if is_disk_full(text):
        return disk_full(path, _first_line(error))
    if "Corrupt" in text or "checksum" in text:
        advice = f"The file is damaged: move it away and load the raw data again. {_PATH_HINT}"
    elif "Permission denied" in text or "Read-only" in text or "read-only" in text:
        advice = f"Make the file and its folder writable. {_PATH_HINT}"
    else:
        advice = f"Check the file, its folder and the disk. {_PATH_HINT}"
    return BackcourtError(
        f"cannot use the DuckDB file {path}", [_first_line(error), advice], ExitCode.ENVIRONMENT
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
