"""Jobs that survive lost answers: one id each, bounded patience, and a count of them."""

from __future__ import annotations

import hashlib
import io
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import google.auth
import google.auth.impersonated_credentials
import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core import exceptions as google_exceptions
from google.api_core.retry import Retry, exponential_sleep_generator
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, bigquery_storage
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
    BigQueryReadGrpcTransport,
)

from python_workers.errors import BackcourtError, ExitCode
from python_workers.warehouse.bigquery_errors import (
    explained,
    is_passing,
    no_credentials,
    out_of_patience,
)

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
DELAY_FACTOR = 2.0
FIRST_POLL_SECONDS = 0.1
LONGEST_POLL_SECONDS = 2.0

CLOUD_SCOPE = "https://www.googleapis.com/auth/cloud-platform"

Result = TypeVar("Result")


@dataclass(frozen=True)
class BigQueryOptions:
    """Where BigQuery is and how long to be patient with it.

    Parameters
    ----------
    project, location, dataset_prefix
        As in the settings.
    endpoint, storage_endpoint
        Addresses of an emulator: its REST endpoint, and host:port of its Storage Read service.
    maximum_bytes_billed
        The most one statement may bill.
    impersonate
        A service account to act as.
    retry_seconds
        Total time to repeat a request that fails in a passing way.
    request_seconds
        Longest wait for one answer.
    job_seconds
        Longest run of one job.
    """

    project: str
    location: str = "US"
    dataset_prefix: str = ""
    endpoint: str | None = None
    storage_endpoint: str | None = None
    maximum_bytes_billed: int | None = None
    impersonate: str | None = None
    retry_seconds: float = 600.0
    request_seconds: float = 60.0
    job_seconds: float = 1800.0


@dataclass(frozen=True)
class JobCounts:
    """Jobs run so far, and modifications of tables other than staging tables."""

    loads: int = 0
    queries: int = 0
    writes: int = 0
    table_modifications: int = 0


@dataclass(frozen=True)
class StartedJob:
    """A job on its way, and how to start it again should BigQuery itself fail."""

    start: Callable[[str], Any]
    key: str
    job: Any


