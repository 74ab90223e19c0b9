"""Opens the warehouse of the project that the settings name."""

from __future__ import annotations

from python_workers.errors import BackcourtError, ExitCode
from python_workers.settings import Settings
from python_workers.warehouse.bigquery.client import BigQueryOptions
from python_workers.warehouse.bigquery.warehouse import BigQueryWarehouse

# As in the target `emulator` of profiles.yml.
EMULATOR_PROJECT = "backcourt-emulator"
EMULATOR_ENDPOINT = "http://127.0.0.1:9050"


def open_bigquery(settings: Settings) -> BigQueryWarehouse:
    """Return the warehouse of the configured project; its first request opens the connection."""
    return BigQueryWarehouse(bigquery_options(settings))


def bigquery_options(settings: Settings) -> BigQueryOptions:
    """Return the address and limits that the settings name.

    Raises
    ------
    BackcourtError
        With exit code 3 if no project is configured.
    """
    is_emulator = settings.target == "emulator"
    project = settings.bq_project or (EMULATOR_PROJECT if is_emulator else None)
    if project is None:
        raise BackcourtError(
            "no BigQuery project is named",
            "Set BACKCOURT_BQ_PROJECT; docs/bigquery says what else BigQuery needs.",
            ExitCode.ENVIRONMENT,
        )
    return BigQueryOptions(
        project=project,
        location=settings.bq_location,
        dataset_prefix=settings.bq_dataset_prefix,
        endpoint=settings.bq_endpoint or (EMULATOR_ENDPOINT if is_emulator else None),
        storage_endpoint=settings.bq_storage_endpoint,
        maximum_bytes_billed=settings.bq_max_bytes_billed,
        impersonate=settings.bq_impersonate,
        execution_project=settings.bq_execution_project,
        quota_project=settings.bq_quota_project,
        reservation=settings.bq_reservation,
        priority=settings.bq_priority,
        kms_key=settings.bq_kms_key,
        retry_seconds=settings.bq_retry_seconds,
        connect_seconds=settings.bq_connect_seconds,
        job_seconds=settings.bq_job_seconds,
        lease_seconds=settings.bq_lease_seconds,
        wait_seconds=settings.wait_seconds,
    )
