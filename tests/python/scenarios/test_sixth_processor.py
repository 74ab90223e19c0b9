"""A sixth processor, added by the files that docs/extending.md names and by nothing else.

In one story it is computed, skipped, computed again, missed without its rows, and reported.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from python_workers.processors.shot_zones import SHOT_ZONES
from tests.python.support.folders import REPOSITORY
from tests.python.support.leagues import League, days

EXAMPLE = REPOSITORY / "tests" / "python" / "support" / "sixth_processor"
GUIDE = REPOSITORY / "docs" / "extending.md"
CATALOGUE = "python_workers/processors/catalogue.py"
# Lines to add to the catalogue, each by the line that it stands before.
ADDED_LINES = {
    "from python_workers.processors.shot_zones import SHOT_ZONES\n": (
        "from python_workers.processors.per_36_rates import PER_36_RATES\n"
    ),
    ")\n\nBY_KEY": "    PER_36_RATES,\n",
}
# The modules that `make generate` runs.
GENERATORS = re.findall(
    r"(?m)/python -m (python_workers\S+)$", (REPOSITORY / "Makefile").read_text()
)
NAME, KEY = "PlayerPer36RatesProcessor", "per36"

DATES = days(9)
TO_COME = DATES[-1] + dt.timedelta(days=2)
WITHOUT_BOX_SCORE = DATES[7]
CORRECTED = DATES[6]
NEWCOMER, IMPOSSIBLE, PASSER = 3, 5, 2

# Steps one after the other in one process: importing dbt takes longer than a small league.
STEPS = """
import contextlib, io, json, sys
import duckdb
from python_workers.cli.app import main

def ended(command):
    try:
        main(command.split())
    except SystemExit as end:
        return int(end.code or 0)

def outcome(step):
    if isinstance(step, str):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            return ended(step), printed.getvalue()
    with duckdb.connect("data/backcourt.duckdb") as connection:
        found = [connection.execute(each).to_arrow_table().to_pylist() for each in step]
    return 0, json.dumps(found[-1], default=str)

print(json.dumps([outcome(step) for step in json.loads(sys.stdin.read())]))
"""
ROWS = (
    "select * exclude (run_id, created_at, processed_at) from nba_precompute.player_per_36_rates "
    "order by analysis_date, player_id"
)


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str

    def json(self) -> Any:
        return json.loads(self.out)

    def event(self, name: str) -> dict[str, Any]:
        """Return the last event of that name."""
        return self.events(name)[-1]

    def events(self, name: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.out.splitlines()]
        return [event for event in found if event["event"] == name]


def files_of_the_example() -> list[str]:
    return sorted(
        path.relative_to(EXAMPLE).as_posix()
        for path in EXAMPLE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    )


def run_python(clone: Path, *arguments: str, given: str = "") -> str:
    settings = ("BACKCOURT_", "DBT_")
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(settings)}
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=clone,
        env=inherited | {"PYTHONPATH": str(clone), "BACKCOURT_N_JOBS": "2"},
        input=given,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project with the example in it."""
    clone = tmp_path_factory.mktemp("sixth") / "backcourt"
    ignored = shutil.ignore_patterns("__pycache__", EXAMPLE.name)
    for name in ("python_workers", "models", "macros", "seeds", "profiles", "docs", "tests"):
        shutil.copytree(REPOSITORY / name, clone / name, ignore=ignored)
    for name in ("dbt_project.yml", "README.md", "pyproject.toml"):
        shutil.copyfile(REPOSITORY / name, clone / name)
    assert not any((clone / name).exists() for name in files_of_the_example())
    for name in files_of_the_example():
        shutil.copyfile(EXAMPLE / name, clone / name)
    catalogue = (clone / CATALOGUE).read_text()
    for before, line in ADDED_LINES.items():
        assert catalogue.count(before) == 1, before
        catalogue = catalogue.replace(before, line + before)
    (clone / CATALOGUE).write_text(catalogue)
    for module in GENERATORS:
        run_python(clone, "-m", module)
    return clone


