from __future__ import annotations

from pathlib import Path

import pytest

from python_workers.errors import BackcourtError
from python_workers.settings import Settings, is_project_dir, load_settings, resolve_project_dir

PROJECT = "name: backcourt\nversion: '1'\n"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("BACKCOURT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    (folder / "dbt_project.yml").write_text(PROJECT)
    return folder


def test_without_a_variable_the_defaults_hold(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    settings = load_settings()
    assert settings.target == "duckdb"
    assert settings.warehouse_file == project / "data" / "backcourt.duckdb"
    assert settings.raw_dir is None


def test_the_environment_configures_and_options_override_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BACKCOURT_DUCKDB_PATH", "other.duckdb")
    monkeypatch.setenv("BACKCOURT_N_JOBS", "3")
    monkeypatch.setenv("BACKCOURT_BQ_PROJECT", "")
    settings = load_settings(n_jobs=2, target=None)
    assert settings.warehouse_file == tmp_path / "other.duckdb"
    assert settings.n_jobs == 2
    assert settings.bq_project is None


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    unset = load_settings()
    for name in Settings.model_fields:
        monkeypatch.setenv(f"BACKCOURT_{name.upper()}", "")
    monkeypatch.setenv("BACKCOURT_PROJECT_DIR", "")
    assert load_settings() == unset
    assert load_settings().warehouse_file == unset.warehouse_file


def test_a_password_in_an_address_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKCOURT_BQ_ENDPOINT", "ftp://me:password@host/token")
    with pytest.raises(BackcourtError, match="ftp://host/…") as caught:
        load_settings()
    assert "password" not in caught.value.render()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TARGET", "postgres"),
        ("N_JOBS", "0"),
        ("N_JOBS", "many"),
        ("DUCKDB_MEMORY_LIMIT", "lots"),
        ("WAIT_SECONDS", "-1"),
        ("BQ_PROJECT", "x`; drop table y"),
        ("BQ_DATASET_PREFIX", "my-prefix."),
        ("BQ_LOCATION", "EU; --"),
        ("BQ_ENDPOINT", "127.0.0.1:9050"),
        ("BQ_MAX_BYTES_BILLED", "0"),
        ("CHUNK_DATES", "0"),
        ("COMMIT_ROWS", "0"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(f"BACKCOURT_{variable}", value)
    with pytest.raises(BackcourtError) as caught:
        load_settings()
    assert caught.value.exit_code == 2
    assert f"BACKCOURT_{variable}" in caught.value.message
    assert value in caught.value.message


@pytest.mark.parametrize(
    ("name", "value", "example"),
    [
        ("DUCKDB_MEMORY_LIMIT", "lots", "700MB"),
        ("BQ_PROJECT", "My Project", "my-project"),
        ("BQ_LOCATION", "E", "US"),
        ("BQ_DATASET_PREFIX", "a-", "staging_"),
    ],
)
def test_a_wrong_value_is_answered_with_an_example(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, example: str
) -> None:
    monkeypatch.setenv(f"BACKCOURT_{name}", value)
    with pytest.raises(BackcourtError) as caught:
        load_settings()
    assert caught.value.render().rstrip().endswith(f"It should look like {example}.")
    monkeypatch.setenv(f"BACKCOURT_{name}", example)
    load_settings()


def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a misspelt variable, the command would use another warehouse."""
    for name, meant in (
        ("DUCKB_PATH", "DUCKDB_PATH"),
        ("DUCK_DB_PATH", "DUCKDB_PATH"),
        ("BQ_DATASET", "BQ_DATASET_PREFIX"),
        ("PROJECTDIR", "PROJECT_DIR"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(f"BACKCOURT_{name}", "x")
            with pytest.raises(BackcourtError, match=f"BACKCOURT_{name} is no setting") as caught:
                load_settings()
            assert f"Did you mean BACKCOURT_{meant}?" in caught.value.render()
            assert caught.value.exit_code == 2
            patch.setenv(f"BACKCOURT_{name}", "")
            load_settings()
    for name in ("IMAGE_TAG", "FAULTS", "KILLS", "KILLS_SEED", "JOB_LABELS", "EMULATOR_DIR"):
        monkeypatch.setenv(f"BACKCOURT_{name}", "of a script around it")
    load_settings()


def test_an_option_that_does_not_fit_is_named_as_an_option() -> None:
    with pytest.raises(BackcourtError, match=r"--wait is -1"):
        load_settings(wait_seconds=-1)
    with pytest.raises(BackcourtError, match=r"--n-jobs is 0"):
        load_settings(n_jobs=0)


class TestProjectFolder:
    def test_the_working_folder_counts_if_it_is_a_project(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(project)
        assert resolve_project_dir() == project

    def test_elsewhere_it_is_the_folder_of_the_package(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert is_project_dir(resolve_project_dir())
        assert (resolve_project_dir() / "python_workers").is_dir()

    def test_the_variable_decides_and_is_checked(
        self, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BACKCOURT_PROJECT_DIR", str(project))
        assert resolve_project_dir() == project
        monkeypatch.setenv("BACKCOURT_PROJECT_DIR", str(tmp_path))
        with pytest.raises(BackcourtError, match="BACKCOURT_PROJECT_DIR is"):
            resolve_project_dir()

    def test_another_dbt_project_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "dbt_project.yml").write_text("name: jaffle_shop\n")
        assert not is_project_dir(tmp_path)


@pytest.mark.parametrize(
    ("limit", "half"),
    [("700MB", "350MB"), ("1.5 GB", "0.75GB"), ("1GiB", "0.5GiB"), ("4000000KB", "2000000KB")],
)
def test_the_packages_own_statements_get_half_of_duckdbs_memory(limit: str, half: str) -> None:
    assert load_settings(duckdb_memory_limit=limit).streaming_memory_limit == half
