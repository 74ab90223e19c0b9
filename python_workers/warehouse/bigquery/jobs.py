"""Runs BigQuery jobs so that a lost response never runs a job twice, and counts the jobs."""

from __future__ import annotations

import hashlib
import io
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar, cast

import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core import exceptions as google_exceptions
from google.api_core.retry import exponential_sleep_generator
from google.cloud import bigquery

from python_workers.errors import BackcourtError, ExitCode
from python_workers.runtime.streams import say
from python_workers.warehouse.bigquery.client import ONCE, BigQueryConnection
from python_workers.warehouse.bigquery.errors import is_passing, out_of_patience
from python_workers.warehouse.bigquery.sql import Parameter
from python_workers.warehouse.job_labels import job_labels

FIRST_POLL_SECONDS = 0.1
LONGEST_POLL_SECONDS = 2.0
CANCEL_SECONDS = 5.0
SMALL_RESULT_ROWS = 1_000

Job = TypeVar("Job", bigquery.QueryJob, bigquery.LoadJob)


@dataclass(frozen=True)
class JobCounts:
    """Numbers of jobs so far, and of modifications of tables other than staging tables."""

    loads: int = 0
    queries: int = 0
    writes: int = 0
    table_modifications: int = 0


@dataclass(frozen=True)
class StartedJob(Generic[Job]):
    """A running job, and the function that starts it again if BigQuery itself fails."""

    start: Callable[[str], Job]
    key: str
    job: Job


