"""The datasets: created with a description and a label, and refused if they let rows expire."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from google.api_core import exceptions as google_exceptions
from google.cloud import bigquery
from google.cloud.bigquery.table import TableListItem

from python_workers import table_names
from python_workers.errors import BackcourtError, ExitCode
from python_workers.runtime.streams import say
from python_workers.warehouse.bigquery.client import ONCE, BigQueryConnection
from python_workers.warehouse.bigquery.errors import elsewhere_error
from python_workers.warehouse.job_labels import EVERY_JOB

DESCRIPTIONS = {
    table_names.RAW: "Raw facts, as backcourt load has read them.",
    table_names.STAGING: "Views that clean the raw facts, and the seasons.",
    table_names.ANALYTICS: "Facts of games, teams and players that the inputs are made of.",
    table_names.PRECOMPUTE: "Inputs and features by date and player or team.",
    table_names.PREDICTIONS: "The feature store: one row for each player and game.",
    table_names.PROCESSING: "Failures, coverage, run records and the lease of the run that writes.",
}
WITH_VIEWS = (table_names.STAGING, table_names.PREDICTIONS, table_names.PROCESSING)
"""Datasets whose views others read: the datasets below authorise them."""
STAGED = "staged_"
# Tables that are to expire: ours, and those that dbt needs for one statement.
_SHORT_LIVED = (STAGED, "__dbt_tmp")
_MS_PER_DAY = 86_400_000


def ensure_dataset(connection: BigQueryConnection, name: str) -> bigquery.Dataset:
    """Return a dataset, and create it if it is missing.

    Parameters
    ----------
    connection
        The project, the location, and the key that encrypts new tables.
    name
        ``project.dataset``, with the prefix.

    Raises
    ------
    BackcourtError
        If the dataset exists in another location.
    """
    client, options = connection.client, connection.options
    seconds = options.request_seconds
    try:
        dataset = connection.request(lambda: client.get_dataset(name, retry=ONCE, timeout=seconds))
    except google_exceptions.NotFound:
        wanted = bigquery.Dataset(name)
        wanted.location = options.location
        known = name.rpartition(".")[2].removeprefix(options.dataset_prefix)
        wanted.description = DESCRIPTIONS.get(known)
        wanted.labels = dict(EVERY_JOB)
        if options.encryption is not None:
            wanted.default_encryption_configuration = options.encryption
        return connection.require(
            lambda: client.create_dataset(wanted, exists_ok=True, retry=ONCE, timeout=seconds)
        )
    if dataset.location and dataset.location.upper() != options.location.upper():
        raise elsewhere_error(dataset.dataset_id, dataset.location, options.location)
    return dataset


def prepare_datasets(connection: BigQueryConnection) -> None:
    """Create missing datasets; refuse datasets and tables whose rows would expire.

    Raises
    ------
    BackcourtError
        With exit code 3; it names what expires and the command that ends that.
    """
    options = connection.options
    datasets = [
        ensure_dataset(connection, f"{options.project}.{options.dataset_prefix}{schema}")
        for schema in table_names.DATASETS
    ]
    for dataset in datasets:
        _refuse_expiring_dataset(dataset)
        for table in _tables(connection, f"{dataset.project}.{dataset.dataset_id}"):
            _refuse_expiring_table(table)
    for dataset in datasets:
        _authorise_views(connection, dataset)


def _authorise_views(connection: BigQueryConnection, dataset: bigquery.Dataset) -> None:
    """Let the views of our datasets read a dataset on behalf of those who may read the views.

    Without that, a reader of ``backfill_coverage`` would also need all tables below it.
    """
    entries = list(dataset.access_entries)
    authorised = [entry.entity_id for entry in entries if entry.entity_type == "dataset"]
    prefix = connection.options.dataset_prefix
    wanted = [
        {
            "dataset": {"projectId": dataset.project, "datasetId": f"{prefix}{schema}"},
            "targetTypes": ["VIEWS"],
        }
        for schema in WITH_VIEWS
        if dataset.dataset_id != f"{prefix}{schema}"
    ]
    missing = [entity for entity in wanted if entity not in authorised]
    if not missing:
        return
    dataset.access_entries = [
        *entries,
        *(bigquery.AccessEntry(None, "dataset", entity) for entity in missing),
    ]
    client, seconds = connection.client, connection.options.request_seconds
    try:
        connection.request(
            lambda: client.update_dataset(dataset, ["access_entries"], retry=ONCE, timeout=seconds)
        )
    except BackcourtError as error:
        # Only an owner of a dataset may do this; nothing but the readers of views depends on it.
        if not isinstance(error.__cause__, google_exceptions.Forbidden):
            raise
        say(
            f"note: {dataset.dataset_id} does not authorise the views of "
            f"{' and '.join(WITH_VIEWS)}: let an owner of the datasets run one command"
        )


def existing_tables(connection: BigQueryConnection) -> frozenset[str]:
    """Return ``schema.table`` of every table and view in the datasets of Backcourt."""
    client, options = connection.client, connection.options
    found: set[str] = set()
    for schema in table_names.DATASETS:
        dataset = f"{options.project}.{options.dataset_prefix}{schema}"

        def listed(dataset: str = dataset) -> list[TableListItem]:
            return list(client.list_tables(dataset, retry=ONCE, timeout=options.request_seconds))

        with suppress(google_exceptions.NotFound):
            found |= {f"{schema}.{table.table_id}" for table in connection.request(listed)}
    return frozenset(found)


def _tables(connection: BigQueryConnection, dataset: str) -> Iterator[TableListItem]:
    client, seconds = connection.client, connection.options.request_seconds
    listed = connection.require(
        lambda: list(client.list_tables(dataset, retry=ONCE, timeout=seconds))
    )
    for table in listed:
        if not any(part in table.table_id for part in _SHORT_LIVED):
            yield table


def _refuse_expiring_dataset(dataset: bigquery.Dataset) -> None:
    of_tables = dataset.default_table_expiration_ms
    of_partitions = dataset.default_partition_expiration_ms
    if of_tables is None and of_partitions is None:
        return
    days = min(ms for ms in (of_tables, of_partitions) if ms is not None) / _MS_PER_DAY
    raise BackcourtError(
        f"dataset {dataset.dataset_id} deletes new tables or partitions after {days:g} days",
        [
            "Partitions count by their date: rows of past seasons would be gone at once.",
            (
                "End that with: bq update --default_table_expiration 0 "
                f"--default_partition_expiration 0 {dataset.project}:{dataset.dataset_id}"
            ),
            "A project in the BigQuery sandbox needs billing first; see docs/bigquery.",
        ],
        ExitCode.ENVIRONMENT,
    )


def _refuse_expiring_table(table: TableListItem) -> None:
    partitioning = table.time_partitioning
    partitions_expire = partitioning is not None and partitioning.expiration_ms is not None
    if table.expires is None and not partitions_expire:
        return
    name = f"{table.project}.{table.dataset_id}.{table.table_id}"
    options = ["expiration_timestamp = null"] if table.expires is not None else []
    options += ["partition_expiration_days = null"] if partitions_expire else []
    raise BackcourtError(
        f"table {table.dataset_id}.{table.table_id} or its partitions expire",
        [
            "BigQuery would delete rows that Backcourt counts on.",
            (
                "End that with: bq query --use_legacy_sql=false "
                f"'alter table `{name}` set options ({', '.join(options)})'"
            ),
        ],
        ExitCode.ENVIRONMENT,
    )
