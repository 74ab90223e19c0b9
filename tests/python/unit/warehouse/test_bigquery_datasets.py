"""Datasets, tables and settings of BigQuery, with a client that only records its calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud.bigquery.table import TableListItem

from python_workers import table_names
from python_workers.errors import BackcourtError, ExitCode
from python_workers.raw.schema import CHANGED_GAMES, GAMES
from python_workers.settings import load_settings
from python_workers.warehouse.bigquery.datasets import WITH_VIEWS, prepare_datasets
from python_workers.warehouse.bigquery.layout import new_table
from python_workers.warehouse.bigquery.open import open_bigquery
from tests.python.support.folders import REPOSITORY
from tests.python.unit.warehouse.test_bigquery_jobs import (
    OWNER,
    TABLE,
    Client,
    replace_rows,
    warehouse_of,
)

DAY_MS = 86_400_000
KEY = "projects/p/locations/eu/keyRings/ring/cryptoKeys/key"
RESERVATION = "projects/my-slots/locations/EU/reservations/nightly"


def listed(name: str, **fields: Any) -> TableListItem:
    reference = {"projectId": "my-project", "datasetId": "nba_raw", "tableId": name}
    return TableListItem({"tableReference": reference, **fields})


def refusal(client: Client) -> BackcourtError:
    with pytest.raises(BackcourtError) as refused:
        prepare_datasets(warehouse_of(client)._connection)
    assert refused.value.exit_code == ExitCode.ENVIRONMENT
    return refused.value


def test_a_dataset_whose_tables_expire_is_refused_with_the_way_out() -> None:
    client = Client()
    client.expirations["nba_predictions"] = 60 * DAY_MS
    said = refusal(client).render()
    assert "nba_predictions deletes new tables or partitions after 60 days" in said
    assert (
        "bq update --default_table_expiration 0 --default_partition_expiration 0 "
        "my-project:nba_predictions"
    ) in said


@pytest.mark.parametrize(
    ("fields", "option"),
    [
        ({"expirationTime": str(4_000_000_000_000)}, "expiration_timestamp = null"),
        (
            {"timePartitioning": {"type": "DAY", "expirationMs": str(60 * DAY_MS)}},
            "partition_expiration_days = null",
        ),
    ],
)
def test_a_table_that_expires_is_found(fields: dict[str, Any], option: str) -> None:
    client = Client()
    client.tables = [listed("games", **fields)]
    assert (
        f"alter table `my-project.nba_raw.games` set options ({option})" in refusal(client).render()
    )


def test_tables_that_are_meant_to_expire_are_left_alone() -> None:
    client = Client()
    soon = {"expirationTime": str(4_000_000_000_000)}
    client.tables = [listed("staged_0123456789ab_0a", **soon), listed("games__dbt_tmp", **soon)]
    prepare_datasets(warehouse_of(client)._connection)


@pytest.mark.parametrize(
    ("changed", "is_another"),
    [
        ({}, False),
        ({"etag": "another"}, False),
        ({"lastModifiedTime": "1700000000001"}, True),
        ({"numRows": "3"}, True),
        ({"schema": {"fields": [{"name": "player_id", "type": "STRING"}]}}, True),
    ],
)
def test_the_state_of_a_table_is_its_time_rows_and_schema(
    changed: dict[str, Any], is_another: bool
) -> None:
    client = Client()
    before = warehouse_of(client).content_state([TABLE])
    client.metadata = changed
    assert (warehouse_of(client).content_state([TABLE]) != before) is is_another
    assert client.configurations == {}


@pytest.mark.parametrize("kind", ["VIEW", "EXTERNAL", "MATERIALIZED_VIEW"])
def test_the_state_of_a_view_is_a_hash_of_its_rows(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    client.metadata = {"type": kind}
    warehouse = warehouse_of(client)
    asked: list[str] = []

    class Answer:
        def to_pylist(self) -> list[dict[str, int]]:
            return [{"hash": len(asked)}]

    def query(sql: str) -> Answer:
        asked.append(sql)
        return Answer()

    monkeypatch.setattr(warehouse, "query", query)
    states = [warehouse.content_state([TABLE]) for _ in range(2)]
    assert states[0] != states[1]
    assert "bit_xor(farm_fingerprint(to_json_string(t)))" in asked[0]


def test_a_table_has_its_key_and_a_label() -> None:
    games = new_table(GAMES.spec, "p.nba_raw.games", None)
    keys = games.to_api_repr()["tableConstraints"]
    assert keys["primaryKey"] == {"columns": ["game_id"]}
    assert games.labels == {"app": "backcourt"}
    # Several of its rows share a key: declaring it unique would give wrong results.
    assert new_table(CHANGED_GAMES, "p.nba_raw.c", None).table_constraints is None


VARIABLES = {
    "BACKCOURT_BQ_PROJECT": "my-data",
    "BACKCOURT_BQ_EXECUTION_PROJECT": "my-jobs",
    "BACKCOURT_BQ_QUOTA_PROJECT": "my-quota",
    "BACKCOURT_BQ_RESERVATION": RESERVATION,
    "BACKCOURT_BQ_PRIORITY": "batch",
    "BACKCOURT_BQ_JOB_SECONDS": "77",
    "BACKCOURT_BQ_KMS_KEY": KEY,
    "BACKCOURT_BQ_IMPERSONATE": "robot@my-data.iam.gserviceaccount.com",
    "BACKCOURT_BQ_MAX_BYTES_BILLED": "1234",
}


def profile_of_dbt(environment: dict[str, str]) -> dict[str, Any]:
    """Return dbt's connection, rendered by dbt."""
    from dbt.config.renderer import ProfileRenderer
    from dbt_common.context import set_invocation_context

    set_invocation_context(environment)
    profiles = yaml.safe_load(Path(REPOSITORY, "profiles", "profiles.yml").read_text())
    rendered: dict[str, Any] = ProfileRenderer({}).render_data(
        profiles["backcourt"]["outputs"]["bigquery"]
    )
    return rendered


