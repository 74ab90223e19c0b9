"""A command imports only what it uses: imports take most of the time of a short command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from python_workers.cli.app import app
from python_workers.cli.commands import COMMANDS
from tests.python.support.engine import Engine
from tests.python.support.folders import REPOSITORY

# One process runs the commands in turn; what it has imported after each of them stays imported.
PROGRAM = """
import json, os, sys
from python_workers.cli.app import main

found = {}
for command in json.loads(sys.argv[1]):
    standard_output = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        main(command.split())
    except SystemExit as ended:
        code = ended.code
    sys.stdout.flush()
    os.dup2(standard_output, 1)
    found[command] = {"code": code, "modules": sorted(sys.modules)}
print(json.dumps(found))
"""
HEAVY = {"dbt.cli", "dbt.adapters", "google.api_core", "pandas"}
DATA = {"duckdb", "joblib", "numpy", "pyarrow", "pydantic", "rich", "yaml"}


def imported(environment: dict[str, str], *commands: str) -> dict[str, set[str]]:
    """Run commands in one process; return the modules that are imported after each of them."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands)],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(ended.stdout)
    assert {name: each["code"] for name, each in found.items() if each["code"] not in (0, 1)} == {}
    return {name: set(each["modules"]) for name, each in found.items()}


def test_the_list_of_commands_imports_none_of_them() -> None:
    found = imported({}, "--help")
    assert found["--help"] & (HEAVY | DATA) == set()


def test_the_list_of_commands_says_the_first_sentence_of_each_help() -> None:
    first_lines = {
        name: str(command.help).partition("\n")[0] for name, command in app.commands.items()
    }
    assert {name: entry.summary for name, entry in COMMANDS.items()} == first_lines


@pytest.mark.slow
def test_no_command_that_needs_no_dbt_imports_it(
    simulated_files: Path, simulated: Engine, tmp_path: Path
) -> None:
    simulated.copy(tmp_path)
    (game,) = simulated.query("select min(game_id) as game_id from nba_raw.games")
    (cached,) = simulated.query(
        "select player_id, max(analysis_date) as day from nba_precompute.player_daily_cache "
        "group by player_id order by player_id limit 1"
    )
    found = imported(
        {"BACKCOURT_DUCKDB_PATH": str(Engine(tmp_path).path), "BACKCOURT_BACKEND": "threading"},
        *(f"{name} --help" for name in COMMANDS),
        "status",
        "plan --all",
        "coverage --all",
        "breaker list",
        f"explain {cached['player_id']} --date {cached['day']}",
        "verify --all",
        "doctor",
        f"remove {game['game_id']} --dry-run",
        f"load {simulated_files}",
        f"report --out {tmp_path / 'report.html'}",
        "compute --all",
        "backfill --all --skip-tests",
    )
    assert {name: heavy for name, each in found.items() if (heavy := each & HEAVY)} == {}
