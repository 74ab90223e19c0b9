"""A second emulator, which is stricter about requests and partition filters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from python_workers.warehouse.base import TableChange
from python_workers.warehouse.bigquery.client import BigQueryOptions
from python_workers.warehouse.bigquery.warehouse import BigQueryWarehouse
from tests.python.bigquery.emulator import LOCAL_BIGQUERY, Emulator, running_emulator
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
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not LOCAL_BIGQUERY.is_available, reason=LOCAL_BIGQUERY.needs),
]


@pytest.fixture(scope="module")
def second_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running_emulator(tmp_path_factory.mktemp("emulator"), LOCAL_BIGQUERY) as running:
        yield running


def test_the_lease_upserts_and_commits_work_on_it(second_emulator: Emulator) -> None:
    options = BigQueryOptions(
        second_emulator.project,
        endpoint=second_emulator.endpoint,
        storage_endpoint=second_emulator.storage_endpoint,
        dataset_prefix="small_",
    )
    with BigQueryWarehouse(options) as warehouse, warehouse.only_writer():
        warehouse.ensure_tables([FEATURES, RUNS, PLAYERS])
        assert warehouse.upsert(PLAYERS, players((1, "Al Horford", None, "C"))).inserted == 1
        warehouse.commit(chunk("one", [FIRST, SECOND], 1.0))
        change = TableChange(FEATURES.name, FEATURES.key, features([FIRST], 2.0))
        for _ in range(2):
            warehouse.commit([change])
        assert scores(warehouse) == [
            (FIRST, 1, 2.0),
            (FIRST, 2, 2.0),
            (SECOND, 1, 1.0),
            (SECOND, 2, 1.0),
        ]
        assert run_ids(warehouse) == [(FIRST, "one"), (SECOND, "one")]
