"""Opens the warehouse that the settings name."""

from __future__ import annotations

from python_workers.errors import BackcourtError, ExitCode
from python_workers.settings import Settings
from python_workers.warehouse.base import Warehouse


def open_warehouse(
    settings: Settings, *, must_exist: bool = True, read_only: bool = False
) -> Warehouse:
    """Return the warehouse of a target; connections are made by its first statement.

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
        With exit code 3, where the file is not there.
    """
    if settings.target == "duckdb":
        from python_workers.warehouse.duckdb import DuckDBWarehouse  # noqa: PLC0415

        path = settings.warehouse_file
        if must_exist and not path.exists():
            raise BackcourtError(
                f"there is no warehouse at {path}",
                [
                    "Load raw data with: backcourt load DIR",
                    "Another file is named with BACKCOURT_DUCKDB_PATH.",
                ],
                ExitCode.ENVIRONMENT,
            )
        return DuckDBWarehouse(
            path,
            memory_limit=settings.duckdb_memory_limit,
            wait_seconds=settings.wait_seconds,
            read_only=read_only,
        )
    from python_workers.warehouse.bigquery import open_bigquery  # noqa: PLC0415 -- slow to import

    return open_bigquery(settings)
