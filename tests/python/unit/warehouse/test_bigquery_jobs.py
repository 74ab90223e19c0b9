"""Jobs and staging tables of BigQuery, with a client that only records its calls."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest
from google.api_core import exceptions as google_exceptions
from google.cloud import bigquery
from google.cloud.bigquery.table import TableListItem

from python_workers.errors import BackcourtError, ExitCode
from python_workers.runtime.signals import Interrupted
from python_workers.warehouse.base import TableChange
from python_workers.warehouse.bigquery.client import BigQueryOptions
from python_workers.warehouse.bigquery.errors import is_passing
from python_workers.warehouse.bigquery.warehouse import BigQueryWarehouse

TABLE = "nba_precompute.features"
OWNER = bigquery.AccessEntry("OWNER", "specialGroup", "projectOwners")
ROWS = pa.table({"player_id": [1, 2]})


class Client:
    """Google's client: each job stays in the state that the test names."""

    def __init__(self, state: str = "DONE", error: dict[str, str] | None = None) -> None:
        self.state = state
        self.error = error
        self.configurations: dict[str, dict[str, Any]] = {}
        self.cancelled: list[str] = []
        self.dropped: list[str] = []
        self.tables: list[TableListItem] = []
        self.interrupt_at_poll = False
        self.expirations: dict[str, int] = {}
        self.access: dict[str, list[bigquery.AccessEntry]] = {}
        self.may_not_update = False
        self.metadata: dict[str, Any] = {}

    def close(self) -> None:
        pass

    def _job(self, job_id: str) -> Any:
        failed = (
            None
            if self.error is None
            else google_exceptions.BadRequest("failed", errors=[self.error])
        )
        return SimpleNamespace(
            job_id=job_id,
            state=self.state,
            error_result=self.error,
            exception=lambda timeout: failed,  # noqa: ARG005
        )

    def query(self, sql: str, *, job_config: Any, job_id: str, **_: Any) -> Any:
        self.configurations[job_id] = job_config.to_api_repr() | {"sql": sql}
        return self._job(job_id)

    def load_table_from_file(self, *_: Any, job_config: Any, job_id: str, **__: Any) -> Any:
        self.configurations[job_id] = job_config.to_api_repr()
        return self._job(job_id)

    def get_job(self, job_id: str, **_: Any) -> Any:
        if self.interrupt_at_poll:
            raise Interrupted
        return self._job(job_id)

    def cancel_job(self, job_id: str, **_: Any) -> None:
        self.cancelled.append(job_id)

    def get_dataset(self, name: str, **_: Any) -> bigquery.Dataset:
        dataset = bigquery.Dataset(name)
        dataset.default_table_expiration_ms = self.expirations.get(dataset.dataset_id)
        dataset.access_entries = self.access.get(dataset.dataset_id, [OWNER])
        return dataset

    def update_dataset(self, dataset: bigquery.Dataset, fields: list[str], **_: Any) -> None:
        if self.may_not_update:
            raise google_exceptions.Forbidden("bigquery.datasets.update")
        assert fields == ["access_entries"]
        self.access[dataset.dataset_id] = list(dataset.access_entries)

    def get_table(self, name: str, **_: Any) -> bigquery.Table:
        resource = {
            "tableReference": bigquery.TableReference.from_string(name).to_api_repr(),
            "schema": {"fields": [{"name": "player_id", "type": "INTEGER"}]},
            "lastModifiedTime": "1700000000000",
            "numRows": "2",
            "type": "TABLE",
        }
        return bigquery.Table.from_api_repr(resource | self.metadata)

    def list_tables(self, *_: Any, **__: Any) -> list[TableListItem]:
        return self.tables

    def create_table(self, table: bigquery.Table, **_: Any) -> bigquery.Table:
        return table

    def delete_table(self, name: str, **_: Any) -> None:
        self.dropped.append(name.rpartition(".")[2])


def warehouse_of(client: Client, **changes: Any) -> BigQueryWarehouse:
    options = {"retry_seconds": 0.2, "first_delay_seconds": 0.01} | changes
    warehouse = BigQueryWarehouse(BigQueryOptions("my-project", **options))
    warehouse._connection._client = cast("bigquery.Client", client)
    return warehouse