def league(*, is_complete: bool = False, assists: int = 12) -> League:
    """Return a league whose players 1 to 4 of the first game have lines of their own."""
    league = League({"AAA": [1, 2], "BBB": [4, 5], "CCC": [7, 8], "DDD": [10, 11]})
    for day in DATES:
        if day == DATES[5]:
            league.rosters["AAA"].append(NEWCOMER)
        changes = {
            1: {"oreb": 2, "dreb": 7, "ast": 3},
            PASSER: {"ast": assists if day == CORRECTED else 12},
            IMPOSSIBLE: {"ast": 101 if day == DATES[4] else 4},
        }
        league.play(day, "AAA", "BBB", changes=changes)
        league.play(day, "CCC", "DDD", box_score=is_complete or day != WITHOUT_BOX_SCORE)
    league.schedule(TO_COME, "AAA", "CCC")
    return league


@pytest.fixture(scope="module")
def story(clone: Path) -> dict[str, Outcome]:
    """Return how each step of the story ended."""
    league().write(clone / "raw")
    league(assists=13).write(clone / "corrected")
    league(assists=13, is_complete=True).write(clone / "completed")
    per_36 = "nba_precompute.player_per_36_rates"
    last = f"where analysis_date = '{TO_COME}' and player_id ="
    backfill = "backfill --all --log-format json"
    coverage = f"coverage --all --format json --processor {KEY}"
    steps: dict[str, str | list[str]] = {
        "load": "load raw",
        "backfill": backfill,
        "rows": [ROWS],
        "versions": [f"select distinct calculation_version from {per_36}"],
        "coverage": coverage,
        "report": "report --out report.html",
        "skip": f"{backfill} --skip-tests --start-from 6",
        "load the correction": "load corrected",
        "plan": "plan --all --format json",
        "correct": f"{backfill} --skip-tests",
        "corrected rows": [ROWS],
        "break": [
            f"delete from {per_36} {last} 1",
            f"update {per_36} set minutes_last_10 = 2000, data_hash = 'none' {last} {PASSER}",
        ],
        "broken coverage": coverage,
        "test": f"{backfill} --processors tdza",
        "mend": f"{backfill} --skip-tests --processors {KEY}",
        "mended rows": [ROWS],
        "load the box score": "load completed",
        "daily": f"daily --date {TO_COME} --log-format json",
    }
    printed = run_python(clone, "-c", STEPS, given=json.dumps(list(steps.values())))
    outcomes = json.loads(printed.splitlines()[-1])
    return {name: Outcome(*outcome) for name, outcome in zip(steps, outcomes, strict=True)}


def test_it_needs_the_files_that_the_guide_names_and_no_other() -> None:
    guide = GUIDE.read_text()
    named = re.findall(r"^\d\. \*\*[^*]+\*\*,? `([^`]+)`", guide, re.MULTILINE)
    assert sorted(named) == sorted([*files_of_the_example(), CATALOGUE])
    assert len(files_of_the_example()) == 8


def test_what_the_guide_quotes_stands_in_the_example(clone: Path) -> None:
    sources = [(clone / name).read_text() for name in [*files_of_the_example(), CATALOGUE]]
    blocks = re.findall(r"(?ms)^   ```(?:python|sql|yaml)\n(.*?)^   ```", GUIDE.read_text())
    assert len(blocks) >= 4
    for block in blocks:
        quoted = re.sub(r"(?m)^ {3}", "", block)
        assert any(quoted in source for source in sources), quoted


def test_its_own_tests_and_those_of_every_declaration_pass(clone: Path) -> None:
    tests = ("test_per_36_rates.py", "test_declarations.py")
    run_python(
        clone,
        *("-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider"),
        *(f"tests/python/unit/processors/{name}" for name in tests),
    )


def test_it_is_computed_like_the_others(story: dict[str, Outcome]) -> None:
    backfill = story["backfill"]
    # The league lacks a box score and has an impossible count, which needs attention.
    assert backfill.code == 1
    assert backfill.event("run_finished")["failed_tests"] == []
    (row,) = [
        row
        for row in story["rows"].json()
        if (row["analysis_date"], row["player_id"]) == (str(DATES[6]), 1)
    ]
    assert row["games_in_sample"] == 6
    assert row["minutes_last_10"] == 180.0
    assert (row["rebounds_per_36_last_10"], row["assists_per_36_last_10"]) == (10.8, 3.6)
    assert story["versions"].json() == [{"calculation_version": "v1"}]


