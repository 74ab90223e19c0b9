"""Staging tables: short-lived, named after their process, swept by their age."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Sequence

from google.cloud import bigquery
from google.cloud.bigquery.table import TableListItem

from python_workers import table_names
from python_workers.warehouse.bigquery.client import ONCE, BigQueryConnection
from python_workers.warehouse.bigquery.datasets import STAGED, ensure_dataset

STAGING_DATASET = table_names.PROCESSING
DROP_SECONDS = 5.0
LIFETIME = dt.timedelta(days=1)
# A staging table lives for one commit, which waits for a few jobs and retries.
COMMITS = 4

_NAME = re.compile(rf"^{STAGED}(?P<process>[0-9a-f]{{12}})_[0-9a-f]+$")


class Staging:
    """The staging tables of this process in `nba_processing`."""

    def __init__(self, connection: BigQueryConnection) -> None:
        self._connection = connection
        self._is_open = False
        # Neither host names nor process ids tell containers apart: all are `localhost` and pid 1.
        self._process = uuid.uuid4().hex[:12]

    @property
    def dataset(self) -> str:
        """Full name of the dataset that holds the staging tables."""
        options = self._connection.options
        return f"{options.project}.{options.dataset_prefix}{STAGING_DATASET}"

    def create(self, schema: Sequence[bigquery.SchemaField]) -> str:
        """Create a table that expires within a day and return its full name."""
        self._open()
        connection, seconds = self._connection, self._connection.options.request_seconds
        name = f"{self.dataset}.{STAGED}{self._process}_{uuid.uuid4().hex[:16]}"
        table = bigquery.Table(name, schema=list(schema))
        table.expires = dt.datetime.now(dt.UTC) + LIFETIME
        table.encryption_configuration = connection.options.encryption
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
        """Drop the tables that crashed runs left behind: those that are older than any commit."""
        client, seconds = self._connection.client, self._connection.options.request_seconds
        listed = self._connection.require(
            lambda: list(client.list_tables(self.dataset, retry=ONCE, timeout=seconds))
        )
        self.drop([str(table.reference) for table in listed if self._is_abandoned(table)])

    def _is_abandoned(self, table: TableListItem) -> bool:
        """Tell whether a listed table is another process's and older than any commit."""
        match = _NAME.match(table.table_id)
        if match is None or match["process"] == self._process or table.created is None:
            return False
        options = self._connection.options
        longest = COMMITS * (options.job_seconds + options.retry_seconds)
        return bool(dt.datetime.now(dt.UTC) - table.created > dt.timedelta(seconds=longest))