def replace_rows(warehouse: BigQueryWarehouse) -> None:
    warehouse.commit([TableChange(TABLE, ("player_id",), ROWS)])


def test_every_job_has_a_time_limit_of_bigquerys_own() -> None:
    client = Client()
    replace_rows(warehouse_of(client, job_seconds=90.0))
    limits = [job.get("jobTimeoutMs") for job in client.configurations.values()]
    assert limits == ["90000", "90000"]
    assert "maximumBytesBilled" not in str(client.configurations)


def test_a_job_that_runs_too_long_is_cancelled() -> None:
    client = Client("RUNNING")
    with pytest.raises(BackcourtError, match="was cancelled") as stopped:
        warehouse_of(client, job_seconds=0.0).execute("select 1")
    assert stopped.value.exit_code == ExitCode.ENVIRONMENT
    assert client.cancelled == list(client.configurations)


@pytest.mark.parametrize("kind", ["commit", "query"])
def test_a_signal_cancels_the_jobs_that_still_run(kind: str) -> None:
    client = Client("RUNNING")
    client.interrupt_at_poll = True
    with pytest.raises(Interrupted), warehouse_of(client) as warehouse:
        replace_rows(warehouse) if kind == "commit" else warehouse.execute("select 1")
    assert client.cancelled == list(client.configurations)


def test_a_finished_job_is_not_cancelled() -> None:
    client = Client()
    with suppress(KeyError), warehouse_of(client) as warehouse:
        replace_rows(warehouse)
        raise KeyError
    assert client.cancelled == []


def test_a_job_that_bigquery_ends_at_its_time_limit_is_not_tried_again() -> None:
    client = Client(error={"reason": "timeout", "message": "Job execution: Job timed out after 1s"})
    with pytest.raises(BackcourtError, match="at its time limit") as stopped:
        warehouse_of(client).execute("select 1")
    assert "BACKCOURT_BQ_JOB_SECONDS" in " ".join(stopped.value.hint)
    assert len(client.configurations) == 1


def test_job_ids_differ_by_task_and_by_parameters() -> None:
    client = Client()
    warehouse = warehouse_of(client)
    for day in (dt.date(2021, 12, 1), dt.date(2021, 12, 2), dt.date(2021, 12, 2)):
        warehouse.execute("select @day", {"day": day})
    assert len(client.configurations) == 3


def test_a_stream_that_the_storage_api_aborts_is_read_again() -> None:
    assert is_passing(google_exceptions.Aborted("stream was aborted"))
    assert not is_passing(google_exceptions.Conflict("already exists"))


def test_old_staging_tables_of_any_run_are_deleted() -> None:
    client = Client()
    warehouse = warehouse_of(client, job_seconds=1800.0, retry_seconds=600.0)
    own = warehouse._staging._process
    now = dt.datetime.now(dt.UTC)
    made = {
        "staged_0123456789ab_0a": 24.0,
        "staged_0123456789ab_0b": 0.5,
        f"staged_{own}_0c": 24.0,
        "staged_notes": 24.0,
        "processor_runs": 24.0,
    }
    for name, hours in made.items():
        reference = {"projectId": "my-project", "datasetId": "nba_processing", "tableId": name}
        created = now - dt.timedelta(hours=hours)
        resource = {
            "tableReference": reference,
            "creationTime": str(round(created.timestamp() * 1000)),
        }
        client.tables.append(TableListItem(resource))
    warehouse._staging.sweep()
    assert client.dropped == ["staged_0123456789ab_0a"]


def test_an_address_at_which_nothing_listens_is_named_soon() -> None:
    options = BigQueryOptions(
        "my-project",
        endpoint="http://127.0.0.1:9",
        connect_seconds=0.1,
        first_delay_seconds=0.01,
        longest_delay_seconds=0.05,
        retry_seconds=30.0,
    )
    with (
        BigQueryWarehouse(options) as warehouse,
        pytest.raises(BackcourtError, match=r"nothing answers at http://127\.0\.0\.1:9") as raised,
    ):
        warehouse.query("select 1")
    assert raised.value.exit_code == ExitCode.ENVIRONMENT
    assert "BACKCOURT_BQ_CONNECT_SECONDS" in raised.value.hint[0]
