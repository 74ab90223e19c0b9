"""One run writes to the datasets at a time, and commits that overlap leave one set of rows."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from python_workers.errors import BackcourtError, ExitCode
from python_workers.warehouse.base import TableChange
from python_workers.warehouse.bigquery.warehouse import BigQueryWarehouse
from tests.python.bigquery.fault_proxy import FaultProxy
from tests.python.bigquery.sent_jobs import sent_jobs
from tests.python.bigquery.tables import FEATURES, FIRST, RUNS, chunk, features, run_ids, scores

Connect = Callable[..., BigQueryWarehouse]


def lease_of(warehouse: BigQueryWarehouse) -> dict[str, object]:
    (row,) = warehouse.query("select * from nba_processing.run_lease").to_pylist()
    return dict(row)


def test_a_second_run_is_refused_while_the_first_lives_and_takes_over_when_it_is_dead(
    connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = connect(lease_seconds=1.5), connect(lease_seconds=1.5)
    first.ensure_tables([FEATURES, RUNS])
    with first.only_writer():
        with pytest.raises(BackcourtError, match="another run writes to these datasets") as refused:
            second.only_writer().__enter__()
        assert refused.value.exit_code == ExitCode.ENVIRONMENT
        assert "process" in refused.value.message
        # Act like a killed process: neither renew the lease nor release it.
        first._lease._over.set()
        with second.only_writer():
            second.commit(chunk("second", [FIRST], 2.0))
            with pytest.raises(BackcourtError, match="another run has taken over") as lost:
                first.commit(chunk("first", [FIRST], 1.0))
            assert "process" in lost.value.message
    assert "waiting for another run" in capsys.readouterr().err
    assert run_ids(second) == [(FIRST, "second")]
    assert scores(second) == [(FIRST, 1, 2.0), (FIRST, 2, 2.0)]


def test_the_lease_is_renewed_and_each_transaction_updates_its_row_first(
    connect: Connect, proxy: FaultProxy
) -> None:
    warehouse = connect(lease_seconds=0.6)
    warehouse.ensure_tables([FEATURES])
    with warehouse.only_writer():
        before = lease_of(warehouse)
        deadline = time.monotonic() + 20
        while lease_of(warehouse)["renewed_at"] == before["renewed_at"]:
            assert time.monotonic() < deadline
        warehouse.commit([TableChange(FEATURES.name, FEATURES.key, features([FIRST], 1.0))])
    statements = [job.statement or "" for job in sent_jobs(proxy.seen)]
    (script,) = [statement for statement in statements if "begin transaction" in statement]
    assert "run_lease" in script.split(";")[1]


def test_a_run_that_ends_lets_the_next_one_begin_at_once(
    connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        with connect(lease_seconds=3600.0).only_writer():
            pass
    assert capsys.readouterr().err == ""


def test_two_commits_that_overlap_leave_one_set_of_rows(connect: Connect) -> None:
    warehouse = connect()
    warehouse.ensure_tables([FEATURES, RUNS])
    change = TableChange(FEATURES.name, FEATURES.key, features([FIRST], 1.0))
    for _ in range(2):
        warehouse.commit([change])
    assert scores(warehouse) == [(FIRST, 1, 1.0), (FIRST, 2, 1.0)]


def test_datasets_are_created_with_a_description_and_refused_once_they_expire(
    connect: Connect, prefix: str
) -> None:
    warehouse = connect()
    with warehouse.only_writer():
        pass
    client = warehouse._connection.client
    dataset = client.get_dataset(f"{prefix}nba_predictions")
    assert dataset.labels == {"app": "backcourt"}
    assert dataset.description
    dataset.default_table_expiration_ms = 60 * 86_400_000
    client.update_dataset(dataset, ["default_table_expiration_ms"])
    with pytest.raises(BackcourtError, match="nba_predictions deletes new tables"):
        warehouse.only_writer().__enter__()
