"""A person's own project: ``make test-bigquery PROJECT=my-project`` (about 0.10 USD at most).

It makes datasets of its own, whose names begin with ``backcourt_test_``, and drops them at the end.
``PROJECT=emulator`` and ``PROJECT=local-bigquery`` run it on an emulator instead, to show that it
works.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from python_workers.errors import BackcourtError
from python_workers.settings import load_settings
from python_workers.table_names import DATASETS
from python_workers.warehouse.base import TableChange
from python_workers.warehouse.bigquery.open import open_bigquery
from python_workers.warehouse.bigquery.warehouse import BigQueryWarehouse
from tests.python.bigquery.emulator import BQEMULATOR, LOCAL_BIGQUERY, running_emulator
from tests.python.bigquery.fortnight import finished, play_fortnight
from tests.python.bigquery.tables import FEATURES, FIRST, features, scores
from tests.python.support.command import CommandLine

PROJECT = os.environ.get("TEST_BIGQUERY_PROJECT", "")
EMULATORS = {"emulator": BQEMULATOR, LOCAL_BIGQUERY.name: LOCAL_BIGQUERY}
IS_REAL = PROJECT not in ("", *EMULATORS)

pytestmark = [
    pytest.mark.skipif(not PROJECT, reason="opt-in: make test-bigquery PROJECT=my-project"),
    pytest.mark.timeout(3600),
]
on_google_alone = pytest.mark.skipif(not IS_REAL, reason="the emulator does not do it")


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use datasets of this run only, and drop them at the end in any case."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BACKCOURT_BQ_DATASET_PREFIX", f"backcourt_test_{uuid.uuid4().hex[:8]}_")
        if IS_REAL:
            patch.setenv("BACKCOURT_TARGET", "bigquery")
            patch.setenv("BACKCOURT_BQ_PROJECT", PROJECT)
            yield from dropped_at_the_end()
            return
        patch.setenv("BACKCOURT_TARGET", "emulator")
        folder = tmp_path_factory.mktemp("emulator")
        with running_emulator(folder, EMULATORS[PROJECT]) as emulator:
            for name, value in emulator.settings().items():
                patch.setenv(name, value)
            yield


def dropped_at_the_end() -> Iterator[None]:
    try:
        yield
    finally:
        settings = load_settings()
        with open_bigquery(settings) as warehouse:
            for dataset in DATASETS:
                warehouse._connection.client.delete_dataset(
                    f"{PROJECT}.{settings.bq_dataset_prefix}{dataset}",
                    delete_contents=True,
                    not_found_ok=True,
                )


@pytest.fixture
def warehouse(datasets: None) -> Iterator[BigQueryWarehouse]:  # noqa: ARG001 -- made before
    with open_bigquery(load_settings()) as opened:
        yield opened


@pytest.fixture
def backcourt(
    datasets: None,  # noqa: ARG001 -- made before
    capsys: pytest.CaptureFixture[str],
) -> CommandLine:
    return CommandLine(capsys)


def test_a_first_backfill_its_repetition_and_a_correction(
    backcourt: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play_fortnight(backcourt, tmp_path, monkeypatch)


def test_a_dry_run_knows_the_bytes(backcourt: CommandLine) -> None:
    outcome = backcourt("backfill", "--all", "--dry-run", "--log-format", "json")
    estimates = [one for one in outcome.events() if one["event"] == "cost_estimated"]
    assert all(one["bytes"] is not None for one in estimates)
    assert any(one["bytes"] > 0 for one in estimates) or not IS_REAL


def test_two_runs_and_two_commits_that_overlap(warehouse: BigQueryWarehouse) -> None:
    with open_bigquery(load_settings()) as other, warehouse.only_writer():
        with pytest.raises(BackcourtError, match="another run writes to these datasets"):
            other.only_writer().__enter__()
        warehouse.ensure_tables([FEATURES])
        change = TableChange(FEATURES.name, FEATURES.key, features([FIRST], 1.0))
        for each in (warehouse, warehouse, other):
            each.commit([change])
    assert scores(warehouse) == [(FIRST, 1, 1.0), (FIRST, 2, 1.0)]


def test_a_dataset_that_expires_is_refused(
    backcourt: CommandLine, warehouse: BigQueryWarehouse
) -> None:
    client, options = warehouse._connection.client, warehouse.options
    name = f"{options.project}.{options.dataset_prefix}nba_predictions"
    dataset = client.get_dataset(name)
    try:
        dataset.default_table_expiration_ms = 60 * 86_400_000
        dataset = client.update_dataset(dataset, ["default_table_expiration_ms"])
        refused = backcourt("backfill", "--all")
        assert (refused.code, "bq update --default_table_expiration 0" in refused.err) == (3, True)
    finally:
        dataset.default_table_expiration_ms = None
        client.update_dataset(dataset, ["default_table_expiration_ms"])


@on_google_alone
def test_the_readers_of_views_are_authorised(warehouse: BigQueryWarehouse) -> None:
    options = warehouse.options
    name = f"{options.project}.{options.dataset_prefix}nba_precompute"
    entries = warehouse._connection.client.get_dataset(name).access_entries
    assert [one for one in entries if one.entity_type == "dataset"]


@pytest.mark.skipif(
    not os.environ.get("BACKCOURT_BQ_IMPERSONATE"), reason="BACKCOURT_BQ_IMPERSONATE names nobody"
)
@on_google_alone
def test_the_named_service_account_runs_the_jobs(warehouse: BigQueryWarehouse) -> None:
    (row,) = warehouse.query("select session_user() as account").to_pylist()
    assert row["account"] == os.environ["BACKCOURT_BQ_IMPERSONATE"]


@on_google_alone
def test_what_it_cost(backcourt: CommandLine, capsys: pytest.CaptureFixture[str]) -> None:
    run = finished(backcourt, "--force")["run_id"]
    costs = backcourt("costs", "--run", run)
    assert costs.code == 0, costs
    with capsys.disabled():
        print(costs.out)
