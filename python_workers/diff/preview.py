"""Copies a warehouse, so that a run can be tried on the copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from python_workers.errors import BackcourtError, ExitCode
from python_workers.runtime.scratch import scratch_folder
from python_workers.settings import Settings
from python_workers.warehouse.open import open_warehouse


@contextmanager
def copied(settings: Settings) -> Iterator[Settings]:
    """Copy the DuckDB file of some settings, and yield the settings of the copy.

    The copy stands in a folder beside the file, has the file's name, and is deleted at the end.
    Nobody can write to the file while it is copied.

    Raises
    ------
    BackcourtError
        With exit code 2 for another target than DuckDB, with 3 if the file is missing or in use, or
        if the disk has no room for a copy that grows.
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
    with ExitStack() as stack:
        with open_warehouse(settings, read_only=True) as warehouse:
            # An open connection keeps other programs from writing, too, while the file is copied.
            warehouse.query("select 1 as one")
            _check_room(path)
            copy = stack.enter_context(scratch_folder(path.parent)) / path.name
            for suffix in ("", ".wal"):
                source = path.with_name(path.name + suffix)
                if source.exists():
                    shutil.copyfile(source, copy.with_name(copy.name + suffix))
        yield settings.model_copy(update={"duckdb_path": copy})


def _check_room(path: Path) -> None:
    # A run may write every row again before DuckDB frees the old ones.
    needed, free = 2 * path.stat().st_size, shutil.disk_usage(path.parent).free
    if free < needed:
        raise BackcourtError(
            f"no room for a copy of {path}: it needs {needed / 1e6:,.0f} MB, "
            f"and {free / 1e6:,.0f} MB are free",
            "Free some space beside the file.",
            ExitCode.ENVIRONMENT,
        )
