"""Translates BigQuery's errors: which are transient, and what to do about the others."""

from __future__ import annotations

import http.client
from http import HTTPStatus

import google.auth.exceptions
import requests
import urllib3.exceptions
from google.api_core import exceptions as google_exceptions

from python_workers.errors import BackcourtError, ExitCode
from python_workers.warehouse.missing_tables import missing_table, missing_table_error

# Check reasons before status codes: rateLimitExceeded and quotaExceeded both come as 403 or 429.
PASSING_REASONS = frozenset(
    {
        "backendError",
        "badGateway",
        "internalError",
        "jobBackendError",
        "jobInternalError",
        "jobRateLimitExceeded",
        "rateLimitExceeded",
        "timeout",
        "userRateLimitExceeded",
    }
)
LASTING_REASONS = frozenset(
    {
        "accessDenied",
        "billingNotEnabled",
        "billingTierLimitExceeded",
        "blocked",
        "bytesBilledLimitExceeded",
        "dailyLimitExceeded",
        "duplicate",
        "forbidden",
        "invalid",
        "invalidQuery",
        "notFound",
        "quotaExceeded",
        "responseTooLarge",
        "stopped",
    }
)
PASSING_CODES = frozenset({408, 429, 500, 502, 503, 504})

BROKEN_CONNECTIONS = (
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    requests.exceptions.Timeout,
    # A truncated response is not valid JSON.
    requests.exceptions.JSONDecodeError,
    urllib3.exceptions.ProtocolError,
    urllib3.exceptions.TimeoutError,
    http.client.IncompleteRead,
    google.auth.exceptions.TransportError,
    ConnectionError,
    TimeoutError,
)

LEASE_LOST = "backcourt: another run writes to these datasets: "
"""Begins the message of a transaction whose run no longer holds the lease."""

# Statements of two runs changed one table at once; BigQuery rolled this one back completely.
CONCURRENT_UPDATE = ("concurrent update", "could not serialize access")

# The message of a job that BigQuery ended for its own time limit.
JOB_TIMED_OUT = "job timed out"

RESUME = "Nothing is half-written: the same command continues where this one stopped."
LOGIN = "Log in with: gcloud auth application-default login"
KEY_FILE = "or let GOOGLE_APPLICATION_CREDENTIALS name a service account's key file."
ROLES = (
    "Backcourt needs roles/bigquery.jobUser and roles/bigquery.readSessionUser on the project,",
    "and roles/bigquery.dataEditor on its datasets; see docs/bigquery.",
)
NAMES = (
    "Check BACKCOURT_BQ_PROJECT, BACKCOURT_BQ_LOCATION and BACKCOURT_BQ_DATASET_PREFIX;",
    "backcourt load creates the raw datasets, dbt run the others.",
)
QUOTA = (
    "Wait until it renews (a daily one at midnight, Pacific time), or ask for more on the",
    "project's quota page.",
)
REFUSED = (
    "If another version of Backcourt created the tables, rebuild them with: dbt run",
    RESUME,
)
BAD_LOGIN = "Google does not accept the credentials: they are expired, revoked or incomplete"
MESSAGE_LENGTH = 400


def reason_of(error: BaseException) -> str:
    """Return BigQuery's own name for an error, such as ``rateLimitExceeded``, or ''."""
    for entry in getattr(error, "errors", None) or ():
        if isinstance(entry, dict) and entry.get("reason"):
            return str(entry["reason"])
    return ""


def message_of(error: BaseException) -> str:
    """Return BigQuery's message on one line, without the request's address."""
    for entry in getattr(error, "errors", None) or ():
        if isinstance(entry, dict) and entry.get("message"):
            return shortened(str(entry["message"]))
    if isinstance(error, google_exceptions.GoogleAPICallError):
        return shortened(str(error.message))
    # Messages of other layers may quote a request with its headers.
    return type(error).__name__


