"""Opens the warehouse that the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from python_workers.errors import BackcourtError, ExitCode
from python_workers.runtime.without_pandas import pandas_kept_out
from python_workers.settings import Settings
from python_workers.warehouse.base import Warehouse


@contextmanager
def open_warehouse(
    settings: Settings, *, must_exist: bool = True, read_only: bool = False
) -> Iterator[Warehouse]:
    """Give the warehouse of a target; connections are made by its first statement.

    A DuckDB file is the command's own until it ends, also while dbt has it open; those that only
    read share it with each other.

    Parameters
    ----------
    settings
        Target and connection.
    must_exist
        Whether a DuckDB file that is not there is an error rather than created.
    read_only
        Never write (DuckDB).

    Raises
    ------
    BackcourtError
        With exit code 3, where the file is not there or another command is using it.
    """
    if settings.target == "duckdb":
        from python_workers.warehouse.duckdb.file import check_file  # noqa: PLC0415
        from python_workers.warehouse.duckdb.file_lock import file_lock  # noqa: PLC0415
        from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse  # noqa: PLC0415

        path = settings.warehouse_file
        check_file(path)
        if must_exist and not path.exists():
            raise BackcourtError(
                f"there is no warehouse at {path}",
                [
                    "Load raw data with: backcourt load DIR",
                    "Another file is named with BACKCOURT_DUCKDB_PATH.",
                ],
                ExitCode.ENVIRONMENT,
            )
        wait = settings.wait_seconds
        with (
            pandas_kept_out(),
            file_lock(path, shared=read_only, wait_seconds=wait),
            DuckDBWarehouse(
                path,
                memory_limit=settings.streaming_memory_limit,
                wait_seconds=wait,
                read_only=read_only,
            ) as warehouse,
        ):
            yield warehouse
        return
    from python_workers.warehouse.bigquery.warehouse import open_bigquery  # noqa: PLC0415 -- slow to import

    with open_bigquery(settings) as bigquery:
        yield bigquery
