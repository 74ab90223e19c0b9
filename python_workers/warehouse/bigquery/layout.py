"""Layout of the tables that Python creates, and checks of the rows that it writes to them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from google.cloud import bigquery
from google.cloud.bigquery.table import PrimaryKey, TableConstraints

from python_workers.errors import BackcourtError
from python_workers.warehouse.base import TableChange, TableSpec
from python_workers.warehouse.bigquery.sql import SQL_TYPES
from python_workers.warehouse.job_labels import EVERY_JOB


def new_table(
    spec: TableSpec, name: str, encryption: bigquery.EncryptionConfiguration | None
) -> bigquery.Table:
    """Return a table with the layout of its declaration, a label and its primary key.

    BigQuery does not enforce a primary key, but its optimiser relies on it.

    Parameters
    ----------
    spec
        The declaration.
    name
        ``project.dataset.table``.
    encryption
        The key that encrypts the table; None for Google's own.
    """
    schema = [
        bigquery.SchemaField(
            column.name,
            SQL_TYPES[column.type],
            mode="REQUIRED" if column.name in spec.key else "NULLABLE",
            description=column.description,
        )
        for column in spec.columns
    ]
    table = bigquery.Table(name, schema=schema)
    table.description = spec.description or None
    table.labels = dict(EVERY_JOB)
    table.encryption_configuration = encryption
    if spec.partition_by is not None:
        table.time_partitioning = bigquery.TimePartitioning(field=spec.partition_by)
    if spec.cluster_by:
        table.clustering_fields = list(spec.cluster_by)
    if spec.is_key_unique:
        table.table_constraints = TableConstraints(PrimaryKey(list(spec.key)), None)
    return table


def staged_rows(change: TableChange) -> int:
    """Return the number of rows and keys in a change."""
    parts = (change.rows, change.delete_keys)
    return sum(part.num_rows for part in parts if part is not None)


def require_unique_keys(spec: TableSpec, rows: pa.Table) -> None:
    """Refuse rows with duplicate keys: the warehouse cannot decide which row is right."""
    counted = rows.group_by(list(spec.key)).aggregate([([], "count_all")])
    double = counted.filter(pc.greater(counted["count_all"], 1))
    if double.num_rows:
        first = {name: double[name][0].as_py() for name in spec.key}
        raise BackcourtError(
            f"{double.num_rows} keys are duplicated in the new rows of {spec.name}",
            f"The first is {first}; keep one row of each.",
        )
