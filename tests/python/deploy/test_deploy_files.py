"""The deployment in docs/bigquery is the one in `deploy/`, and its files do what they say."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from python_workers.table_names import DATASETS
from tests.python.support.folders import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
SNIPPET = re.compile(r"`(deploy/[\w./]+)`:\n\n```\w+\n(.*?)```", re.DOTALL)


def program(folder: Path, code: int) -> Path:
    """Write a `backcourt` that notes its arguments and ends with a code."""
    path = folder / "backcourt"
    path.write_text(f'#!/bin/sh\necho "$@" > {folder}/arguments\nexit {code}\n')
    path.chmod(0o755)
    return path


def test_the_docs_quote_the_files_of_the_deployment() -> None:
    quoted = dict(SNIPPET.findall((REPOSITORY / "docs" / "bigquery.md").read_text()))
    assert quoted == {
        str(path.relative_to(REPOSITORY)): path.read_text()
        for path in DEPLOY.iterdir()
        if path.is_file()
    }


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (1, 0), (3, 3), (143, 143)])
def test_the_cloud_run_job_is_retried_after_a_failure_and_not_for_its_data(
    tmp_path: Path, code: int, ends: int
) -> None:
    job = yaml.safe_load((DEPLOY / "cloud_run_job.yaml").read_text())
    task = job["spec"]["template"]["spec"]["template"]["spec"]
    (container,) = task["containers"]
    program(tmp_path, code)
    path = f"{tmp_path}:{os.environ['PATH']}"
    ended = subprocess.run(
        [*container["command"], *container["args"]], check=False, env={"PATH": path}
    )
    assert ended.returncode == ends
    assert (tmp_path / "arguments").read_text().startswith("daily --date 2")


class FailError(Exception):
    """As Airflow's AirflowFailException: the task fails and is not retried."""