def shortened(text: str) -> str:
    """Return the text on one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= MESSAGE_LENGTH else f"{line[:MESSAGE_LENGTH]} ..."


def is_passing(error: BaseException) -> bool:
    """Tell whether the error is transient: the same request may succeed later."""
    if isinstance(error, google.auth.exceptions.RefreshError):
        # Google's token server marks its transient errors as retryable.
        return bool(error.retryable)
    if isinstance(error, BROKEN_CONNECTIONS):
        return True
    if not isinstance(error, google_exceptions.GoogleAPICallError):
        return False
    reason, said = reason_of(error), message_of(error)
    if reason in LASTING_REASONS or JOB_TIMED_OUT in said.lower():
        return any(part in said for part in CONCURRENT_UPDATE)
    return (
        # The Storage Read API has broken a stream off; a new session reads it again.
        isinstance(error, google_exceptions.Aborted)
        or reason in PASSING_REASONS
        or error.code in PASSING_CODES
        or any(part in said for part in CONCURRENT_UPDATE)
    )


def is_unreachable(error: BaseException) -> bool:
    """Tell whether nothing listens at the address, or its name is unknown."""
    cause = error.args[0] if isinstance(error, requests.exceptions.ConnectionError) else None
    return isinstance(getattr(cause, "reason", None), urllib3.exceptions.NewConnectionError)


def unreachable_error(endpoint: str | None, seconds: float) -> BackcourtError:
    """Return the error for an address that did not take a connection."""
    return BackcourtError(
        f"nothing answers at {endpoint or 'the address of BigQuery'}",
        [
            f"Tried for {seconds:.0f} s (BACKCOURT_BQ_CONNECT_SECONDS).",
            "Start the emulator, or check BACKCOURT_BQ_ENDPOINT."
            if endpoint
            else "Check the network and its proxy.",
        ],
        ExitCode.ENVIRONMENT,
    )


def no_credentials_error() -> BackcourtError:
    """Return the error for a machine without Google credentials."""
    return BackcourtError("no Google credentials found", [LOGIN, KEY_FILE], ExitCode.ENVIRONMENT)


def out_of_patience(error: BaseException, seconds: float) -> BackcourtError:
    """Return the error for retries that reached the total time limit."""
    cause = error.cause if isinstance(error, google_exceptions.RetryError) else error
    said = message_of(cause or error)
    reason = reason_of(cause or error)
    return BackcourtError(
        f"BigQuery did not answer properly for {seconds:.0f} seconds",
        [f"Last: {said}{f' ({reason})' if reason else ''}", RESUME],
        ExitCode.ENVIRONMENT,
    )


def elsewhere_error(dataset: str, found: str, wanted: str) -> BackcourtError:
    """Return the error for a dataset in another location than the configured one."""
    return BackcourtError(
        f"dataset {dataset} is in location {found}, not in {wanted}",
        f"Set BACKCOURT_BQ_LOCATION={found}, or use another BACKCOURT_BQ_DATASET_PREFIX.",
        ExitCode.ENVIRONMENT,
    )


def taken_over_error(holder: str) -> BackcourtError:
    """Return the error for a run that another one has taken the datasets over from."""
    return BackcourtError(
        f"another run has taken over these datasets: {holder}",
        [
            "This run did not renew its lease for too long; it has stopped before its next write.",
            "Wait for the other run's end, then run the same command.",
        ],
        ExitCode.ENVIRONMENT,
    )


def explained(error: BaseException, *, project: str, location: str) -> BackcourtError:
    """Translate a permanent error into the project's words: what is wrong and what to do.

    Parameters
    ----------
    error
        An error of google-cloud-bigquery, google-auth or the Storage API's client.
    project, location
        The configured values; the message names them if they are the likely cause.
    """
    if isinstance(error, google.auth.exceptions.DefaultCredentialsError):
        return no_credentials_error()
    reason, said = reason_of(error), message_of(error)
    code = getattr(error, "code", None)
    if isinstance(error, google.auth.exceptions.GoogleAuthError) or code == HTTPStatus.UNAUTHORIZED:
        # Do not show any part of the credentials.
        message, hint = BAD_LOGIN, [LOGIN, KEY_FILE, RESUME]
    elif LEASE_LOST in said:
        holder = said.partition(LEASE_LOST)[2].partition(";")[0]
        return taken_over_error(holder)
    elif JOB_TIMED_OUT in said.lower():
        message = "BigQuery ended a job at its time limit"
        hint = ["Take a shorter range of dates, or raise BACKCOURT_BQ_JOB_SECONDS.", RESUME]
    elif "different locations" in said:
        message = f"the datasets of project {project} are not all in location {location}"
        hint = ["Set BACKCOURT_BQ_LOCATION to their location (bq show DATASET prints it)."]
    elif reason in {"quotaExceeded", "dailyLimitExceeded"}:
        message, hint = "a BigQuery quota is used up", [*QUOTA, RESUME]
    elif reason in {"billingNotEnabled", "billingTierLimitExceeded"}:
        message = f"project {project} may not bill this work"
        hint = ["Enable billing for the project, then run the same command."]
    elif reason == "bytesBilledLimitExceeded":
        message = "a statement would bill more than BACKCOURT_BQ_MAX_BYTES_BILLED allows"
        hint = ["Take a shorter range of dates, or raise the limit."]
    elif code == HTTPStatus.FORBIDDEN:
        message, hint = f"access to BigQuery in project {project} is denied", [*ROLES]
    elif code == HTTPStatus.NOT_FOUND:
        message, hint = _not_found(said, f"project {project}, location {location}")
    else:
        message, hint = "BigQuery refused a request", [*REFUSED]
    if message != BAD_LOGIN:
        hint.insert(0, f"BigQuery: {said}")
    return BackcourtError(message, hint, ExitCode.ENVIRONMENT)


def _not_found(said: str, place: str) -> tuple[str, list[str]]:
    table = missing_table(said)
    if table is None:
        return f"a dataset or table is missing in {place}", [*NAMES]
    missing = missing_table_error(table, place)
    return missing.message, [*missing.hint, *NAMES]
