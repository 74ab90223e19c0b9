"""Opens the warehouse that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext

from python_workers import table_names
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
    from python_workers.warehouse.bigquery.open import open_bigquery  # noqa: PLC0415 -- slow to import

    with (
        open_bigquery(settings) as bigquery,
        nullcontext() if read_only else bigquery.only_writer(),
    ):
        yield bigquery


@contextmanager
def open_beside_a_run(
    settings: Settings, on_copy: Callable[[], None] = lambda: None
) -> Iterator[Warehouse]:
    """Yield the warehouse for reading, also while a run holds a DuckDB file.

    Then it is a copy of the file with all commits so far, and `on_copy` is called. A process that
    holds the file itself gets an error instead.

    Raises
    ------
    BackcourtError
        As `open_warehouse`, and if the file cannot be copied.
    """
    with ExitStack() as opened:
        try:
            warehouse = opened.enter_context(open_warehouse(settings, read_only=True))
            # The first statement opens the file, which a program without our lock may hold.
            warehouse.has_table(table_names.GAMES)
        except BackcourtError as error:
            from python_workers.warehouse.duckdb.file import FileInUseError  # noqa: PLC0415 -- DuckDB

            if not isinstance(error, FileInUseError) or error.is_this_process:
                raise
            opened.close()
            warehouse = opened.enter_context(_copied(settings))
            on_copy()
        yield warehouse


@contextmanager
def _copied(settings: Settings) -> Iterator[Warehouse]:
    from python_workers.warehouse.duckdb.snapshot import snapshot  # noqa: PLC0415
    from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse  # noqa: PLC0415

    limit = settings.streaming_memory_limit
    with (
        snapshot(settings.warehouse_file) as copy,
        pandas_kept_out(),
        DuckDBWarehouse(copy, memory_limit=limit, read_only=True) as warehouse,
    ):
        yield warehouse
