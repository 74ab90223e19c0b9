"""The DAG in `deploy/` on a real Airflow (``make test-deploy``), in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.python.bigquery.emulator import Flavour, ensure_environment, running_emulator
from tests.python.bigquery.fortnight import DATES, league
from tests.python.support.command import CommandLine
from tests.python.support.folders import REPOSITORY

HERE = Path(__file__).resolve().parent
AIRFLOW = Flavour("airflow", (3, 11), extensions=(), arguments=(), folder=HERE)

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("TEST_DEPLOY"), reason="Airflow is large: make test-deploy"
    ),
    pytest.mark.timeout(3600),
]

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def run_dag(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a function that runs the DAG for the morning of a date, with a program as its task."""
    python = ensure_environment(AIRFLOW)
    airflow = {
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "deploy"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
    }
    migrate = [str(python.with_name("airflow")), "db", "migrate"]
    subprocess.run(migrate, check=True, env=os.environ | airflow, capture_output=True)

    def run(date: object, program: Path) -> dict[str, Any]:
        done = subprocess.run(
            [str(python), str(HERE / "airflow_dag_run.py"), str(date)],
            check=False,
            env={**os.environ, **airflow, "BACKCOURT_COMMAND": str(program)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    return run


@pytest.mark.parametrize(
    ("code", "state", "calls"), [(0, "success", 1), (1, "failed", 1), (3, "failed", 3)]
)
def test_a_run_is_retried_after_a_failure_and_not_for_its_data(
    run_dag: Run, tmp_path: Path, code: int, state: str, calls: int
) -> None:
    program = tmp_path / "backcourt"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\nexit {code}\n')
    program.chmod(0o755)
    assert run_dag("2024-01-02", program) == {
        "dag": "backcourt_daily",
        "errors": {},
        "state": state,
    }
    call = "daily --date 2024-01-02 --wait 600 --log-format json"
    assert (tmp_path / "calls").read_text().splitlines() == [call] * calls


def test_the_task_computes_its_date_on_the_emulator(
    run_dag: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    day = DATES[3]
    program = tmp_path / "backcourt"
    program.write_text(
        f'#!/bin/sh\n{sys.executable} -m python_workers "$@" > {tmp_path}/events\n'
        f"code=$?\necho $code > {tmp_path}/code\nexit $code\n"
    )
    program.chmod(0o755)
    with running_emulator(tmp_path / "emulator") as emulator:
        settings = {
            **emulator.settings(),
            "BACKCOURT_TARGET": "emulator",
            "DBT_TARGET_PATH": str(tmp_path / "target"),
            "DBT_LOG_PATH": str(tmp_path / "logs"),
            "BACKCOURT_PROJECT_DIR": str(REPOSITORY),
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        loaded = CommandLine(capsys)("load", league().write(tmp_path / "raw"))
        assert loaded.code == 0, loaded
        done = run_dag(day, program)
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    committed = {event["processor"] for event in events if event["event"] == "date_committed"}
    assert len(committed) == 3, (done, events)
    # The run of a small league has failures to look at, or none.
    code = int((tmp_path / "code").read_text())
    assert done["state"] == {0: "success", 1: "failed"}[code]
