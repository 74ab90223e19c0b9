"""The lease of the datasets: one run writes at a time, and the others are told which."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime

from python_workers import table_names
from python_workers.errors import BackcourtError, ExitCode
from python_workers.runtime.streams import say
from python_workers.warehouse.bigquery.client import BigQueryConnection, BigQueryOptions
from python_workers.warehouse.bigquery.errors import LEASE_LOST
from python_workers.warehouse.bigquery.jobs import BigQueryJobs
from python_workers.warehouse.bigquery.sql import query_parameters, quoted
from python_workers.warehouse.job_labels import job_labels, labelling

RENEWALS_PER_TERM = 3
POLL_SECONDS = 5.0
BRIEF_SECONDS = 10.0

# The table is created with its only row: two runs cannot insert it twice.
_CREATE = """
create table if not exists {table}
options (description = 'One row: the run that may write to the datasets, and until when.')
as select
    '' as token,
    '' as holder,
    timestamp '1970-01-01' as renewed_at,
    timestamp '1970-01-01' as expires_at
"""
_TAKE = """
update {table}
set
    token = @lease_token,
    holder = @lease_holder,
    renewed_at = current_timestamp(),
    expires_at = {expiry}
where token = @lease_token or expires_at < current_timestamp()
"""
_READ = """
select token, holder, renewed_at, expires_at, current_timestamp() as read_at
from {table}
"""
_RENEW = """
update {table}
set renewed_at = current_timestamp(), expires_at = {expiry}
where if(token = @lease_token, true, error(concat('{lost}', holder, ';')))
"""
_RELEASE = "update {table} set expires_at = current_timestamp() where token = @lease_token"
_EXPIRY = "timestamp_add(current_timestamp(), interval @lease_ms millisecond)"


@dataclass(frozen=True)
class _Row:
    token: str
    holder: str
    renewed_at: datetime
    expires_at: datetime
    read_at: datetime


class RunLease:
    """A row that names the run which may write to the datasets, and until when.

    The holder renews the row from a thread; after its death the row expires and another run takes
    over. Each transaction of the holder also updates the row: BigQuery cancels one of two
    transactions that update the same row, and an update by a run that no longer holds it fails.

    Parameters
    ----------
    options
        Where the datasets are, which exist, and how long a lease lasts. The lease has a connection
        of its own, because Google's client does not serve two threads at once.
    """

    def __init__(self, options: BigQueryOptions) -> None:
        self._options = options
        # Renewing and giving up do not wait long for a BigQuery that does not answer.
        self._connection = BigQueryConnection(
            replace(
                options,
                retry_seconds=min(options.retry_seconds, BRIEF_SECONDS),
                request_seconds=min(options.request_seconds, BRIEF_SECONDS),
            )
        )
        self._jobs = BigQueryJobs(self._connection)
        self._table = quoted(f"{table_names.PROCESSING}.run_lease", options.address_prefix)
        self._token = self._holder = ""
        self._over = threading.Event()
        # A renewal beside a transaction would conflict with it.
        self._renewing = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lease inside the block.

        Raises
        ------
        BackcourtError
            With exit code 3 if another run holds it and is alive; it names the run.
        """
        self._token, self._holder = uuid.uuid4().hex, holder_name()
        self._over.clear()
        keeper = threading.Thread(target=self._keep, name="run lease", daemon=True)
        try:
            with labelling(stage="lease"):
                self._acquire()
            keeper.start()
            yield
        finally:
            self._over.set()
            if keeper.is_alive():
                keeper.join(BRIEF_SECONDS)
            # If this fails, the lease expires by itself.
            with suppress(Exception), labelling(stage="lease"):
                self._run(self._jobs, _RELEASE, "lease_token")
            self._token = ""
            self._connection.close()

    @contextmanager
    def renewal(self) -> Iterator[tuple[list[str], Mapping[str, object]]]:
        """Yield the first statement of a transaction, and its parameters; nothing without a lease.

        The statement renews the lease; it fails if another run holds it.
        """
        if not self._token:
            yield [], {}
            return
        with self._renewing:
            yield [self._statement(_RENEW).strip()], self._params("lease_token", "lease_ms")

    def _acquire(self) -> None:
        connection = BigQueryConnection(self._options)
        try:
            jobs = BigQueryJobs(connection)
            self._run(jobs, _CREATE)
            self._take(jobs)
        finally:
            connection.close()

    def _take(self, jobs: BigQueryJobs) -> None:
        first: _Row | None = None
        give_up = time.monotonic() + self._options.wait_seconds
        while True:
            self._run(jobs, _TAKE, "lease_token", "lease_holder", "lease_ms")
            row = _Row(**jobs.read(jobs.run_query(self._statement(_READ))).to_pylist()[0])
            if row.token == self._token:
                return
            if first is None or first.token != row.token:
                first = row
                say(f"waiting for another run, or for its lease to expire: {row.holder}")
            is_alive = row.renewed_at > first.renewed_at
            if is_alive and time.monotonic() >= give_up:
                raise _held_error(row)
            left = (row.expires_at - row.read_at).total_seconds()
            time.sleep(min(max(left, 0.0) + 0.1, POLL_SECONDS))

    def _keep(self) -> None:
        """Renew the lease until it is given up."""
        with labelling(stage="lease"):
            while not self._over.wait(self._options.lease_seconds / RENEWALS_PER_TERM):
                # If it fails, the next renewal may succeed; a lost lease ends the next transaction.
                with self._renewing, suppress(Exception):
                    self._run(self._jobs, _RENEW, "lease_token", "lease_ms")

    def _run(self, jobs: BigQueryJobs, statement: str, *names: str) -> None:
        params = query_parameters(self._params(*names))
        jobs.run_query(self._statement(statement), params, modifies=1)

    def _statement(self, text: str) -> str:
        return text.format(table=self._table, expiry=_EXPIRY, lost=LEASE_LOST)

    def _params(self, *names: str) -> dict[str, object]:
        values: dict[str, object] = {
            "lease_token": self._token,
            "lease_holder": self._holder,
            "lease_ms": round(self._options.lease_seconds * 1000),
        }
        return {name: values[name] for name in names}


def holder_name() -> str:
    """Return a name of this run for people: command, process, machine."""
    command = job_labels().get("stage", "a program")
    where = os.environ.get("CLOUD_RUN_EXECUTION") or socket.gethostname()
    return f"{command}, process {os.getpid()} on {where}"


def _held_error(row: _Row) -> BackcourtError:
    return BackcourtError(
        f"another run writes to these datasets: {row.holder}",
        [
            f"It last renewed its lease at {row.renewed_at:%Y-%m-%d %H:%M:%S} UTC.",
            "Wait for its end (--wait SECONDS does), then run the same command.",
        ],
        ExitCode.ENVIRONMENT,
    )
