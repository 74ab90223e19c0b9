"""Staging tables: short-lived, named after their process, dropped after the process is gone."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import socket
import uuid
from collections.abc import Sequence

import psutil
from google.api_core import exceptions as google_exceptions
from google.cloud import bigquery
from google.cloud.bigquery.table import TableListItem

from python_workers import table_names
from python_workers.warehouse.bigquery.client import ONCE, BigQueryConnection
from python_workers.warehouse.bigquery.errors import elsewhere_error

STAGING_DATASET = table_names.PROCESSING
DROP_SECONDS = 5.0
LIFETIME = dt.timedelta(days=1)
# A staging table lives for one commit; within all time limits no commit takes this long.
ABANDONED_AFTER = dt.timedelta(hours=3)

_NAME = re.compile(r"^staged_(?P<host>[0-9a-f]{8})_(?P<pid>\d+)_[0-9a-f]+$")


class Staging:
    """The staging tables of this process in `nba_processing`."""

    def __init__(self, connection: BigQueryConnection) -> None:
        self._connection = connection
        self._is_open = False

    @property
    def dataset(self) -> str:
        """Full name of the dataset that holds the staging tables."""
        options = self._connection.options
        return f"{options.project}.{options.dataset_prefix}{STAGING_DATASET}"

    def create(self, schema: Sequence[bigquery.SchemaField]) -> str:
        """Create a table that expires within a day and return its full name."""
        self._open()
        connection, seconds = self._connection, self._connection.options.request_seconds
        name = f"{self.dataset}.staged_{host_key()}_{os.getpid()}_{uuid.uuid4().hex[:16]}"
        table = bigquery.Table(name, schema=list(schema))
        table.expires = dt.datetime.now(dt.UTC) + LIFETIME
        # If a response was lost, the repeated request finds the table.
        connection.require(
            lambda: connection.client.create_table(
                table, exists_ok=True, retry=ONCE, timeout=seconds
            )
        )
        return name

    def drop(self, names: Sequence[str]) -> None:
        """Drop tables after use; a table that cannot be dropped expires by itself."""
        connection, seconds = self._connection, self._connection.options.request_seconds
        for name in names:

            def drop_one(name: str = name) -> None:
                connection.client.delete_table(name, not_found_ok=True, retry=ONCE, timeout=seconds)

            try:
                connection.request(drop_one, patience=DROP_SECONDS)
            except Exception:  # noqa: BLE001 (the commit has already succeeded or failed)
                return

    def _open(self) -> None:
        if not self._is_open:
            ensure_dataset(self._connection, self.dataset)
            self.sweep()
            self._is_open = True

    def sweep(self) -> None:
        """Drop the tables that crashed runs left behind."""
        client, seconds = self._connection.client, self._connection.options.request_seconds
        listed = self._connection.require(
            lambda: list(client.list_tables(self.dataset, retry=ONCE, timeout=seconds))
        )
        self.drop([str(table.reference) for table in listed if is_abandoned(table)])


def is_abandoned(table: TableListItem) -> bool:
    """Tell whether a listed table is a staging table whose process is gone."""
    match = _NAME.match(table.table_id)
    if match is None:
        return False
    if match["host"] == host_key():
        return not psutil.pid_exists(int(match["pid"]))
    created = table.created
    return created is not None and dt.datetime.now(dt.UTC) - created > ABANDONED_AFTER


def host_key() -> str:
    """Return a short name of this machine, for use in table names."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def ensure_dataset(connection: BigQueryConnection, name: str) -> None:
    """Create a missing dataset; raise an error if it exists in another location."""
    client, options = connection.client, connection.options
    seconds = options.request_seconds
    try:
        dataset = connection.request(lambda: client.get_dataset(name, retry=ONCE, timeout=seconds))
    except google_exceptions.NotFound:
        wanted = bigquery.Dataset(name)
        wanted.location = options.location
        connection.require(
            lambda: client.create_dataset(wanted, exists_ok=True, retry=ONCE, timeout=seconds)
        )
        return
    if dataset.location and dataset.location.upper() != options.location.upper():
        raise elsewhere_error(dataset.dataset_id, dataset.location, options.location)
