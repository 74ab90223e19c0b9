"""A whole month through the command line on BigQuery's emulator, compared with DuckDB."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from emulator import REPOSITORY, Emulator
from engine import Engine
from fault_proxy import FaultProxy, running_proxy

from python_workers.cli import main
from python_workers.commits import BOOKKEEPING
from python_workers.opening import open_warehouse
from python_workers.processors import PROCESSORS
from python_workers.settings import Settings, load_settings
from python_workers.warehouse.base import Warehouse
from python_workers.warehouse.bigquery import BigQueryWarehouse

# A month, and enough of the season before it for its features to exist.
START, END = dt.date(2021, 11, 15), dt.date(2021, 12, 14)
CORRECTED = dt.date(2021, 12, 12)
RANGE = ("--start", str(START), "--end", str(END))
LAST_DAYS = ("--start", "2021-12-13", "--end", str(END))

FAILURES = (
    "select processor_name, analysis_date, entity_id, player_id, failure_category, failure_reason, "
    "can_retry, is_expected, expected_game_count, actual_game_count, missing_game_dates "
    "from nba_processing.precompute_failures where analysis_date between @start and @end"
)

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    output: str

    def event(self, name: str) -> dict[str, Any]:
        events = [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]
        found: dict[str, Any] = next(one for one in events if one["event"] == name)
        return found

    def dates(self) -> set[str]:
        """Return the dates that were committed."""
        return set(re.findall(r'"event": "date_committed".*?"date": "([\d-]+)"', self.output))


@dataclass(frozen=True)
class Project:
    """The command line and the tables of one emulator."""

    environment: dict[str, str]

    def run(self, *arguments: str, **more: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "python_workers", *arguments, "--target", "emulator"],
            check=False,
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            env=self.environment | more,
        )
        return Done(done.returncode, done.stdout + done.stderr)

    def backfill(self, *arguments: str, **more: str) -> Done:
        return self.run("backfill", *arguments, "--log-format", "json", **more)

    def settings(self) -> Settings:
        return load_settings(
            target="emulator",
            bq_endpoint=self.environment["BACKCOURT_BQ_ENDPOINT"],
            bq_storage_endpoint=self.environment["BACKCOURT_BQ_STORAGE_ENDPOINT"],
            bq_project=self.environment["BACKCOURT_BQ_PROJECT"],
        )

    def rows(self, start: dt.date = START, end: dt.date = END) -> dict[str, list[str]]:
        with open_warehouse(self.settings()) as warehouse:
            return rows_of(warehouse, start, end)


def rows_of(warehouse: Warehouse, start: dt.date, end: dt.date) -> dict[str, list[str]]:
    """Return every row and failure of a range as text, in order."""
    found = {}
    days = {"start": start, "end": end}
    for processor in PROCESSORS:
        names = [
            column.name
            for column in warehouse.columns(processor.table)
            if column.name not in BOOKKEEPING
        ]
        sql = (
            f"select {', '.join(sorted(names))} from {processor.table} "
            f"where {processor.date_column} between @start and @end"
        )
        found[processor.short] = sorted(map(repr, warehouse.query(sql, days).to_pylist()))
    found["failures"] = sorted(map(repr, warehouse.query(FAILURES, days).to_pylist()))
    return found


@pytest.fixture(scope="module")
def season_files(real_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the real season 2021-22 as it stood on the last day."""
    folder = tmp_path_factory.mktemp("raw")
    with duckdb.connect() as connection:
        for table in ("games", "player_box_scores", "shots", "players"):
            name = "players" if table == "players" else "2021_22"
            known = f"""where game_id in (
                select game_id from '{real_files}/games/2021_22.parquet' where game_date <= '{END}'
            )"""
            path = folder / table / f"{name}.parquet"
            path.parent.mkdir()
            connection.execute(
                f"copy (select * from '{real_files}/{table}/{name}.parquet' "
                f"{'' if table == 'players' else known}) to '{path}' (format parquet)"
            )
    return folder


@pytest.fixture(scope="module")
def project(
    emulator: Emulator, season_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """Return an emulator with the season loaded."""
    folder = tmp_path_factory.mktemp("dbt")
    environment = os.environ | emulator.settings()
    environment |= {"DBT_TARGET_PATH": str(folder), "DBT_LOG_PATH": str(folder)}
    project = Project(environment | {"BACKCOURT_CHUNK_DATES": "15"})
    loaded = project.run("load", str(season_files))
    assert loaded.code == 0, loaded.output
    return project


@pytest.fixture(scope="module")
def backfilled(project: Project) -> tuple[Project, Done, Done]:
    """Kill the backfill after its first commit of the pool, then give the same command again."""
    killed = project.backfill(*RANGE, BACKCOURT_FAULTS='{"stop_at": "after-commit:1"}')
    resumed = project.backfill(*RANGE)
    return project, killed, resumed


@pytest.fixture(scope="module")
def on_duckdb(
    season_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[str]]]:
    engine = Engine(tmp_path_factory.mktemp("duckdb"))
    engine.load(season_files)
    engine.backfill(START, END)
    with open_warehouse(load_settings(duckdb_path=engine.path)) as warehouse:
        yield rows_of(warehouse, START, END)


def test_a_killed_run_is_resumed(backfilled: tuple[Project, Done, Done]) -> None:
    _, killed, resumed = backfilled
    assert killed.code == -signal.SIGKILL, killed.output
    assert resumed.code == 0, resumed.output
    finished = resumed.event("run_finished")
    assert finished["failed_tests"] == []
    # TDZA and the first of two chunks of PSZA had been committed.
    committed = resumed.output.count("PlayerShotZoneAnalysisProcessor")
    assert 0 < committed < 29
    assert finished["jobs"]["table_modifications"] < 40


