"""Copies a warehouse, so that a run can be tried on the copy."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from python_workers.errors import BackcourtError, ExitCode
from python_workers.settings import Settings
from python_workers.warehouse.duckdb.file import check_file
from python_workers.warehouse.duckdb.file_lock import file_lock


@contextmanager
def copied(settings: Settings) -> Iterator[Settings]:
    """Copy the DuckDB file of some settings, and yield the settings of the copy.

    The copy stands in a folder beside the file, has the file's name, and is deleted at the end. A
    lock keeps other commands from writing while the file is copied.

    Raises
    ------
    BackcourtError
        With exit code 2 for another target than DuckDB, with 3 if the file is missing or the disk
        has no room for a copy that grows.
    """
    if settings.target != "duckdb":
        raise BackcourtError(
            f"--preview copies a DuckDB file, and the target is {settings.target}",
            [
                "Backfill into datasets with another prefix (BACKCOURT_BQ_DATASET_PREFIX) and run",
                "backcourt diff PREFIX; --dry-run shows the dates and the price.",
            ],
            ExitCode.USAGE,
        )
    path = settings.warehouse_file
    check_file(path)
    if not path.exists():
        raise BackcourtError(
            f"there is no warehouse at {path}",
            "Load raw data with: backcourt load DIR",
            ExitCode.ENVIRONMENT,
        )
    # A run may write every row again before DuckDB frees the old ones.
    needed, free = 2 * path.stat().st_size, shutil.disk_usage(path.parent).free
    if free < needed:
        raise BackcourtError(
            f"no room for a copy of {path}: it needs {needed / 1e6:,.0f} MB, "
            f"and {free / 1e6:,.0f} MB are free",
            "Free some space beside the file.",
            ExitCode.ENVIRONMENT,
        )
    with tempfile.TemporaryDirectory(prefix=".preview-", dir=path.parent) as folder:
        copy = Path(folder) / path.name
        with file_lock(path, shared=True, wait_seconds=settings.wait_seconds):
            for suffix in ("", ".wal"):
                source = path.with_name(path.name + suffix)
                if source.exists():
                    shutil.copyfile(source, copy.with_name(copy.name + suffix))
        yield settings.model_copy(update={"duckdb_path": copy})