@pytest.mark.parametrize("is_set", [True, False])
def test_dbt_and_the_client_take_the_same_settings(
    monkeypatch: pytest.MonkeyPatch, is_set: bool
) -> None:
    given = VARIABLES if is_set else {"BACKCOURT_BQ_PROJECT": "my-data"}
    for name in VARIABLES:
        monkeypatch.setenv(name, given.get(name, ""))
    options = open_bigquery(load_settings(target="bigquery"))._options
    dbt = profile_of_dbt(given)
    assert dbt["project"] == options.project
    assert dbt["execution_project"] == (options.execution_project or options.project)
    assert dbt["quota_project"] == options.quota_project
    assert dbt["reservation"] == options.reservation
    assert dbt["priority"] == options.priority
    assert dbt["job_execution_timeout_seconds"] == options.job_seconds
    assert dbt["maximum_bytes_billed"] == options.maximum_bytes_billed
    assert (dbt["impersonate_service_account"] or None) == options.impersonate
    assert options.kms_key == (KEY if is_set else None)


def test_jobs_take_the_settings_and_name_the_project_of_the_data() -> None:
    client = Client()
    warehouse = warehouse_of(
        client,
        execution_project="my-jobs",
        reservation=RESERVATION,
        priority="batch",
        kms_key=KEY,
        dataset_prefix="dev_",
    )
    warehouse.execute("delete from nba_raw.games where true")
    replace_rows(warehouse)
    deletion, load, script = client.configurations.values()
    assert deletion["sql"] == "delete from `my-project`.dev_nba_raw.games where true"
    assert "`my-project.dev_nba_precompute.features`" in script["sql"]
    assert deletion["query"]["priority"] == script["query"]["priority"] == "BATCH"
    assert deletion["reservation"] == script["reservation"] == RESERVATION
    assert load["load"]["destinationEncryptionConfiguration"] == {"kmsKeyName": KEY}


def test_readers_of_views_need_not_read_the_tables_below() -> None:
    client = Client()
    warehouse = warehouse_of(client, dataset_prefix="dev_")
    for _ in range(2):
        prepare_datasets(warehouse._connection)
    authorised = {
        dataset: [
            entry.to_api_repr()["dataset"]["dataset"]["datasetId"]
            for entry in entries
            if entry.entity_type == "dataset"
        ]
        for dataset, entries in client.access.items()
    }
    viewers = ["dev_nba_staging", "dev_nba_predictions", "dev_nba_processing"]
    assert authorised == {
        f"dev_{dataset}": [viewer for viewer in viewers if viewer != f"dev_{dataset}"]
        for dataset in table_names.DATASETS
    }
    # The other entries stay.
    assert all(entries[0] == OWNER for entries in client.access.values())


def test_a_user_who_may_not_authorise_views_is_told_and_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = Client()
    client.may_not_update = True
    prepare_datasets(warehouse_of(client)._connection)
    assert "nba_raw does not authorise the views" in capsys.readouterr().err


def test_views_stand_only_in_datasets_that_the_others_authorise() -> None:
    models = Path(REPOSITORY, "models")
    text = (REPOSITORY / "dbt_project.yml").read_text()
    schemas = yaml.safe_load(text)["models"]["backcourt"]
    views = [
        folder
        for path in models.rglob("*.sql")
        for folder in [path.relative_to(models).parts[0]]
        if "materialized='view'" in path.read_text()
        or schemas[folder].get("+materialized") == "view"
    ]
    assert {schemas[folder]["+schema"] for folder in views} == set(WITH_VIEWS)
