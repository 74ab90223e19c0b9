"""Runs Google's analyser in the emulator's environment, and `dbt compile` before it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.python.bigquery.emulator import (
    BQEMULATOR,
    cache_directory,
    ensure_environment,
    environment_with,
)
from tests.python.support.folders import REPOSITORY


@dataclass(frozen=True)
class Finding:
    """A statement that BigQuery would refuse, and why."""

    name: str
    problem: str


@dataclass(frozen=True)
class Report:
    checked: int
    findings: tuple[Finding, ...]


def check_compiled(target: Path) -> Report:
    """Check every model and test in a dbt target folder."""
    return run_analyser(["compiled", str(target)])


def check_statements(
    tables: Mapping[str, Iterable[tuple[str, str]]],
    statements: Sequence[str],
    partitioned: Mapping[str, str] | None = None,
) -> Report:
    """Check statements and scripts over tables given by name and (column, type) pairs.

    Parameters
    ----------
    tables, statements
        What is there, and what is to be checked.
    partitioned
        Partitioning column of the tables whose dates every statement must bound.
    """
    given = {
        "tables": {k: list(v) for k, v in tables.items()},
        "statements": list(statements),
        "partitioned": dict(partitioned or {}),
    }
    return run_analyser(["statements"], json.dumps(given))


def run_analyser(arguments: Sequence[str], given: str = "") -> Report:
    result = json.loads(run_program("googlesql", arguments, given))
    return Report(result["checked"], tuple(Finding(**one) for one in result["findings"]))


def run_program(name: str, arguments: Sequence[str], given: str = "") -> str:
    """Run a program of this folder in the emulator's environment; return its last line."""
    done = subprocess.run(
        [str(ensure_environment()), "-m", f"{__package__}.{name}", *arguments],
        check=False,
        cwd=REPOSITORY,
        input=given,
        capture_output=True,
        text=True,
        env=environment_with(cache_directory() / BQEMULATOR.name / "home"),
    )
    if done.returncode != 0:
        message = f"{name} failed:\n{done.stdout}{done.stderr}"
        raise RuntimeError(message)
    return done.stdout.splitlines()[-1]


def dbt_command(*arguments: str, target: Path) -> list[str]:
    """Return a dbt command on the emulator's target, with artifacts in a folder of its own."""
    dbt = Path(sys.executable).with_name("dbt")
    options = ["--profiles-dir", "profiles", "--target", "emulator"]
    folders = ["--target-path", str(target), "--log-path", str(target / "logs")]
    return [str(dbt), *arguments, *options, *folders]


def compile_project(target: Path, project: Path = REPOSITORY, **variables: str) -> None:
    """Compile for BigQuery, without a connection to it."""
    alone = ("--no-introspect", "--no-populate-cache")
    done = subprocess.run(
        dbt_command("compile", *alone, "--vars", json.dumps(variables), target=target),
        check=False,
        capture_output=True,
        text=True,
        cwd=project,
    )
    if done.returncode != 0:
        message = f"dbt compile failed:\n{done.stdout}{done.stderr}"
        raise RuntimeError(message)
