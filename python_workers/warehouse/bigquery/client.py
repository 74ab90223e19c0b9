"""The connection to BigQuery: its address, credentials and retry policy."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import google.auth
import google.auth.credentials
import google.auth.impersonated_credentials
import grpc
import requests
from google.api_core import exceptions as google_exceptions
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, bigquery_storage
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
    BigQueryReadGrpcTransport,
)

from python_workers.choices import Priority
from python_workers.errors import BackcourtError
from python_workers.warehouse.bigquery.errors import (
    elsewhere_error,
    explained,
    is_passing,
    is_unreachable,
    message_of,
    no_credentials_error,
    out_of_patience,
    unreachable_error,
)

# BigQuery's messages name: Dataset project:dataset, Table project:dataset.table.
_DATASET = re.compile(r"\b(?:Dataset|Table) ([\w-]+[:.]\w+)")

# Until the address is reached once: longer delays would overstep `connect_seconds`.
FIRST_CONTACT_DELAY = 2.0

CLOUD_SCOPE = "https://www.googleapis.com/auth/cloud-platform"

Result = TypeVar("Result")


def never(_: BaseException) -> bool:
    """Return False: do not retry this error here."""
    return False


# Switch off the client's own retries, which would multiply with the connection's.
ONCE = Retry(predicate=never)


@dataclass(frozen=True)
class BigQueryOptions:
    """Address, limits and time limits of BigQuery.

    Parameters
    ----------
    project, location, dataset_prefix
        As in the settings.
    endpoint, storage_endpoint
        Addresses of an emulator: its REST endpoint, and host:port of its Storage Read service.
    maximum_bytes_billed
        The most bytes that one statement may bill.
    impersonate, execution_project, quota_project, reservation, priority, kms_key
        As in the settings.
    retry_seconds
        Total time in which to repeat a request after transient failures.
    first_delay_seconds, longest_delay_seconds
        Upper bounds of the random delays between attempts; they double from the first to the
        longest.
    connect_seconds
        Time in which the connection must reach the address for the first time.
    request_seconds
        Longest wait for one response.
    job_seconds
        Longest run of one job; BigQuery itself ends it then.
    lease_seconds
        Time after which another run may take over the datasets from a run that has died.
    wait_seconds
        How long to wait for another run that is alive.
    """

    project: str
    location: str = "US"
    dataset_prefix: str = ""
    endpoint: str | None = None
    storage_endpoint: str | None = None
    maximum_bytes_billed: int | None = None
    impersonate: str | None = None
    execution_project: str | None = None
    quota_project: str | None = None
    reservation: str | None = None
    priority: Priority = "interactive"
    kms_key: str | None = None
    retry_seconds: float = 600.0
    first_delay_seconds: float = 1.0
    longest_delay_seconds: float = 30.0
    connect_seconds: float = 15.0
    request_seconds: float = 60.0
    job_seconds: float = 1800.0
    lease_seconds: float = 120.0
    wait_seconds: float = 0.0

    @property
    def address_prefix(self) -> str:
        """What precedes a dataset in SQL: a project that is not the jobs' own, and the prefix."""
        elsewhere = self.execution_project not in (None, self.project)
        return f"{self.project}.{self.dataset_prefix}" if elsewhere else self.dataset_prefix

    @property
    def encryption(self) -> bigquery.EncryptionConfiguration | None:
        """How new tables are encrypted; None for Google's own keys."""
        if self.kms_key is None:
            return None
        return bigquery.EncryptionConfiguration(kms_key_name=self.kms_key)


