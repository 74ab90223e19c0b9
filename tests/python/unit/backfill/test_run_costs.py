from __future__ import annotations

import datetime as dt
from typing import Any, cast

import pyarrow as pa
import pytest

from python_workers.backfill.run_costs import StageCost, restore_recipe, run_costs
from python_workers.errors import BackcourtError, ExitCode
from python_workers.warehouse.bigquery.client import BigQueryOptions
from python_workers.warehouse.bigquery.warehouse import BigQueryWarehouse
from tests.python.support.command import CommandLine

RUN = "20240102T093000-1A2B3C4D"
COST: dict[str, Any] = {
    "stage": "psza",
    "processor": "psza",
    "jobs": 3,
    "bytes_processed": 5,
    "bytes_billed": 10_485_760,
    "slot_ms": 1500,
}


class Jobs:
    """A warehouse that answers the query of jobs."""

    options = BigQueryOptions("my-project", "EU", execution_project="my-jobs")

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = rows
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def query(self, sql: str, params: dict[str, Any]) -> pa.Table:
        self.asked.append((sql, params))
        return pa.Table.from_pylist(list(self.rows))


def costs_of(jobs: Jobs, run_id: str = RUN) -> list[StageCost]:
    return run_costs(cast("BigQueryWarehouse", jobs), run_id)


def test_a_run_is_found_by_its_label_around_its_start() -> None:
    jobs = Jobs(COST)
    assert costs_of(jobs) == [StageCost(**COST)]
    ((sql, params),) = jobs.asked
    assert "from `my-jobs`.`region-eu`.INFORMATION_SCHEMA.JOBS_BY_PROJECT" in sql
    assert params["run"] == "20240102t093000-1a2b3c4d"
    start = dt.datetime(2024, 1, 2, 9, 30, tzinfo=dt.UTC)
    assert params["first"] < start < params["last"]


@pytest.mark.parametrize(("run_id", "said"), [(RUN, "no job of run"), ("latest", "no run id")])
def test_a_run_without_jobs_and_a_wrong_id_are_named(run_id: str, said: str) -> None:
    with pytest.raises(BackcourtError, match=said) as caught:
        costs_of(Jobs(), run_id)
    assert caught.value.exit_code == ExitCode.USAGE


def test_duckdb_has_no_costs(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = CommandLine(capsys)("costs", "--run", RUN, "--target", "duckdb")
    assert outcome.code == ExitCode.USAGE
    assert "cost nothing" in outcome.err


def test_the_way_to_keep_rows_names_each_table_and_the_time_before() -> None:
    now = dt.datetime(2024, 1, 2, 9, 30, tzinfo=dt.UTC)
    options = BigQueryOptions("my-project", dataset_prefix="dev_")
    lines = restore_recipe(options, ["nba_precompute.a", "nba_predictions.b"], now)
    assert (
        "  bq cp --snapshot --no_clobber my-project:dev_nba_precompute.a "
        "my-project:dev_nba_precompute.a_202401020930"
    ) in lines
    assert sum("bq cp" in line for line in lines) == 2
    assert "system_time as of timestamp '2024-01-02 09:30:00+00'" in lines[-1]