@dataclass
class BigQueryJobs:
    """Runs jobs with the client's own retries switched off and one policy in their place.

    Every request has a time limit. A request that fails in a passing way is repeated, with jittered
    exponential delays, until ``retry_seconds`` are over. A job is inserted under an id of its own:
    when the answer to the insert is lost, the repeated insert is refused as a duplicate, and the
    job is found by its id. Only a job that BigQuery reports as failed is started anew, under the
    next id.
    """

    options: BigQueryOptions
    labels: Mapping[str, str] = field(default_factory=dict)
    counts: JobCounts = field(default_factory=JobCounts)
    _client: bigquery.Client | None = None
    _storage: Any = None
    _has_storage_access: bool = True
    # Ids must be new in each process: a job id names one job for ever, and a later run may well
    # write the same rows again.
    _process_key: str = field(default_factory=lambda: uuid.uuid4().hex)
    _started: int = 0

    @property
    def client(self) -> bigquery.Client:
        """The client, made on first use."""
        if self._client is None:
            options = self.options
            self._client = bigquery.Client(
                project=options.project,
                credentials=self._credentials(),
                location=options.location,
                client_options={"api_endpoint": options.endpoint} if options.endpoint else None,
            )
        return self._client

    def _credentials(self) -> Any:
        if self.options.endpoint:
            return AnonymousCredentials()
        try:
            credentials, _ = google.auth.default(scopes=[CLOUD_SCOPE])
        except google.auth.exceptions.DefaultCredentialsError as error:
            raise no_credentials() from error
        if self.options.impersonate:
            return google.auth.impersonated_credentials.Credentials(
                source_credentials=credentials,
                target_principal=self.options.impersonate,
                target_scopes=[CLOUD_SCOPE],
            )
        return credentials

    def storage(self) -> Any:
        """Return the Storage Read client, or None where only REST is to be had."""
        if not self._has_storage_access:
            return None
        if self._storage is None:
            if self.options.endpoint is None:
                self._storage = bigquery_storage.BigQueryReadClient(credentials=self._credentials())
            elif self.options.storage_endpoint is not None:
                import grpc  # noqa: PLC0415 (an emulator alone needs a plain channel)

                channel = grpc.insecure_channel(
                    self.options.storage_endpoint,
                    options=[("grpc.max_receive_message_length", -1)],
                )
                self._storage = bigquery_storage.BigQueryReadClient(
                    transport=BigQueryReadGrpcTransport(channel=channel)
                )
        return self._storage

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        if self._client is not None:
            self._client.close()
        if self._storage is not None:
            self._storage.transport.close()
        self._client = self._storage = None

    # --- Requests ---------------------------------------------------------------------------------

    def request(self, send: Callable[[], Result]) -> Result:
        """Send a request that may be repeated, for as long as its failures pass."""
        retry = Retry(
            predicate=is_passing,
            initial=FIRST_DELAY_SECONDS,
            maximum=LONGEST_DELAY_SECONDS,
            multiplier=DELAY_FACTOR,
            timeout=self.options.retry_seconds,
        )
        try:
            result: Result = retry(send)()
        except google_exceptions.RetryError as error:
            raise out_of_patience(error, self.options.retry_seconds) from error
        except google_exceptions.NotFound:
            raise
        except (
            google_exceptions.GoogleAPICallError,
            google.auth.exceptions.GoogleAuthError,
        ) as error:
            raise self.explained(error) from error
        return result

    def explained(self, error: BaseException) -> BackcourtError:
        """Return an error in the project's words."""
        return explained(error, project=self.options.project, location=self.options.location)

    # --- Jobs -------------------------------------------------------------------------------------

    def new_key(self, *parts: str) -> str:
        """Return the id of one piece of work: the same for every attempt at it, and no other's."""
        self._started += 1
        text = "\0".join([self._process_key, str(self._started), *parts])
        return f"backcourt_{hashlib.sha256(text.encode()).hexdigest()[:40]}"

    def start(self, start: Callable[[str], Any], key: str) -> StartedJob:
        """Insert a job under its id, or find the one that a lost answer was about."""

        def insert_or_find() -> Any:
            try:
                return start(key)
            except google_exceptions.Conflict:
                return self.client.get_job(
                    key,
                    location=self.options.location,
                    retry=None,
                    timeout=self.options.request_seconds,
                )

        try:
            return StartedJob(start, key, self.request(insert_or_find))
        except google_exceptions.NotFound as error:
            raise self.explained(error) from error

    def finish(self, started: StartedJob) -> Any:
        """Wait for a job; start it anew, under the next id, where BigQuery failed in a passing way.

        Returns
        -------
        google.cloud.bigquery.job
            Done and without error.
        """
        job = self._wait(started.job)
        delays = exponential_sleep_generator(
            FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, DELAY_FACTOR
        )
        give_up = time.monotonic() + self.options.retry_seconds
        attempt = 1
        while job.error_result is not None:
            # A failed job has written nothing: loads, statements and transactions are all or
            # nothing.
            error = job.exception(timeout=0, retry=None)
            if not is_passing(error):
                raise self.explained(error) from error
            delay = next(delays)
            if time.monotonic() + delay > give_up:
                raise out_of_patience(error, self.options.retry_seconds) from error
            time.sleep(delay)
            attempt += 1
            job = self._wait(self.start(started.start, f"{started.key}_{attempt}").job)
        return job

    def _wait(self, job: Any) -> Any:
        give_up = time.monotonic() + self.options.job_seconds
        pause = FIRST_POLL_SECONDS
        while job.state != "DONE":
            if time.monotonic() > give_up:
                raise BackcourtError(
                    f"a BigQuery job still runs after {self.options.job_seconds:.0f} seconds",
                    [
                        f"Job {job.job_id} in location {self.options.location}.",
                        "Nothing is half-written: the same command continues where this stopped.",
                    ],
                    ExitCode.ENVIRONMENT,
                )
            time.sleep(pause)
            pause = min(pause * DELAY_FACTOR, LONGEST_POLL_SECONDS)
            job_id = job.job_id
            job = self.request(lambda job_id=job_id: self._get_job(job_id))  # type: ignore[misc]
        return job

    def _get_job(self, job_id: str) -> Any:
        return self.client.get_job(
            job_id,
            location=self.options.location,
            retry=None,
            timeout=self.options.request_seconds,
        )

    # --- Kinds of jobs ----------------------------------------------------------------------------

    def run_query(
        self, sql: str, parameters: Sequence[Any] = (), *, modifies: int | None = None
    ) -> Any:
        """Run one statement or script to its end.

        Parameters
        ----------
        sql
            GoogleSQL with named parameters.
        parameters
            Typed query parameters.
        modifies
            The number of tables it writes; None for a query that only reads.
        """
        config = bigquery.QueryJobConfig(
            query_parameters=list(parameters),
            labels=dict(self.labels),
            maximum_bytes_billed=self.options.maximum_bytes_billed,
        )

        def insert(job_id: str) -> Any:
            return self.client.query(
                sql,
                job_config=config,
                job_id=job_id,
                location=self.options.location,
                retry=None,
                job_retry=None,
                timeout=self.options.request_seconds,
            )

        job = self.finish(self.start(insert, self.new_key("query", sql)))
        if modifies is None:
            self.counts = replace(self.counts, queries=self.counts.queries + 1)
        else:
            self.counts = replace(
                self.counts,
                writes=self.counts.writes + 1,
                table_modifications=self.counts.table_modifications + modifies,
            )
        return job

    def read(self, job: Any) -> pa.Table:
        """Return the rows of a finished query, through the Storage Read API where it is open."""

        def download() -> pa.Table:
            rows = job.result(retry=None, job_retry=None, timeout=self.options.request_seconds)
            return rows.to_arrow(
                bqstorage_client=self.storage(),
                create_bqstorage_client=False,
                timeout=self.options.job_seconds,
            )

        try:
            return self._download(download)
        except google_exceptions.NotFound as error:
            raise self.explained(error) from error

    def _download(self, download: Callable[[], pa.Table]) -> pa.Table:
        try:
            return self.request(download)
        except BackcourtError as error:
            denied = isinstance(error.__cause__, google_exceptions.PermissionDenied)
            if not denied or not self._has_storage_access:
                raise
            # Without roles/bigquery.readSessionUser REST gives the same rows, more slowly.
            self._has_storage_access = False
            return self.request(download)

    def dry_run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Return the bytes that a statement would process."""
        config = bigquery.QueryJobConfig(
            query_parameters=list(parameters),
            labels=dict(self.labels),
            dry_run=True,
            use_query_cache=False,
        )

        def ask() -> int:
            job = self.client.query(
                sql,
                job_config=config,
                location=self.options.location,
                retry=None,
                job_retry=None,
                timeout=self.options.request_seconds,
            )
            return int(job.total_bytes_processed or 0)

        try:
            return self.request(ask)
        except google_exceptions.NotFound as error:
            raise self.explained(error) from error

    def start_load(self, destination: str, rows: pa.Table, schema: Sequence[Any]) -> StartedJob:
        """Start a load job, which is free of charge, from rows in memory into a table."""
        content = parquet_bytes(rows)
        config = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            schema=list(schema),
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            # A load that is repeated replaces what an earlier attempt may have left.
            write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
            labels=dict(self.labels),
        )

        def insert(job_id: str) -> Any:
            return self.client.load_table_from_file(
                io.BytesIO(content),
                destination,
                size=len(content),
                num_retries=0,
                job_id=job_id,
                location=self.options.location,
                job_config=config,
                timeout=self.options.request_seconds,
            )

        digest = hashlib.sha256(content).hexdigest()
        started = self.start(insert, self.new_key("load", destination, digest))
        self.counts = replace(self.counts, loads=self.counts.loads + 1)
        return started


def parquet_bytes(rows: pa.Table) -> bytes:
    """Return the rows as one Parquet file."""
    sink = io.BytesIO()
    pq.write_table(rows, sink, compression="zstd", coerce_timestamps="us")
    return sink.getvalue()


def label_value(text: str) -> str:
    """Return the text in the characters that BigQuery allows in a label's value.

    Examples
    --------
    >>> label_value("PlayerDailyCacheProcessor 2021-12-01")
    'playerdailycacheprocessor_2021-12-01'
    """
    return re.sub(r"[^a-z0-9_-]", "_", text.lower())[:63]