def test_everyone_without_a_row_has_a_failure(story: dict[str, Outcome]) -> None:
    found = story["coverage"].json()
    (totals,) = found["processors"]
    assert totals["processor_name"] == NAME
    rows = len(story["rows"].json())
    # Eight players in each of their first four games, and the newcomer in all of his.
    expected_gaps = 8 * 4 + 4
    # Four players lack a game on two dates.
    missing = 4 * 2
    # One player's impossible game is among his last ten from the fifth date on.
    errors = 5
    assert totals["records"] == rows > 0
    assert totals["expected_incomplete"] == expected_gaps
    assert totals["incomplete_upstream"] == missing
    assert totals["processing_error"] == errors
    assert totals["expected"] == rows + expected_gaps + missing + errors
    assert totals["unaccounted"] == totals["unexpected"] == 0
    reasons = {row["failure_reason"] for row in found["to_investigate"]}
    assert any("assists is 101" in reason for reason in reasons)
    assert any(f"without a box score: {WITHOUT_BOX_SCORE}" in reason for reason in reasons)


def test_what_is_done_is_skipped(story: dict[str, Outcome]) -> None:
    assert story["skip"].event("stage_finished")["stage"] == KEY
    assert story["skip"].event("stage_finished")["detail"] == "nothing due"
    assert story["skip"].event("run_finished")["rows_written"] == 0


def test_a_correction_computes_the_dates_that_read_it(story: dict[str, Outcome]) -> None:
    due = Counter(row["processor"] for row in story["plan"].json() if row["due"])
    assert due[NAME] == due[SHOT_ZONES.name] > 0
    rows = [(name, row) for name in ("rows", "corrected rows") for row in story[name].json()]
    changed = {
        (row["analysis_date"], row["player_id"])
        for name, row in rows
        if (("corrected rows" if name == "rows" else "rows"), row) not in rows
    }
    later = [str(day) for day in [*DATES, TO_COME] if day > CORRECTED]
    assert changed == {(day, PASSER) for day in later}
    assert story["correct"].event("run_finished")["rows_written"] == len(later)


def test_rows_that_are_gone_or_wrong_are_noticed(story: dict[str, Outcome]) -> None:
    assert story["broken coverage"].code == 1
    (totals,) = story["broken coverage"].json()["processors"]
    assert totals["unaccounted"] == 1
    assert story["test"].event("run_finished")["failed_tests"] == [
        "data_hashes_are_16_hex_digits",
        "every_expected_entity_is_accounted_for",
        "per_36_rates_are_in_range",
    ]
    assert story["mended rows"].json() == story["corrected rows"].json()


def test_a_daily_run_computes_its_date(story: dict[str, Outcome]) -> None:
    daily = story["daily"]
    (committed,) = [event for event in daily.events("date_committed") if event["processor"] == NAME]
    assert committed["date"] == str(TO_COME)
    # The four players of the missing game have rows now.
    assert committed["inserted"] == 4
    assert committed["failures"] == {"EXPECTED_INCOMPLETE": 1, "PROCESSING_ERROR": 1}
    assert daily.event("run_finished")["failed_tests"] == []


def test_the_report_describes_it(story: dict[str, Outcome], clone: Path) -> None:
    assert story["report"].code == 1
    page = (clone / "report.html").read_text()
    assert "Rebounds and assists per 36 minutes" in page
    assert "Assists per 36 minutes, one decimal." in page


def test_dbt_needs_no_python_to_know_it(clone: Path, story: dict[str, Outcome]) -> None:
    del story
    coverage = ("expected_entities", "backfill_coverage", "stale_dates", "input_fingerprints")
    run_python(
        clone,
        *("-c", "from dbt.cli.main import cli; cli()", "--quiet", "test"),
        *("--profiles-dir", "profiles", "--select", *(f"{n},test_type:unit" for n in coverage)),
    )