def test_every_row_is_that_of_duckdb(
    backfilled: tuple[Project, Done, Done], on_duckdb: dict[str, list[str]]
) -> None:
    project, *_ = backfilled
    found = project.rows()
    assert {name: len(rows) for name, rows in found.items()} == {
        name: len(rows) for name, rows in on_duckdb.items()
    }
    assert all(found.values())
    for name, rows in found.items():
        differing = set(rows) ^ set(on_duckdb[name])
        assert not differing, (name, len(differing), sorted(differing)[:2])


def test_the_same_again_writes_nothing(backfilled: tuple[Project, Done, Done]) -> None:
    project, *_ = backfilled
    again = project.backfill(*RANGE, "--skip-tests")
    assert again.code == 0, again.output
    finished = again.event("run_finished")
    assert finished["rows_written"] == 0
    assert finished["jobs"]["table_modifications"] == 0


def test_coverage_plan_compute_and_status_answer(backfilled: tuple[Project, Done, Done]) -> None:
    project, *_ = backfilled
    coverage = project.run("coverage", *RANGE)
    assert coverage.code == 0, coverage.output
    plan = project.run("plan", *RANGE, "--format", "json")
    assert {one["status"] for one in json.loads(plan.output)} == {"done"}
    assert "no open breakers" in project.run("status").output
    computed = project.run("compute", *RANGE, "--log-format", "json")
    assert computed.code == 0, computed.output
    assert computed.event("run_finished")["rows_written"] == 0


def test_a_dry_run_tells_bytes_and_price(
    backfilled: tuple[Project, Done, Done],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The emulator says 0 of everything, after having run it; here a statement reads one TiB."""
    project, *_ = backfilled
    asked: list[str] = []

    def dry_run(_self: BigQueryWarehouse, sql: str, _params: object = None) -> int | None:
        asked.append(sql)
        return None if "player_daily_cache_inputs" in sql else 1 << 40

    monkeypatch.setattr(BigQueryWarehouse, "dry_run", dry_run)
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BACKCOURT_BQ_USD_PER_TIB", "5")
    with pytest.raises(SystemExit) as end:
        main(["backfill", *LAST_DAYS, "--dry-run", "--target", "emulator"])
    printed = capsys.readouterr().out
    assert end.value.code == 0, printed
    assert any(sql.startswith("merge into `nba_precompute.") for sql in asked)
    assert "at 5 USD a TiB" in printed
    bytes_and_price = {
        words[0]: words[1:]
        for words in (re.split(r"\s{2,}", line.strip()) for line in printed.splitlines())
    }
    assert bytes_and_price["psza reads games"] == ["1,099,511,627,776", "5.0000"]
    assert bytes_and_price["pdc reads players"] == ["-", "-"]
    assert "nba_predictions.ml_feature_store_v2" in bytes_and_price
    known = sum(words == ["1,099,511,627,776", "5.0000"] for words in bytes_and_price.values())
    assert bytes_and_price["total"] == [f"{known << 40:,}", f"{known * 5:.4f}"]


@pytest.mark.timeout(600)
def test_a_correction_recomputes_the_dates_after_it(
    backfilled: tuple[Project, Done, Done], season_files: Path, tmp_path: Path, emulator: Emulator
) -> None:
    """The proxy storms all the while, and loses the answer to a commit: it is written once."""
    project, *_ = backfilled
    before = project.rows(end=CORRECTED)
    boxes = pq.read_table(season_files / "player_box_scores" / "2021_22.parquet")
    games = pq.read_table(season_files / "games" / "2021_22.parquet").to_pylist()
    of_day = [g["game_id"] for g in games if g["game_date"] == CORRECTED]
    lines = boxes.to_pylist()
    line = next(one for one in lines if one["game_id"] in of_day and (one["points"] or 0) > 10)
    line["points"] += 1
    (tmp_path / "player_box_scores").mkdir()
    corrected = pa.Table.from_pylist([line], schema=boxes.schema)
    pq.write_table(corrected, tmp_path / "player_box_scores" / "corrected.parquet")
    loaded = project.run("load", str(tmp_path), "--tables", "player_box_scores")
    assert loaded.code == 0, loaded.output
    with running_proxy(emulator.endpoint) as proxy:
        faults = storm(proxy)
        done = project.backfill(*RANGE, BACKCOURT_BQ_ENDPOINT=proxy.endpoint)
    assert done.code == 0, done.output
    assert all(fault.struck == fault.times for fault in faults)
    assert done.dates() <= {"2021-12-13", "2021-12-14"}
    assert done.dates()
    assert project.rows(end=CORRECTED) == before
    assert project.run("coverage", *RANGE).code == 0


def storm(proxy: FaultProxy) -> list[Any]:
    jobs = r"v2/projects/[^/]+/jobs"
    return [
        proxy.inject("answer", path=jobs, body="processor_runs", times=3),
        proxy.inject("reset_after", path=jobs, body="begin transaction"),
    ]


def test_daily_runs_the_last_date(backfilled: tuple[Project, Done, Done]) -> None:
    project, *_ = backfilled
    done = project.run("daily", "--date", str(END), "--log-format", "json")
    assert done.code == 0, done.output
    assert project.run("coverage", *RANGE).code == 0
