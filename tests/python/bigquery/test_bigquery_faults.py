"""After any fault, work is done exactly once, or an error says that it is not done."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Callable
from typing import Any

import google.auth.credentials
import google.auth.exceptions
import pytest
from google.api_core import exceptions as google_exceptions

from python_workers.errors import BackcourtError, ExitCode
from python_workers.warehouse.base import TableChange, UpsertCounts
from python_workers.warehouse.bigquery.errors import is_passing
from python_workers.warehouse.bigquery.warehouse import BigQueryWarehouse
from tests.python.bigquery.fault_proxy import FaultProxy
from tests.python.bigquery.tables import (
    FEATURES,
    FIRST,
    PLAYERS,
    RUNS,
    SECOND,
    chunk,
    features,
    players,
    run_ids,
    scores,
    staging_tables,
)

Connect = Callable[..., BigQueryWarehouse]

# The requests of a commit, an upsert and a query.
REQUESTS = {
    "create_staging": {"path": r"/tables\?|/tables$"},
    "load": {"path": "/upload/"},
    "transaction": {"path": r"v2/projects/[^/]+/jobs", "body": "begin transaction"},
    "count": {"path": r"v2/projects/[^/]+/jobs", "body": "countif"},
    "merge": {"path": r"v2/projects/[^/]+/jobs", "body": "merge into"},
    "select": {"path": r"v2/projects/[^/]+/jobs", "body": "select analysis_date"},
    "results": {"path": "/queries/", "method": "GET"},
    "metadata": {"path": r"/tables/", "method": "GET"},
    "drop_staging": {"path": "/tables/staged_", "method": "DELETE"},
}

PASSING: dict[str, dict[str, Any]] = {
    "429 rateLimitExceeded": {"kind": "answer", "status": 429, "reason": "rateLimitExceeded"},
    "403 rateLimitExceeded": {"kind": "answer", "status": 403, "reason": "rateLimitExceeded"},
    "500 internalError": {"kind": "answer", "status": 500, "reason": "internalError"},
    "500 backendError": {"kind": "answer", "status": 500, "reason": "backendError"},
    "502": {"kind": "answer", "status": 502, "reason": "badGateway"},
    "503 backendError": {"kind": "answer", "status": 503, "reason": "backendError"},
    "connection reset": {"kind": "reset_before"},
    "lost answer": {"kind": "reset_after"},
    "cut answer": {"kind": "cut"},
    "slow answer": {"kind": "slow", "seconds": 1.5},
}

passing = pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())


def patience_of(fault: dict[str, Any]) -> dict[str, float]:
    return {"request_seconds": 0.7} if fault["kind"] == "slow" else {}


@passing
@pytest.mark.parametrize("request_", ["create_staging", "load", "transaction", "drop_staging"])
def test_a_commit_is_written_once(
    connect: Connect, proxy: FaultProxy, fault: dict[str, Any], request_: str
) -> None:
    calm = connect()
    calm.ensure_tables([FEATURES, RUNS])
    calm.commit(chunk("before", [FIRST, SECOND], 1.0))
    appended = TableChange(FEATURES.name, FEATURES.key, features([FIRST], 9.0, [3]))
    tried = connect(**patience_of(fault))
    struck = proxy.inject(**fault, **REQUESTS[request_])
    tried.commit([*chunk("after", [SECOND], 2.0), appended])
    assert struck.struck == 1
    proxy.clear()
    assert scores(calm) == [
        (FIRST, 1, 1.0),
        (FIRST, 2, 1.0),
        (FIRST, 3, 9.0),
        (SECOND, 1, 2.0),
        (SECOND, 2, 2.0),
    ]
    assert run_ids(calm) == [(FIRST, "before"), (SECOND, "after")]
    assert staging_tables(calm) == []


@passing
@pytest.mark.parametrize("request_", ["load", "count", "merge", "metadata"])
def test_an_upsert_is_written_once(
    connect: Connect, proxy: FaultProxy, fault: dict[str, Any], request_: str
) -> None:
    first = (1, "Al Horford", dt.date(1986, 6, 3), "C")
    second = (2, "Jalen Brunson", None, "PG")
    calm = connect()
    calm.ensure_tables([PLAYERS])
    calm.upsert(PLAYERS, players(first))
    tried = connect(**patience_of(fault))
    struck = proxy.inject(**fault, **REQUESTS[request_])
    counts = tried.upsert(PLAYERS, players((*first[:3], "F"), second))
    assert struck.struck == 1
    assert counts == UpsertCounts(inserted=1, updated=1, unchanged=0)
    found = calm.query("select * from nba_raw.players order by player_id").to_pylist()
    assert [tuple(row.values()) for row in found] == [(*first[:3], "F"), second]


@passing
@pytest.mark.parametrize("request_", ["select", "results"])
def test_a_query_answers_in_full(
    connect: Connect, proxy: FaultProxy, fault: dict[str, Any], request_: str
) -> None:
    calm = connect()
    calm.ensure_tables([FEATURES])
    calm.commit([TableChange(FEATURES.name, FEATURES.key, features([FIRST, SECOND], 1.0))])
    tried = connect(**patience_of(fault))
    struck = proxy.inject(**fault, **REQUESTS[request_])
    assert len(scores(tried)) == 4
    assert struck.struck == 1


@pytest.mark.parametrize("request_", ["load", "transaction"])
@pytest.mark.parametrize("reason", ["backendError", "rateLimitExceeded", "internalError"])
def test_a_failed_job_is_started_again_under_another_id(
    connect: Connect, proxy: FaultProxy, request_: str, reason: str
) -> None:
    warehouse = connect()
    warehouse.ensure_tables([FEATURES, RUNS])
    proxy.inject("failed_job", reason=reason, times=2, **REQUESTS[request_])
    warehouse.commit(chunk("one", [FIRST], 1.0))
    assert len(scores(warehouse)) == 2
    assert run_ids(warehouse) == [(FIRST, "one")]


def test_a_conflicting_transaction_is_started_again(
    warehouse: BigQueryWarehouse, proxy: FaultProxy
) -> None:
    warehouse.ensure_tables([FEATURES, RUNS])
    proxy.inject(
        "failed_job",
        reason="invalidQuery",
        message="Transaction is aborted due to concurrent update against table features.",
        **REQUESTS["transaction"],
    )
    warehouse.commit(chunk("one", [FIRST], 1.0))
    assert len(scores(warehouse)) == 2


def test_many_faults_in_a_row_do_not_end_a_command(
    warehouse: BigQueryWarehouse, proxy: FaultProxy
) -> None:
    warehouse.ensure_tables([FEATURES, RUNS])
    for fault in PASSING.values():
        if fault["kind"] != "slow":
            proxy.inject(**fault, method=".*", path="", times=3)
    warehouse.commit(chunk("one", [FIRST], 1.0))
    assert len(scores(warehouse)) == 2
    assert run_ids(warehouse) == [(FIRST, "one")]


def test_the_delays_grow_and_are_random(connect: Connect, proxy: FaultProxy) -> None:
    warehouse = connect(first_delay_seconds=0.05, longest_delay_seconds=0.4)
    proxy.inject("answer", times=7)
    warehouse.query("select 1 as one")
    times = [one.at for one in proxy.requests("POST", "/jobs")]
    delays = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(delays) == 7
    assert max(delays) < 0.4 + 0.3
    assert len({round(delay, 4) for delay in delays}) > 1


def test_retries_end_and_the_work_can_be_resumed(connect: Connect, proxy: FaultProxy) -> None:
    warehouse = connect(retry_seconds=1.0)
    warehouse.ensure_tables([FEATURES, RUNS])
    fault = proxy.inject("answer", times=10_000, **REQUESTS["transaction"])
    started = time.monotonic()
    with pytest.raises(BackcourtError) as caught:
        warehouse.commit(chunk("one", [FIRST], 1.0))
    assert 0.5 < time.monotonic() - started < 10
    assert fault.struck > 3
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert "did not answer properly for 1 seconds" in caught.value.message
    assert "the same command continues" in caught.value.render()
    assert staging_tables(warehouse) == []
    proxy.clear()
    assert scores(warehouse) == []
    warehouse.commit(chunk("one", [FIRST], 1.0))
    assert len(scores(warehouse)) == 2


def test_a_job_that_hangs_is_reported_with_its_id(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = connect(job_seconds=0.3)
    # The job starts and never ends.
    states = itertools.chain([None], itertools.repeat("RUNNING"))
    state = property(lambda _: next(states))
    monkeypatch.setattr("google.cloud.bigquery.QueryJob.state", state)
    with pytest.raises(BackcourtError, match="still ran") as caught:
        warehouse.query("select 1 as one")
    assert "backcourt_" in caught.value.render()


LASTING: dict[str, tuple[dict[str, Any], str, str]] = {
    "quotaExceeded": (
        {"status": 403, "reason": "quotaExceeded", "message": "Quota exceeded: table_dml"},
        "quota is used up",
        "continues",
    ),
    "quotaExceeded as 429": (
        {"status": 429, "reason": "quotaExceeded", "message": "Quota exceeded"},
        "quota is used up",
        "Pacific",
    ),
    "accessDenied": (
        {
            "status": 403,
            "reason": "accessDenied",
            "message": "Access Denied: Project p: User does not have bigquery.jobs.create",
        },
        "is denied",
        "roles/bigquery.jobUser",
    ),
    "billing": (
        {"status": 403, "reason": "billingNotEnabled", "message": "Billing has not been enabled"},
        "may not bill",
        "Enable billing",
    ),
    "dataset": (
        {
            "status": 404,
            "reason": "notFound",
            "message": "Not found: Dataset p:nba_raw was not found in location US",
        },
        "a dataset or table is missing in project",
        "backcourt load",
    ),
    "location": (
        {
            "status": 400,
            "reason": "invalid",
            "message": "Cannot read and write in different locations: source: EU, destination: US",
        },
        "not all in location US",
        "BACKCOURT_BQ_LOCATION",
    ),
    "bytes billed": (
        {
            "status": 400,
            "reason": "bytesBilledLimitExceeded",
            "message": "Query exceeded limit for bytes billed: 1000.",
        },
        "BACKCOURT_BQ_MAX_BYTES_BILLED",
        "shorter range",
    ),
}


@pytest.mark.parametrize("request_", ["load", "transaction", "select"])
@pytest.mark.parametrize("lasting", LASTING.values(), ids=LASTING.keys())
def test_a_lasting_error_stops_at_once_and_says_what_to_do(
    connect: Connect,
    proxy: FaultProxy,
    request_: str,
    lasting: tuple[dict[str, Any], str, str],
) -> None:
    answer, says, advises = lasting
    work: dict[str, Callable[[BigQueryWarehouse], object]] = {
        "load": lambda warehouse: warehouse.commit(chunk("one", [FIRST], 1.0)),
        "transaction": lambda warehouse: warehouse.commit(chunk("one", [FIRST], 1.0)),
        "select": scores,
    }
    warehouse = connect()
    warehouse.ensure_tables([FEATURES, RUNS])
    fault = proxy.inject("answer", times=10_000, **answer, **REQUESTS[request_])
    with pytest.raises(BackcourtError) as caught:
        work[request_](warehouse)
    assert fault.struck == 1
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert says in caught.value.message
    assert advises in caught.value.render()
    proxy.clear()
    assert scores(warehouse) == []
    assert staging_tables(warehouse) == []


def test_a_dataset_elsewhere_is_named_with_its_location(
    connect: Connect, proxy: FaultProxy, prefix: str
) -> None:
    connect(location="EU").ensure_tables([FEATURES])
    with pytest.raises(BackcourtError) as caught:
        connect(location="US").ensure_tables([FEATURES])
    assert "is in location EU, not in US" in caught.value.message
    proxy.inject(
        "answer",
        status=404,
        reason="notFound",
        message=f"Not found: Table backcourt-emulator:{prefix}nba_precompute.features "
        "was not found in location US",
    )
    with pytest.raises(BackcourtError) as caught:
        connect(location="US").query("select 1 as one")
    assert "is in location EU, not in US" in caught.value.message
    assert "BACKCOURT_BQ_LOCATION=EU" in caught.value.render()


class Token(google.auth.credentials.Credentials):
    """Credentials that renew their token as often as they are asked, or cannot."""

    def __init__(self, *, renews: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.token = "ya29.secret"  # noqa: S105 (made up)
        self.renews = renews

    def refresh(self, request: object) -> None:
        del request
        if not self.renews:
            message = "('invalid_grant: Token has been expired or revoked.', {'key': 'secret'})"
            raise google.auth.exceptions.RefreshError(message)


@pytest.mark.parametrize("renews", [True, False])
def test_expired_credentials_stop_at_once_and_are_not_shown(
    connect: Connect, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, renews: bool
) -> None:
    warehouse = connect()
    monkeypatch.setattr(warehouse._connection, "_credentials", lambda: Token(renews=renews))
    proxy.inject("answer", status=401, reason="authError", message="secret", path="", times=10_000)
    with pytest.raises(BackcourtError) as caught:
        warehouse.query("select 1 as one")
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert "does not accept the credentials" in caught.value.message
    assert "gcloud auth application-default login" in caught.value.render()
    assert "secret" not in caught.value.render()
    # The client itself renews a token twice before it gives up.
    assert len(proxy.seen) <= 3


def test_a_machine_without_credentials_says_how_to_get_some(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_default(**_: object) -> None:
        raise google.auth.exceptions.DefaultCredentialsError("Your default credentials ...")

    monkeypatch.setattr("google.auth.default", no_default)
    with pytest.raises(BackcourtError) as caught:
        connect(endpoint=None).query("select 1 as one")
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert "gcloud auth application-default login" in caught.value.render()
    assert "GOOGLE_APPLICATION_CREDENTIALS" in caught.value.render()


@pytest.mark.parametrize("retryable", [True, False])
def test_a_refused_token_is_retried_only_if_google_says_so(retryable: bool) -> None:
    error = google.auth.exceptions.RefreshError("invalid_grant", retryable=retryable)
    assert is_passing(error) is retryable


def test_without_the_right_to_read_sessions_rest_gives_the_same_rows(
    warehouse: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.ensure_tables([FEATURES])
    warehouse.commit(
        [TableChange(FEATURES.name, FEATURES.key, features([FIRST], 1.0, range(20_000)))]
    )

    def denied(*_: object, **__: object) -> None:
        raise google_exceptions.PermissionDenied("bigquery.readsessions.create")

    storage = warehouse._connection.storage
    assert storage is not None
    monkeypatch.setattr(storage, "create_read_session", denied)
    assert len(scores(warehouse)) == 20_000
    assert warehouse._connection.storage is None
