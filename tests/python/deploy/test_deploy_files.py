"""The deployment in docs/bigquery is the one in `deploy/`, and its files do what they say."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

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


def test_the_image_is_locked_small_and_without_root() -> None:
    lines = (REPOSITORY / "Dockerfile").read_text().splitlines()
    sources = [
        source
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    assert [source for source in sources if not (REPOSITORY / source).exists()] == []
    admitted = set((REPOSITORY / ".dockerignore").read_text().split())
    assert [source for source in sources if f"!{source}" not in admitted] == []
    assert any("--require-hashes" in line for line in lines)
    users = [line for line in lines if line.startswith("USER")]
    assert users == ["USER backcourt"]
    assert all(line.split()[1].endswith("-slim") for line in lines if line.startswith("FROM"))
