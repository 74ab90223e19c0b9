"""Opens the warehouse that the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from python_workers.errors import BackcourtError, ExitCode
from python_workers.runtime.without_pandas import pandas_kept_out
from python_workers.settings import Settings
from python_workers.warehouse.base import Warehouse


@contextmanager
def open_warehouse(
    settings: Settings, *, must_exist: bool = True, read_only: bool = False
) -> Iterator[Warehouse]:
    """Yield the warehouse of a target; its first statement opens the connection.

    The command locks a DuckDB file until it ends, also while dbt has the file open; commands that
    only read share it. On BigQuery a command that writes holds the lease of the datasets.

    Parameters
    ----------
    settings
        Target and connection.
    must_exist
        Whether a missing DuckDB file is an error; otherwise it is created.
    read_only
        Whether to only read.

    Raises
    ------
    BackcourtError
        With exit code 3 if the file is missing, or another command is using the warehouse.
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
                    "To use another file, set BACKCOURT_DUCKDB_PATH.",
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

    with (
        open_bigquery(settings) as bigquery,
        nullcontext() if read_only else bigquery.only_writer(),
    ):
        yield bigquery