class BigQueryConnection:
    """The clients, created on first use, and one retry policy for every request.

    After a transient failure the connection repeats a request, with jittered exponential delays,
    for up to ``retry_seconds``.
    """

    def __init__(self, options: BigQueryOptions) -> None:
        self.options = options
        self._client: bigquery.Client | None = None
        self._storage: bigquery_storage.BigQueryReadClient | None = None
        self._was_reached = False
        self._has_storage_access = options.endpoint is None or options.storage_endpoint is not None

    @property
    def client(self) -> bigquery.Client:
        """The REST client."""
        if self._client is None:
            options = self.options
            self._client = bigquery.Client(
                project=options.execution_project or options.project,
                credentials=self._credentials(),
                location=options.location,
                client_options={"api_endpoint": options.endpoint} if options.endpoint else None,
            )
        return self._client

    @property
    def storage(self) -> bigquery_storage.BigQueryReadClient | None:
        """The Storage Read client, or None if only REST is available."""
        if not self._has_storage_access:
            return None
        if self._storage is None:
            self._storage = self._open_storage()
        return self._storage

    def _open_storage(self) -> bigquery_storage.BigQueryReadClient:
        address = self.options.storage_endpoint
        if address is None:
            return bigquery_storage.BigQueryReadClient(credentials=self._credentials())
        channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])
        transport = BigQueryReadGrpcTransport(channel=channel)
        return bigquery_storage.BigQueryReadClient(transport=transport)

    def _credentials(self) -> google.auth.credentials.Credentials:
        if self.options.endpoint:
            return AnonymousCredentials()
        try:
            credentials, _ = google.auth.default(
                scopes=[CLOUD_SCOPE], quota_project_id=self.options.quota_project
            )
        except google.auth.exceptions.DefaultCredentialsError as error:
            raise no_credentials_error() from error
        if self.options.impersonate:
            return google.auth.impersonated_credentials.Credentials(
                source_credentials=credentials,
                target_principal=self.options.impersonate,
                target_scopes=[CLOUD_SCOPE],
                quota_project_id=self.options.quota_project,
            )
        return credentials

    def give_up_storage(self) -> bool:
        """Read through REST from now on; return whether this is a change."""
        had_access, self._has_storage_access = self._has_storage_access, False
        return had_access

    def request(self, send: Callable[[], Result], patience: float | None = None) -> Result:
        """Send a repeatable request; repeat it after transient failures.

        Parameters
        ----------
        send
            Sends the request once.
        patience
            Total seconds in which to repeat it; ``retry_seconds`` by default.

        Raises
        ------
        google.api_core.exceptions.NotFound
            Unchanged: the caller knows whether it is a result or an error.
        BackcourtError
            For any other failure.
        """
        seconds = self.options.retry_seconds if patience is None else patience
        began = time.monotonic()

        def may_pass(error: BaseException) -> bool:
            if is_unreachable(error) and not self._was_reached:
                return time.monotonic() - began < self.options.connect_seconds
            return is_passing(error)

        retry = Retry(
            predicate=may_pass,
            initial=self.options.first_delay_seconds,
            maximum=min(
                self.options.longest_delay_seconds,
                self.options.longest_delay_seconds if self._was_reached else FIRST_CONTACT_DELAY,
            ),
            multiplier=2.0,
            timeout=seconds,
        )
        try:
            result: Result = retry(send)()
        except google_exceptions.RetryError as error:
            raise out_of_patience(error, seconds) from error
        except google_exceptions.NotFound:
            self._was_reached = True
            raise
        except google_exceptions.GoogleAPICallError as error:
            self._was_reached = True
            raise self.explained(error) from error
        except google.auth.exceptions.GoogleAuthError as error:
            raise self.explained(error) from error
        except requests.exceptions.ConnectionError as error:
            raise unreachable_error(self.options.endpoint, time.monotonic() - began) from error
        self._was_reached = True
        return result

    def require(self, send: Callable[[], Result]) -> Result:
        """Send a request for which 'not found' is an error, too."""
        try:
            return self.request(send)
        except google_exceptions.NotFound as error:
            raise self.explained(error) from error

    def explained(self, error: BaseException) -> BackcourtError:
        """Translate a permanent error into the project's words."""
        if isinstance(error, google_exceptions.NotFound):
            # BigQuery also says 'not found' for a dataset in another location.
            named = _DATASET.search(message_of(error))
            found = self._location_of(named[1].replace(":", ".", 1)) if named else None
            if named and found and found.upper() != self.options.location.upper():
                return elsewhere_error(named[1], found, self.options.location)
        return explained(error, project=self.options.project, location=self.options.location)

    def _location_of(self, dataset: str) -> str | None:
        try:
            found = self.client.get_dataset(
                dataset, retry=ONCE, timeout=self.options.request_seconds
            )
        except google_exceptions.GoogleAPICallError:
            return None
        return None if found.location is None else str(found.location)

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        if self._client is not None:
            self._client.close()
        if self._storage is not None:
            self._storage.transport.close()
        self._client = self._storage = None