class BigQueryJobs:
    """Runs each job exactly once.

    Each job is inserted under its own id. If the response to the insert is lost, BigQuery refuses
    the repeated insert as a duplicate, and the job is found by its id. Only a job that BigQuery
    reports as failed is started again, under the next id.
    """

    def __init__(self, connection: BigQueryConnection) -> None:
        self.connection = connection
        self.counts = JobCounts()
        # A job id names one job for ever, and a later run may write the same rows again: ids must
        # be new in each process and for each task.
        self._process_key = uuid.uuid4().hex
        self._tasks = itertools.count(1)
        self._counting = threading.Lock()
        # Jobs that have been inserted, perhaps, and not been seen to end.
        self._running: set[str] = set()

    def _new_key(self, *parts: str) -> str:
        """Return a unique id for one task; all attempts at the task share it."""
        text = "\0".join([self._process_key, str(next(self._tasks)), *parts])
        return f"backcourt_{hashlib.sha256(text.encode()).hexdigest()[:40]}"

    def _start(self, insert: Callable[[str], Job], key: str) -> StartedJob[Job]:
        """Insert a job under its id, or find the job if the response to its insert was lost."""

        def insert_or_find() -> Job:
            try:
                return insert(key)
            except google_exceptions.Conflict:
                return cast("Job", self._get(key))

        self._running.add(key)
        return StartedJob(insert, key, self.connection.require(insert_or_find))

    def finish(self, started: StartedJob[Job]) -> Job:
        """Wait for a job; after a transient failure start it again, under the next id.

        Returns
        -------
        Job
            The finished job, which has no error.
        """
        job = self._wait(started.job)
        options = self.connection.options
        patience = options.retry_seconds
        delays = exponential_sleep_generator(
            options.first_delay_seconds, options.longest_delay_seconds, multiplier=2.0
        )
        give_up = time.monotonic() + patience
        attempt = 1
        while job.error_result is not None:
            # A failed job has written nothing: loads, statements and transactions are atomic.
            error = job.exception(timeout=0)
            if not is_passing(error):
                raise self.connection.explained(error) from error
            delay = next(delays)
            if time.monotonic() + delay > give_up:
                raise out_of_patience(error, patience) from error
            time.sleep(delay)
            attempt += 1
            job = self._wait(self._start(started.start, f"{started.key}_{attempt}").job)
        return job

    def _wait(self, job: Job) -> Job:
        limit = self.connection.options.job_seconds
        give_up = time.monotonic() + limit
        pause = FIRST_POLL_SECONDS
        job_id = job.job_id
        while job.state != "DONE":
            if time.monotonic() > give_up:
                self.cancel_running()
                raise BackcourtError(
                    f"a BigQuery job still ran after {limit:.0f} seconds and was cancelled",
                    [
                        f"Job {job_id} in location {self.connection.options.location}.",
                        "Nothing is half-written: the same command continues where this stopped.",
                    ],
                    ExitCode.ENVIRONMENT,
                )
            time.sleep(pause)
            pause = min(pause * 2.0, LONGEST_POLL_SECONDS)
            job = cast("Job", self.connection.require(lambda: self._get(job_id)))
        self._running.discard(job_id)
        return job

    def cancel_running(self) -> None:
        """Cancel the jobs that may still run: nobody waits for them any more.

        BigQuery keeps running a job whose client is gone.
        """
        options, client = self.connection.options, self.connection.client
        while self._running:
            job_id = self._running.pop()

            def cancel(job_id: str = job_id) -> None:
                client.cancel_job(
                    job_id, location=options.location, retry=ONCE, timeout=CANCEL_SECONDS
                )

            # The job may have ended, or never been inserted.
            with suppress(BackcourtError, google_exceptions.GoogleAPICallError):
                self.connection.request(cancel, patience=CANCEL_SECONDS)

    def _count(self, **more: int) -> None:
        with self._counting:
            added = {name: getattr(self.counts, name) + number for name, number in more.items()}
            self.counts = replace(self.counts, **added)

    @property
    def _timeout_ms(self) -> int:
        return round(self.connection.options.job_seconds * 1000)

    def _get(self, job_id: str) -> object:
        options = self.connection.options
        return self.connection.client.get_job(
            job_id, location=options.location, retry=ONCE, timeout=options.request_seconds
        )

    def run_query(
        self, sql: str, parameters: Sequence[Parameter] = (), *, modifies: int | None = None
    ) -> bigquery.QueryJob:
        """Run one statement or script and wait for its end.

        Parameters
        ----------
        sql
            GoogleSQL with named parameters.
        parameters
            Typed query parameters.
        modifies
            The number of tables that it writes; None for a query that only reads.
        """
        connection, options = self.connection, self.connection.options
        config = bigquery.QueryJobConfig(
            query_parameters=list(parameters),
            labels=job_labels(),
            job_timeout_ms=self._timeout_ms,
            priority=options.priority.upper(),
            reservation=options.reservation,
        )
        if options.maximum_bytes_billed is not None:
            # The client would send None as text.
            config.maximum_bytes_billed = options.maximum_bytes_billed
        if modifies is None and options.encryption is not None:
            # The temporary table of the result; a statement that writes has no such table.
            config.destination_encryption_configuration = options.encryption

        def insert(job_id: str) -> bigquery.QueryJob:
            return connection.client.query(
                sql,
                job_config=config,
                job_id=job_id,
                location=options.location,
                retry=ONCE,
                job_retry=None,
                timeout=options.request_seconds,
            )

        values = [str(parameter.to_api_repr()) for parameter in parameters]
        job = self.finish(self._start(insert, self._new_key("query", sql, *values)))
        if modifies is None:
            self._count(queries=1)
        else:
            self._count(writes=1, table_modifications=modifies)
        return job

    def read(self, job: bigquery.QueryJob) -> pa.Table:
        """Return the rows of a finished query, through the Storage Read API if it is available."""
        connection, options = self.connection, self.connection.options

        def download() -> pa.Table:
            storage = connection.storage
            rows = job.result(
                # A result that fits one page needs no read session, which takes half a second.
                page_size=None if storage is None else SMALL_RESULT_ROWS,
                retry=ONCE,
                job_retry=None,
                timeout=options.request_seconds,
            )
            return rows.to_arrow(
                bqstorage_client=storage,
                create_bqstorage_client=False,
                timeout=options.job_seconds,
            )

        try:
            return connection.require(download)
        except BackcourtError as error:
            denied = isinstance(error.__cause__, google_exceptions.PermissionDenied)
            # Without roles/bigquery.readSessionUser, REST returns the same rows, more slowly.
            if denied and connection.give_up_storage():
                say(
                    "note: reading through REST, which is slower: the Storage Read API needs "
                    "roles/bigquery.readSessionUser on the project"
                )
                return connection.require(download)
            raise

    def dry_run(self, sql: str, parameters: Sequence[Parameter] = ()) -> int:
        """Return the bytes that a statement would process."""
        connection, options = self.connection, self.connection.options
        config = bigquery.QueryJobConfig(
            query_parameters=list(parameters),
            labels=job_labels(),
            dry_run=True,
            use_query_cache=False,
        )

        def ask() -> int:
            job = connection.client.query(
                sql,
                job_config=config,
                location=options.location,
                retry=ONCE,
                job_retry=None,
                timeout=options.request_seconds,
            )
            return int(job.total_bytes_processed or 0)

        return connection.require(ask)

    def start_load(
        self, destination: str, rows: pa.Table | Path, schema: Sequence[bigquery.SchemaField]
    ) -> StartedJob[bigquery.LoadJob]:
        """Start a load job, which is free of charge, that writes rows into a table.

        The rows are in memory, or in a Parquet file, which is sent in blocks.
        """
        connection, options = self.connection, self.connection.options
        content = rows if isinstance(rows, Path) else parquet_bytes(rows)
        config = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            schema=list(schema),
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            # A repeated load replaces the rows of an earlier attempt.
            write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
            labels=job_labels(),
            job_timeout_ms=self._timeout_ms,
            destination_encryption_configuration=options.encryption,
        )

        def insert(job_id: str) -> bigquery.LoadJob:
            with _opened(content) as file:
                return connection.client.load_table_from_file(
                    file,
                    destination,
                    size=file.seek(0, io.SEEK_END),
                    rewind=True,
                    num_retries=0,
                    job_id=job_id,
                    location=options.location,
                    job_config=config,
                    timeout=options.request_seconds,
                )

        with _opened(content) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        started = self._start(insert, self._new_key("load", destination, digest))
        self._count(loads=1)
        return started


def _opened(content: bytes | Path) -> io.BufferedReader | io.BytesIO:
    return content.open("rb") if isinstance(content, Path) else io.BytesIO(content)


def parquet_bytes(rows: pa.Table) -> bytes:
    """Return the rows as one Parquet file."""
    sink = io.BytesIO()
    pq.write_table(rows, sink, compression="zstd", coerce_timestamps="us")
    return sink.getvalue()
