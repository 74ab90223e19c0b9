"""The client of `python_workers` and dbt use the same credentials from one environment."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import google.auth.credentials
import google.auth.impersonated_credentials
import google.oauth2.service_account
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from dbt.adapters.bigquery.credentials import BigQueryCredentials, create_google_credentials
from jinja2 import Environment

from python_workers.settings import load_settings
from python_workers.warehouse.bigquery.open import open_bigquery
from tests.python.support.folders import REPOSITORY

ACCOUNT = "backcourt@my-project.iam.gserviceaccount.com"
OTHER = "features@my-project.iam.gserviceaccount.com"


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service account's key, named as application-default credentials."""
    private = rsa.generate_private_key(65_537, 2_048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    key = {
        "type": "service_account",
        "project_id": "my-project",
        "private_key": private.decode(),
        "client_email": ACCOUNT,
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    monkeypatch.setenv("BACKCOURT_TARGET", "bigquery")
    monkeypatch.setenv("BACKCOURT_BQ_PROJECT", "my-project")
    monkeypatch.setenv("BACKCOURT_BQ_LOCATION", "EU")
    return path


def profile() -> dict[str, Any]:
    """Return the target `bigquery` as dbt renders it."""
    environment = Environment(autoescape=False)  # noqa: S701 (YAML, not HTML)
    environment.globals["env_var"] = lambda name, default="": os.environ.get(name, default)
    environment.filters["as_number"] = int
    text = (REPOSITORY / "profiles" / "profiles.yml").read_text(encoding="utf-8")
    target = yaml.safe_load(environment.from_string(text).render())["backcourt"]["outputs"]
    found: dict[str, Any] = target["bigquery"]
    return found


def dbt_credentials() -> BigQueryCredentials:
    given = BigQueryCredentials.translate_aliases(profile())
    return BigQueryCredentials.from_dict({**given, "type": "bigquery"})


def both_credentials() -> list[google.auth.credentials.Credentials]:
    with open_bigquery(load_settings()) as warehouse:
        ours = warehouse._connection.client._credentials
    return [ours, create_google_credentials(dbt_credentials())]


@pytest.mark.usefixtures("key_file")
def test_a_key_file_is_found() -> None:
    for credentials in both_credentials():
        assert isinstance(credentials, google.oauth2.service_account.Credentials)
        assert credentials.service_account_email == ACCOUNT


@pytest.mark.usefixtures("key_file")
def test_another_account_is_impersonated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKCOURT_BQ_IMPERSONATE", OTHER)
    for credentials in both_credentials():
        assert isinstance(credentials, google.auth.impersonated_credentials.Credentials)
        assert credentials.service_account_email == OTHER
        assert credentials._source_credentials.service_account_email == ACCOUNT


@pytest.mark.usefixtures("key_file")
def test_project_location_prefix_and_limit_are_the_same_for_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BACKCOURT_BQ_DATASET_PREFIX", "dev_")
    monkeypatch.setenv("BACKCOURT_BQ_MAX_BYTES_BILLED", "123456")
    with open_bigquery(load_settings()) as warehouse:
        options, client = warehouse._options, warehouse._connection.client
    dbt = dbt_credentials()
    assert (client.project, client.location) == ("my-project", "EU")
    assert (dbt.execution_project, dbt.location) == ("my-project", "EU")
    assert options.maximum_bytes_billed == dbt.maximum_bytes_billed == 123_456
    assert (options.dataset_prefix, dbt.schema) == ("dev_", "dev_nba_staging")


@pytest.mark.usefixtures("key_file")
def test_the_limit_has_one_default() -> None:
    assert load_settings().bq_max_bytes_billed == dbt_credentials().maximum_bytes_billed