@pytest.fixture
def airflow_task(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return the function of the DAG's task; the decorators of Airflow keep it as it is."""
    tasks: list[Callable[..., Any]] = []
    sdk, exceptions = ModuleType("airflow.sdk"), ModuleType("airflow.sdk.exceptions")

    def task(**_: Any) -> Callable[..., Any]:
        def keep(function: Callable[..., Any]) -> Callable[..., Any]:
            tasks.append(function)
            return lambda: None

        return keep

    sdk.__dict__.update(dag=lambda **_: lambda function: function, task=task)
    exceptions.__dict__.update(AirflowFailException=FailError)
    for module in (ModuleType("airflow"), sdk, exceptions):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    runpy.run_path(str(DEPLOY / "airflow_dag.py"))
    (found,) = tasks
    return found


@pytest.mark.parametrize(
    ("code", "error"),
    [(0, None), (1, FailError), (3, subprocess.CalledProcessError)],
)
def test_the_airflow_task_is_retried_after_a_failure_and_not_for_its_data(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    airflow_task: Callable[..., Any],
    code: int,
    error: type[Exception] | None,
) -> None:
    monkeypatch.setenv("BACKCOURT_COMMAND", str(program(tmp_path, code)))
    day = datetime(2024, 1, 2, 9, 30, tzinfo=UTC)
    if error is None:
        airflow_task(data_interval_end=day)
    else:
        with pytest.raises(error):
            airflow_task(data_interval_end=day)
    assert "--date 2024-01-02" in (tmp_path / "arguments").read_text()


def dockerfile() -> list[str]:
    """Return the instructions of the Dockerfile, a line each."""
    text = (REPOSITORY / "Dockerfile").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def copied() -> list[str]:
    """Return what the Dockerfile copies from the clone."""
    return [
        source
        for line in dockerfile()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]


def test_the_image_is_locked_small_and_without_root() -> None:
    lines, sources = dockerfile(), copied()
    assert [source for source in sources if not (REPOSITORY / source).exists()] == []
    admitted = set((REPOSITORY / ".dockerignore").read_text().split())
    assert [source for source in sources if f"!{source}" not in admitted] == []
    assert any("--require-hashes" in line for line in lines)
    users = [line for line in lines if line.startswith("USER")]
    assert users == ["USER backcourt"]
    assert all(line.split()[1].endswith("-slim") for line in lines if line.startswith("FROM"))


# Rules of hadolint: https://github.com/hadolint/hadolint/wiki
WRONG_IN_A_DOCKERFILE = {
    "an image without a version (DL3006, DL3007)": r"^FROM (\S+:latest\b|[^:\s]+(\s|$))",
    "a relative folder (DL3000)": r"^WORKDIR (?!/)",
    "cd instead of WORKDIR (DL3003)": r"^RUN (.*[;&] *)?cd ",
    "sudo (DL3004)": r"^RUN .*\bsudo\b",
    "ADD of files (DL3020)": r"^ADD ",
    "MAINTAINER (DL4000)": r"^MAINTAINER ",
    "a command in a shell (DL3025)": r"^(CMD|ENTRYPOINT) (?!\[)",
    "packages without versions (DL3008, DL3013)": r"\bapt-get |pip install (?!.*(-r |-e \.))",
    "a user with an id that fills a log of gigabytes (DL3046)": r"\buseradd\b.*--uid \d{6}",
    "a secret": r"(?i)^(ENV|ARG) .*(password|secret|token|credentials)",
}


@pytest.mark.parametrize("rule", WRONG_IN_A_DOCKERFILE)
def test_the_dockerfile_keeps_hadolint_s_rules(rule: str) -> None:
    assert [line for line in dockerfile() if re.search(WRONG_IN_A_DOCKERFILE[rule], line)] == []


def test_the_dockerfile_has_one_entrypoint_and_command_and_ends_as_its_user() -> None:
    names = [line.split()[0] for line in dockerfile()]
    assert (names.count("ENTRYPOINT"), names.count("CMD")) == (1, 1)
    assert names[names.index("USER") + 1 :] == ["ENTRYPOINT", "CMD"]
    assert all("PIP_NO_CACHE_DIR=1" in line for line in dockerfile() if "PIP_" in line)


@pytest.mark.slow
def test_the_files_of_the_image_are_a_whole_project(tmp_path: Path) -> None:
    image = tmp_path / "app"
    for source in copied():
        if (REPOSITORY / source).is_dir():
            shutil.copytree(REPOSITORY / source, image / source)
        else:
            image.mkdir(exist_ok=True)
            shutil.copy(REPOSITORY / source, image)
    environment = {
        **os.environ,
        "PYTHONPATH": str(image),
        "BACKCOURT_PROJECT_DIR": str(image),
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path / "logs"),
        "BACKCOURT_DUCKDB_PATH": ":memory:",
    }
    where = "import python_workers; print(python_workers.__file__)"
    parse = f"{where}; import sys; from dbt.cli.main import cli; cli(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", parse, "parse", "--profiles-dir", str(image / "profiles")],
        check=False,
        cwd=image,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith(str(image))
    feeds = subprocess.run(
        [sys.executable, "-m", "python_workers", "feeds"],
        check=True,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "sportsdataverse" in feeds.stdout


TERRAFORM = (DEPLOY / "terraform" / "main.tf").read_text()


@pytest.mark.skipif(not shutil.which("terraform"), reason="no terraform here")
def test_terraform_s_file_is_in_its_form() -> None:
    subprocess.run(["terraform", "fmt", "-check", str(DEPLOY / "terraform")], check=True)


def test_terraform_makes_the_datasets_of_the_code_and_the_roles_of_the_docs() -> None:
    datasets = re.search(r"datasets = toset\(\[(.*?)\]\)", TERRAFORM)
    assert datasets
    assert {f"nba_{name}" for name in re.findall(r'"(\w+)"', datasets[1])} == set(DATASETS)
    docs = (REPOSITORY / "docs" / "bigquery.md").read_text()
    roles = set(re.findall(r"roles/[\w.]+", TERRAFORM))
    assert roles == {"roles/bigquery.jobUser", "roles/bigquery.readSessionUser"}
    assert all(role in docs for role in roles)
    variables = set(re.findall(r'^variable "(\w+)"', TERRAFORM, re.MULTILINE))
    used = set(re.findall(r"\bvar\.(\w+)", TERRAFORM))
    assert used == variables
    locals_used = set(re.findall(r"\blocal\.(\w+)", TERRAFORM))
    assert locals_used == {"datasets", "viewers", "readable"}
    assert set(re.findall(r"BACKCOURT_BQ_\w+", TERRAFORM)) <= set(
        re.findall(r"BACKCOURT_BQ_\w+", docs)
    )
