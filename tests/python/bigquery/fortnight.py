"""Plays fourteen game days of a small league on any BigQuery and compares them with DuckDB."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from python_workers.settings import load_settings
from python_workers.warehouse.open import open_warehouse
from tests.python.bigquery.project import assert_same_rows, rows_of
from tests.python.support.command import CommandLine
from tests.python.support.leagues import League, days

DATES = days(14)
START, END = DATES[0], DATES[-1]


def league(points: int = 12) -> League:
    """Return the league; the points of a line of opening night can be corrected."""
    made = League({"AAA": (11, 12), "BBB": (21, 22), "CCC": (31, 32), "DDD": (41, 42)})
    for number, day in enumerate(DATES):
        home, away = ("AAA", "BBB") if number % 2 else ("AAA", "CCC")
        changes = {11: {"points": points, "ftm": points - 11}} if number == 0 else {}
        made.play(day, home, away, changes=changes)
        made.play(day, "DDD", "BBB" if away == "CCC" else "CCC")
    return made


def finished(backcourt: CommandLine, *arguments: object) -> dict[str, Any]:
    """Run a backfill of the league and return its last event."""
    outcome = backcourt("backfill", "--all", "--log-format", "json", "--n-jobs", 1, *arguments)
    assert outcome.code in (0, 1), outcome
    (event,) = [one for one in outcome.events() if one["event"] == "run_finished"]
    assert event["failed_tests"] == []
    return event


def play_fortnight(
    backcourt: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Load, build, compute, test, run again, correct and compare every row with DuckDB.

    Returns the event of the first backfill. The environment names the BigQuery to use.
    """
    monkeypatch.setenv("BACKCOURT_DUCKDB_PATH", str(folder / "backcourt.duckdb"))
    monkeypatch.setenv("DBT_TARGET_PATH", str(folder / "target"))
    monkeypatch.setenv("DBT_LOG_PATH", str(folder / "logs"))
    on_duckdb = ("--target", "duckdb")
    first: dict[str, Any] = {}
    for part, points in (("raw", 12), ("corrected", 13)):
        raw = league(points).write(folder / part)
        for target in ((), on_duckdb):
            loaded = backcourt("load", raw, *target)
            assert loaded.code == 0, loaded
        done = finished(backcourt)
        first = first or done
        assert done["rows_written"] > 0
        finished(backcourt, *on_duckdb)
        assert_same_rows(read_rows(None), read_rows("duckdb"))
        assert finished(backcourt)["rows_written"] == 0
    covered = backcourt("coverage", "--all")
    assert "unaccounted" not in covered.err
    return first


def read_rows(target: str | None) -> dict[str, dict[Any, dict[str, Any]]]:
    with open_warehouse(load_settings(target=target), read_only=True) as warehouse:
        return rows_of(warehouse, START, END + dt.timedelta(days=1))
