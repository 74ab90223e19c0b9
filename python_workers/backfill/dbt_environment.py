"""The environment variables of one invocation of dbt."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator

from python_workers.settings import Settings
from python_workers.warehouse.job_labels import (
    LABELS_VARIABLE,
    RUN_VARIABLE,
    current_run,
    job_labels,
)

DBT_VARIABLES = ("DBT_", "DBT_ENGINE_")
# Keep the variables for dbt's folders: a clone on a read-only mount needs them.
DBT_PATHS = ("TARGET_PATH", "LOG_PATH")


# They differ from command to command, and no model's text may depend on them.
_PER_COMMAND = (
    "BACKCOURT_DUCKDB_PATH",
    "BACKCOURT_DUCKDB_MEMORY_LIMIT",
    LABELS_VARIABLE,
    RUN_VARIABLE,
)
_OPTIONAL = (
    "bq_project",
    "bq_endpoint",
    "bq_impersonate",
    "bq_execution_project",
    "bq_quota_project",
    "bq_reservation",
    "bq_kms_key",
)


def names_in_manifest(settings: Settings) -> list[tuple[str, str]]:
    """Return what dbt's parsed project takes from outside its files, by name.

    On DuckDB the catalog's name follows from the name of the file, not from its folder.
    """
    given = _variables(settings)
    kept = {name: value for name, value in given.items() if name not in _PER_COMMAND}
    catalog = settings.warehouse_file.stem if settings.target == "duckdb" else ""
    return sorted({**kept, "target": settings.target, "catalog": catalog}.items())


def _variables(settings: Settings) -> dict[str, str]:
    values = {name: getattr(settings, name) for name in _OPTIONAL}
    return {
        "BACKCOURT_DUCKDB_PATH": str(settings.warehouse_file),
        "BACKCOURT_DUCKDB_MEMORY_LIMIT": settings.duckdb_memory_limit,
        "BACKCOURT_BQ_DATASET_PREFIX": settings.bq_dataset_prefix,
        "BACKCOURT_BQ_LOCATION": settings.bq_location,
        "BACKCOURT_BQ_MAX_BYTES_BILLED": str(settings.bq_max_bytes_billed),
        "BACKCOURT_BQ_PRIORITY": settings.bq_priority,
        "BACKCOURT_BQ_JOB_SECONDS": str(settings.bq_job_seconds),
        LABELS_VARIABLE: json.dumps(job_labels()),
        RUN_VARIABLE: current_run(),
        **{f"BACKCOURT_{name.upper()}": text for name, text in values.items() if text},
    }


@contextlib.contextmanager
def dbt_environment(settings: Settings) -> Iterator[None]:
    """Set the environment variables that the profile reads, for one invocation.

    Hide switches such as ``DBT_EMPTY`` or ``DBT_FULL_REFRESH`` from dbt, which would read them
    from the environment and delete rows.

    Parameters
    ----------
    settings
        Target and connection.
    """
    given = _variables(settings)
    taken = [name for name in os.environ if _is_dbt_switch(name)]
    before = {name: os.environ.get(name) for name in [*given, *taken]}
    for name in taken:
        del os.environ[name]
    os.environ.update(given)
    if settings.target == "duckdb":
        settings.warehouse_file.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _is_dbt_switch(name: str) -> bool:
    paths = {prefix + path for prefix in DBT_VARIABLES for path in DBT_PATHS}
    return name.startswith(DBT_VARIABLES) and name not in paths
