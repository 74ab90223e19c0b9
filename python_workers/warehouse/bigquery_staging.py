"""Staging tables: short-lived, named after the process that fills them, swept when it is gone."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import socket
import uuid
from collections.abc import Sequence
from typing import Any

import psutil
from google.api_core import exceptions as google_exceptions
from google.cloud import bigquery

from python_workers.errors import BackcourtError
from python_workers.warehouse.bigquery_jobs import BigQueryJobs

STAGING_DATASET = "nba_processing"
LIFETIME = dt.timedelta(days=1)
# A staging table lives for one commit; nothing that waits within the total limits is this old.
ABANDONED_AFTER = dt.timedelta(hours=3)

_NAME = re.compile(r"^staged_(?P<host>[0-9a-f]{8})_(?P<pid>\d+)_[0-9a-f]+$")


class Staging:
    """The staging tables of this process in `nba_processing`."""

    def __init__(self, jobs: BigQueryJobs) -> None:
        self._jobs = jobs
        self._is_open = False

    @property
    def dataset(self) -> str:
        """Full name of the dataset that holds them."""
        options = self._jobs.options
        return f"{options.project}.{options.dataset_prefix}{STAGING_DATASET}"

    def create(self, schema: Sequence[bigquery.SchemaField]) -> str:
        """Create a table that expires within a day and return its full name."""
        self._open()
        name = f"{self.dataset}.staged_{host_key()}_{os.getpid()}_{uuid.uuid4().hex[:16]}"
        table = bigquery.Table(name, schema=list(schema))
        table.expires = dt.datetime.now(dt.UTC) + LIFETIME
        # A repeated request finds the table that a lost answer was about.
        self._jobs.request(
            lambda: self._jobs.client.create_table(
                table, exists_ok=True, retry=None, timeout=self._jobs.options.request_seconds
            )
        )
        return name

    def drop(self, names: Sequence[str]) -> None:
        """Drop tables whose work is done; one that cannot be dropped now expires by itself."""
        for name in names:
            try:
                self._jobs.client.delete_table(
                    name,
                    not_found_ok=True,
                    retry=None,
                    timeout=self._jobs.options.request_seconds,
                )
            except Exception:  # noqa: BLE001, S112 (the commit itself has been decided)
                continue

    def _open(self) -> None:
        if self._is_open:
            return
        ensure_dataset(self._jobs, self.dataset)
        self.sweep()
        self._is_open = True

    def sweep(self) -> None:
        """Drop what crashed runs left behind."""
        client, seconds = self._jobs.client, self._jobs.options.request_seconds
        try:
            listed = self._jobs.request(
                lambda: list(client.list_tables(self.dataset, retry=None, timeout=seconds))
            )
        except google_exceptions.NotFound:
            return
        self.drop([str(table.reference) for table in listed if is_abandoned(table)])


def is_abandoned(table: Any) -> bool:
    """Tell whether a listed table is a staging table whose process is gone."""
    match = _NAME.match(table.table_id)
    if match is None:
        return False
    if match["host"] == host_key():
        return not psutil.pid_exists(int(match["pid"]))
    created = table.created
    return created is not None and dt.datetime.now(dt.UTC) - created > ABANDONED_AFTER


def host_key() -> str:
    """Return a short name of this machine that fits a table name."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def ensure_dataset(jobs: BigQueryJobs, name: str) -> None:
    """Create a dataset where it is missing; one elsewhere than configured is an error."""
    client, options = jobs.client, jobs.options
    try:
        dataset = jobs.request(
            lambda: client.get_dataset(name, retry=None, timeout=options.request_seconds)
        )
    except google_exceptions.NotFound:
        wanted = bigquery.Dataset(name)
        wanted.location = options.location
        try:
            jobs.request(
                lambda: client.create_dataset(
                    wanted, exists_ok=True, retry=None, timeout=options.request_seconds
                )
            )
        except google_exceptions.NotFound as error:
            raise jobs.explained(error) from error
        return
    if dataset.location and dataset.location.upper() != options.location.upper():
        raise BackcourtError(
            f"dataset {dataset.dataset_id} is in location {dataset.location}, "
            f"not in {options.location}",
            f"Set BACKCOURT_BQ_LOCATION={dataset.location}, or use another dataset prefix.",
            exit_code=3,
        )
