"""Opens a DuckDB file, and reports its failures in plain messages."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
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
from python_workers.warehouse.missing_tables import missing_table, missing_table_error

_LOG = logging.getLogger(__name__)
_OTHER_FILE = re.compile(r'(?:No files found that match the pattern|Cannot open file) "([^"]+)"')
_OTHER_CATALOG = re.compile(r'Catalog "[^"]*" does not exist')
_POLL_SECONDS = 0.2
# Files of this version compress text faster and better than DuckDB's older default. A file keeps
# its version from its creation on.
STORAGE_VERSION = "v1.5.0"
_HOLDER = re.compile(r"\(PID (\d+)\)")
_PATH_HINT = "Name another file with BACKCOURT_DUCKDB_PATH."
DEFAULT_NAME = "backcourt.duckdb"
# DuckDB names the catalog after the file and ignores the case of letters. A file named like a
# schema makes every `schema.table` ambiguous; DuckDB renames the other catalogs, but dbt does not.
_TAKEN_NAMES = {*DATASETS, "main", "system", "temp"}
# dbt parses the path as an address, and quotes the catalog's name without escaping it.
_CUT_BY_DBT = "?#;"
_QUOTES = "'\"`"
# The file's header and the two headers that DuckDB writes in turn, of 4 KiB each.
_HEADERS = 3 * 4096
# Never download: DuckDB's wheel contains all needed extensions.
NO_DOWNLOADS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false"
}


def open_file(
    path: Path, *, memory_limit: str, wait_seconds: float, read_only: bool
) -> duckdb.DuckDBPyConnection:
    """Open or create the file; if it is locked, wait for up to `wait_seconds`.

    Parameters
    ----------
    path
        The DuckDB file; its folder is created if missing.
    memory_limit
        DuckDB's own bound, for example ``700MB``; beyond it DuckDB spills to disk beside the file.
    wait_seconds
        How long to retry while another process holds the file.
    read_only
        Open an existing file only for reading.

    Raises
    ------
    BackcourtError
        With exit code 3, for every kind of failure.
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
                _LOG.warning("waiting for %s to release %s", lock_holder(str(error)), path)
                announced = True
            time.sleep(_POLL_SECONDS)


def is_duckdb_file(path: Path) -> bool:
    """Tell whether a file begins as DuckDB's files do; one that cannot be read may be one."""
    try:
        with path.open("rb") as file:
            return file.read(12)[8:] == b"DUCK"
    except OSError:
        return True


def file_version(path: Path) -> str | None:
    """Return a text that every write to a closed file changes; None if its log is not empty.

    Each checkpoint of DuckDB writes a header with the next number. A copy of the file counts as
    another version, since its headers could continue in the same way with other rows.
    """
    log = path.with_name(f"{path.name}.wal")
    try:
        if log.exists():
            return None
        with path.open("rb") as file:
            headers = file.read(_HEADERS)
            about = os.fstat(file.fileno())
    except OSError:
        return None
    facts = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns)
    return hashlib.sha256(f"{facts}".encode() + headers).hexdigest()[:32]


@contextlib.contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn failures of the file, the disk and the memory during a statement into plain messages.

    A missing table is not made yet or dropped. Any other wrong statement keeps DuckDB's own
    exception: it is a bug in the program.
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
    except duckdb.CatalogException as error:
        table = missing_table(str(error))
        if table is None:
            raise
        raise missing_table_error(table, path) from error
    except duckdb.BinderException as error:
        # Views created by an earlier version contain the name of their file.
        if not _OTHER_CATALOG.search(str(error)):
            raise
        raise BackcourtError(
            f"the views of {path} name another file: {_first_line(error)}",
            "Create them again with: backcourt backfill --all",
            ExitCode.ENVIRONMENT,
        ) from error
    except duckdb.TransactionException as error:
        # A commit on a full disk raises this exception.
        if is_disk_full(str(error)):
            raise disk_full(path, _first_line(error)) from error
        raise
    except OSError as error:
        raise _running_error(path, error) from error
    except RuntimeError as error:
        # DuckDB turns a Ctrl-C during a statement into this exception.
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise


def _connect(path: Path, *, memory_limit: str, read_only: bool) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory_limit,
        "preserve_insertion_order": "false",
        "temp_directory": f"{path}.tmp",
        # Compressing many chunk commits together costs half as much as one by one.
        "checkpoint_threshold": "256MB",
        "storage_compatibility_version": STORAGE_VERSION,
        **NO_DOWNLOADS,
    }
    connection = duckdb.connect(str(path), read_only=read_only, config=config)
    # Set it here: on connecting, DuckDB has not loaded its time zone extension yet. Set it
    # globally, so that every cursor has it.
    connection.execute("set global TimeZone = 'UTC'")
    return connection


def check_file(path: Path) -> None:
    """Refuse a path that cannot be the DuckDB file, before the command writes.

    Raises
    ------
    BackcourtError
        With exit code 3, for a name that DuckDB or dbt cannot use, or if it is no regular file.
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
        "the stages of a backfill share a file": path.name == ":memory:",
        "it has no name before the dot": not catalog,
        f"DuckDB could not distinguish it from its schema or catalog {catalog.lower()}": (
            catalog.lower() in _TAKEN_NAMES
        ),
        f"dbt cuts the path at each of {' '.join(_CUT_BY_DBT)}": bool(set(text) & set(_CUT_BY_DBT)),
        f"dbt cannot quote the marks {' '.join(_QUOTES)} in a name": bool(
            set(catalog) & set(_QUOTES)
        ),
        "its path contains control characters, or bytes that are not UTF-8": any(
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
    """Describe the process that holds the lock according to DuckDB's message."""
    found = _HOLDER.search(text)
    return describe_process(int(found.group(1))) if found else "another process"


def describe_process(pid: int) -> str:
    """Describe a process as `plain_process` does."""
    try:
        command = plain_process(psutil.Process(pid).cmdline())
    except psutil.Error:
        command = ""
    return f"process {pid} ({command})" if command else f"process {pid}"


class FileInUseError(BackcourtError):
    """Another process is using the file."""

    @property
    def is_this_process(self) -> bool:
        """Whether the message names this process itself."""
        return f"process {os.getpid()} " in f"{self.message} "


def in_use_error(path: Path, holder: str) -> FileInUseError:
    """Return the error for a file that another process is using."""
    return FileInUseError(
        f"{path} is in use by {holder}",
        [
            "Only one process at a time can write to a DuckDB file; nothing is lost.",
            "Let it finish or stop it, then run the same command again,",
            "or wait for it with: --wait SECONDS (or BACKCOURT_WAIT_SECONDS).",
        ],
        ExitCode.ENVIRONMENT,
    )


def is_disk_full(text: str) -> bool:
    """Tell whether an error says that the disk is full."""
    return any(words in text for words in ("No space left", "File too large", "Disk quota"))


def disk_full(path: Path, cause: str) -> BackcourtError:
    """Return the error for a file that cannot grow."""
    return BackcourtError(
        f"no space left for {path}",
        [
            cause,
            "All earlier commits are intact.",
            "Free some space and run the same command again; it continues from there.",
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
    other = _OTHER_FILE.search(text)
    if other and not other[1].startswith(str(path)):
        return BackcourtError(
            f"a statement or a view reads {other[1]}, and the file cannot be read",
            [
                _first_line(error),
                "Put it back, or correct the SELECT of an adopted table.",
                "Write its path from the root: commands run in any folder.",
            ],
            ExitCode.ENVIRONMENT,
        )
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
