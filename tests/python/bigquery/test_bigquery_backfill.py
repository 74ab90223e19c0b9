"""A fortnight, real or made up, through the command line on BigQuery's emulator and on DuckDB."""

from __future__ import annotations

import datetime as dt
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_workers import table_names
from python_workers.accounting import coverage
from python_workers.accounting.processed_dates import BOOKKEEPING
from python_workers.backfill import sql_stage
from python_workers.daily import readiness as dependencies
from python_workers.daily import run as daily
from python_workers.daily import status
from python_workers.processors.catalogue import BY_KEY
from python_workers.raw import load
from python_workers.raw import player_registry as registry
from python_workers.reader import Reader
from python_workers.report import queries
from python_workers.settings import load_settings
from python_workers.table_names import DATASETS
from python_workers.warehouse.job_labels import label_value
from python_workers.warehouse.open import open_warehouse
from tests.python.bigquery.analyzer import check_statements
from tests.python.bigquery.emulator import Emulator
from tests.python.bigquery.fault_proxy import FaultProxy, running_proxy
from tests.python.bigquery.project import Done, Project, Row, assert_same_rows, rows_of
from tests.python.bigquery.sent_jobs import sent_jobs
from tests.python.support.command import CommandLine
from tests.python.support.engine import Engine

# A fortnight with enough games of the season before it, so that it has features.
START, END = dt.date(2021, 12, 1), dt.date(2021, 12, 14)
CORRECTED = dt.date(2021, 12, 12)
OPENING_WEEK = (dt.date(2021, 10, 19), dt.date(2021, 10, 25))
RANGE = ("--start", str(START), "--end", str(END))
LAST_DAY_BUT_ONE = dt.date(2021, 12, 13)
LAST_DAYS = ("--start", str(LAST_DAY_BUT_ONE), "--end", str(END))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def raw_files(season_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the season 2021-22 as it stood on the last day."""
    folder = tmp_path_factory.mktemp("raw")
    with duckdb.connect() as connection:
        for table in ("games", "player_box_scores", "shots", "players"):
            name = "players" if table == "players" else "2021_22"
            known = f"""where game_id in (
                select game_id from '{season_files}/games/2021_22.parquet'
                where game_date <= '{END}'
            )"""
            path = folder / table / f"{name}.parquet"
            path.parent.mkdir()
            connection.execute(
                f"copy (select * from '{season_files}/{table}/{name}.parquet' "
                f"{'' if table == 'players' else known}) to '{path}' (format parquet)"
            )
    return folder


@pytest.fixture(scope="module")
def seen(emulator: Emulator) -> Iterator[FaultProxy]:
    """Return the proxy of all commands, which keeps what they send."""
    with running_proxy(emulator.endpoint) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def project(
    emulator: Emulator,
    seen: FaultProxy,
    raw_files: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Project:
    """Return an emulator with the season loaded."""
    folder = tmp_path_factory.mktemp("dbt")
    environment = os.environ | emulator.settings()
    environment |= {
        "BACKCOURT_BQ_ENDPOINT": seen.endpoint,
        "BACKCOURT_CHUNK_DATES": "7",
        "BACKCOURT_COMMIT_ROWS": "1",
        "DBT_TARGET_PATH": str(folder),
        "DBT_LOG_PATH": str(folder),
    }
    project = Project(emulator, environment)
    loaded = project.run("load", str(raw_files))
    assert loaded.code == 0, loaded.output
    return project


@pytest.fixture
def backcourt(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """Return the command line in this process, which is faster for commands that only read."""
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BACKCOURT_TARGET", "emulator")
    return CommandLine(capsys)


@pytest.fixture(scope="module")
def backfilled(project: Project) -> tuple[Project, Done, Done]:
    """Kill the backfill after its first commit of the pool, then give the same command again."""
    killed = project.backfill(*RANGE, BACKCOURT_FAULTS='{"stop_at": "after-commit:1"}')
    resumed = project.backfill(*RANGE)
    return project, killed, resumed


@pytest.fixture(scope="module")
def duckdb_loaded(raw_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    engine = Engine(tmp_path_factory.mktemp("duckdb_loaded"))
    engine.load(raw_files)
    return engine


@pytest.fixture(scope="module")
def duckdb_backfilled(duckdb_loaded: Engine, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    engine = duckdb_loaded.copy(tmp_path_factory.mktemp("duckdb"))
    engine.backfill(START, END)
    return engine


@pytest.fixture(scope="module")
def on_duckdb(duckdb_backfilled: Engine) -> dict[str, dict[Any, Row]]:
    with open_warehouse(load_settings(duckdb_path=duckdb_backfilled.path)) as warehouse:
        return rows_of(warehouse, START, END)


@pytest.fixture(scope="module")
def opening_week_on_duckdb(
    duckdb_backfilled: Engine, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[Any, Row]]:
    engine = duckdb_backfilled.copy(tmp_path_factory.mktemp("opening_week"))
    engine.backfill(*OPENING_WEEK)
    with open_warehouse(load_settings(duckdb_path=engine.path)) as warehouse:
        return rows_of(warehouse, *OPENING_WEEK)


@pytest.fixture(scope="module")
def exit_code(on_duckdb: dict[str, dict[Any, Row]]) -> Callable[..., int]:
    """Return how a command on the fortnight ends: with 1 where a date of its range has gaps."""
    gaps = {
        row["analysis_date"] for row in on_duckdb["failures"].values() if not row["is_expected"]
    }
    return lambda start=START: int(any(day >= start for day in gaps))


def test_a_killed_run_is_resumed(
    backfilled: tuple[Project, Done, Done], exit_code: Callable[..., int]
) -> None:
    _, killed, resumed = backfilled
    assert killed.code == -signal.SIGKILL, killed.output
    assert resumed.code == exit_code(), resumed.output
    finished = resumed.event("run_finished")
    assert finished["failed_tests"] == []
    # TDZA and the first of two chunks of PSZA had been committed.
    committed = resumed.output.count("PlayerShotZoneAnalysisProcessor")
    assert 0 < committed < 13
    assert finished["jobs"]["table_modifications"] < 40


def test_every_row_is_that_of_duckdb(
    backfilled: tuple[Project, Done, Done], on_duckdb: dict[str, dict[Any, Row]]
) -> None:
    project, *_ = backfilled
    found = project.rows(START, END)
    assert all(found.values())
    assert_same_rows(found, on_duckdb)


def test_what_dbt_makes_carries_its_descriptions(backfilled: tuple[Project, Done, Done]) -> None:
    project, *_ = backfilled
    # One of each materialisation: worker_table, date_range, table.
    made = (
        "nba_precompute.player_shot_zone_analysis",
        "nba_precompute.player_shot_zone_inputs",
        "nba_analytics.player_game_summary",
    )
    with project.warehouse() as warehouse:
        for name in made:
            table = warehouse._connection.client.get_table(f"{project.emulator.project}.{name}")
            assert "Primary key: (" in table.description
            assert [field.name for field in table.schema if not field.description] == [], name


def test_the_opening_week_is_that_of_duckdb(
    project: Project, backcourt: CommandLine, opening_week_on_duckdb: dict[str, dict[Any, Row]]
) -> None:
    """Teams that have not played and means without games have the same NULLs on both."""
    first, last = OPENING_WEEK
    done = backcourt("backfill", "--start", first, "--end", last, "--skip-tests")
    expected = opening_week_on_duckdb
    gaps = [row for row in expected["failures"].values() if not row["is_expected"]]
    assert done.code == int(bool(gaps)), done
    assert {row["rest_advantage"] for row in expected["mlfs"].values()} >= {None, 0}
    assert_same_rows(project.rows(first, last), expected)


def test_the_same_again_writes_nothing(
    backfilled: tuple[Project, Done, Done],  # noqa: ARG001 -- done before
    backcourt: CommandLine,
    exit_code: Callable[..., int],
) -> None:
    again = backcourt("backfill", *RANGE, "--skip-tests", "--log-format", "json")
    assert again.code == exit_code(), again.err
    (finished,) = again.events("run_finished")
    assert finished["rows_written"] == 0
    assert finished["jobs"]["table_modifications"] == 0


def test_coverage_plan_report_compute_and_status_answer(
    backfilled: tuple[Project, Done, Done],  # noqa: ARG001 -- done before
    backcourt: CommandLine,
    tmp_path: Path,
    exit_code: Callable[..., int],
) -> None:
    ends = backcourt.attention if exit_code() else backcourt.ok
    ends("coverage", *RANGE)
    plan = ends("plan", *RANGE, "--format", "json").json()
    assert {one["status"] for one in plan} == ({"done", "failed"} if exit_code() else {"done"})
    assert "no open breakers" in backcourt("status").out
    assert "0 locks opened" in backcourt.ok("breaker", "reset", "--all").out
    ends("report", *RANGE, "--out", tmp_path / "report.html")
    assert "Backcourt" in (tmp_path / "report.html").read_text()
    computed = backcourt("compute", *RANGE, "--log-format", "json")
    assert computed.code == exit_code(), computed.err
    (finished,) = computed.events("run_finished")
    assert finished["rows_written"] == 0


def test_the_reader_explains_and_reads_as_on_duckdb(
    backfilled: tuple[Project, Done, Done], duckdb_backfilled: Engine
) -> None:
    project, *_ = backfilled
    there = Reader(**project.settings().model_dump(exclude_unset=True))
    here = Reader("duckdb", duckdb_path=duckdb_backfilled.path)
    (player,) = here.rows("pdc", start=END, end=END).player_id[:1]
    (failed,) = here.failures("psza", start=END, end=END).entity_id[:1]
    (team,) = here.rows("tdza", start=END, end=END).team_abbr[:1]
    frames: dict[str, Callable[[Reader], pd.DataFrame]] = {
        "examples": lambda reader: reader.training_examples(start=START, end=END),
        "psza": lambda reader: reader.rows("psza", start=START, end=END),
        "failures": lambda reader: reader.failures(start=START, end=END),
        "coverage": lambda reader: reader.coverage(start=START, end=END),
        "a player": lambda reader: reader.explain(int(player), END),
        "a failure": lambda reader: reader.explain(failed, END),
        "a team": lambda reader: reader.explain(team, END),
    }
    for name, read in frames.items():
        found, expected = (
            frame.drop(columns=[*BOOKKEEPING, "created_at"], errors="ignore")
            for frame in (read(there), read(here))
        )
        assert len(found) > 0, name
        pd.testing.assert_frame_equal(found, expected, obj=name)
    explained = there.explain(int(player), END)
    assert explained.problem.fillna("").eq("").all()
    assert {"pcf", "pdc", "mlfs"} <= set(explained.processor)


# Of the datasets that diff compares with.
OTHER_PREFIX = "other_"


def test_explain_export_and_diff_answer_as_on_duckdb(
    backfilled: tuple[Project, Done, Done],
    backcourt: CommandLine,
    duckdb_backfilled: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project, *_ = backfilled
    monkeypatch.setenv("BACKCOURT_DUCKDB_PATH", str(duckdb_backfilled.path))
    other = duckdb_backfilled.copy(tmp_path / "other")
    moved = "nba_precompute.player_daily_cache"
    changed = f"minutes_avg_last_10 = 99 where cache_date = date '{END}'"
    with project.warehouse() as warehouse:
        client = warehouse._connection.client
        for statement in (
            f"create schema {OTHER_PREFIX}nba_precompute",
            f"create table {OTHER_PREFIX}{moved} as select * from {moved}",
            f"update {OTHER_PREFIX}{moved} set {changed}",
        ):
            client.query_and_wait(statement)
    other.execute(f"update {moved} set {changed}")
    (who,) = [
        row["player_id"]
        for row in duckdb_backfilled.query(
            f"select player_id from {moved} where cache_date = date '{END}' order by 1 limit 1"
        )
    ]
    answers: dict[str, list[Any]] = {}
    for target, there in (("emulator", OTHER_PREFIX), ("duckdb", other.path)):
        one = answers.setdefault(target, [])
        (explained,) = backcourt(
            *("explain", who, "--date", END, "--processor", "pdc"),
            *("--format", "json", "--target", target),
        ).json()
        assert explained["problems"] == []
        one.append({name: explained[name] for name in ("columns", "games", "hash")})
        compared = backcourt.attention(
            *("diff", there, *RANGE, "--processors", "pdc", "--format", "json", "--target", target)
        ).json()
        one.append(compared["tables"][0])
        folder = tmp_path / target
        backcourt("export", "--out", folder, *RANGE, "--tables", "pdc,mlfs", "--target", target)
        for file in sorted(folder.glob("*/*.parquet")):
            table = pq.read_table(file)
            kept = [name for name in table.column_names if name not in BOOKKEEPING]
            one.append((file.name, table.select(kept).to_pylist()))
    assert answers["emulator"] == answers["duckdb"]
    assert [column["column"] for column in answers["duckdb"][1]["columns"]] == [
        "minutes_avg_last_10"
    ]
    refused = backcourt("backfill", *RANGE, "--preview")
    assert (refused.code, "another prefix" in refused.err) == (2, True)


TIB = 1 << 40
DATED_TABLES = {
    "nba_precompute.player_shot_zone_inputs",
    "nba_precompute.input_fingerprints",
    "nba_precompute.team_defense_zone_analysis",
    "nba_predictions.ml_feature_store_v2",
    "nba_processing.expected_entities",
}
POOL_READS = {
    "psza reads players",
    "psza reads games",
    "pcf reads players",
    "pcf reads psza",
    "pcf reads tdza",
    "pdc reads players",
    "pdc reads games",
    "pdc reads psza",
}


def test_a_dry_run_tells_bytes_and_price_and_changes_nothing(
    backfilled: tuple[Project, Done, Done],
    backcourt: CommandLine,
    seen: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    exit_code: Callable[..., int],
) -> None:
    project, _, resumed = backfilled
    before = project.state()
    monkeypatch.setenv("BACKCOURT_BQ_USD_PER_TIB", "5")
    began = len(seen.seen)
    dry = r'"dryRun": true'
    seen.inject(
        "answer", body=f"player_daily_cache.*{dry}", times=10_000, status=404, reason="notFound"
    )
    seen.inject("estimate", body=dry, times=10_000, size=TIB)
    ends = backcourt.attention if exit_code(LAST_DAY_BUT_ONE) else backcourt.ok
    printed = ends("backfill", *LAST_DAYS, "--dry-run").out
    seen.clear_faults()
    assert project.state() == before

    jobs = sent_jobs(seen.seen[began:])
    assert all(job.is_dry or re.match(r"\s*(select|with)\b", job.statement or "") for job in jobs)
    asked = [job.statement or "" for job in jobs if job.is_dry]
    merged = {m[1] for m in (re.match(r"merge into `(\S+)`", sql) for sql in asked) if m}
    assert merged >= DATED_TABLES

    assert "at 5 USD per TiB" in printed
    table = printed.partition("USD per TiB")[2]
    found = {
        words[0]: words[1:]
        for words in (re.split(r"\s{2,}", line.strip()) for line in table.splitlines())
        if len(words) == 3
    }
    del found["statement"]
    total = found.pop("total")
    built = {f"nba_analytics.{name}" for name in project.tables("nba_analytics")}
    named = {name for name in found if "." in name}
    assert named >= DATED_TABLES | built
    assert {name for name in found if " reads " in name} == POOL_READS
    assert "every_expected_entity_is_accounted_for" in found
    # The dry run of a backfill includes the bytes of its coverage tests.
    stage = next(each for each in resumed.events("stage_finished") if "tests" in each["detail"])
    assert len(found.keys() - named - POOL_READS) == int(stage["detail"].split()[0])

    assert found["psza reads games"] == [f"{TIB:,}", "5.0000"]
    assert found["pdc reads players"] == ["-", "-"]
    known = sum(words == [f"{TIB:,}", "5.0000"] for words in found.values())
    unknown = sum(words == ["-", "-"] for words in found.values())
    assert known + unknown == len(found) == len(asked)
    assert total == [f"{known * TIB:,}", f"{known * 5:.4f}"]
    assert f"-: {unknown} statements read tables that do not exist yet" in printed


@pytest.mark.timeout(600)
def test_a_correction_recomputes_the_dates_after_it(
    backfilled: tuple[Project, Done, Done],
    raw_files: Path,
    backcourt: CommandLine,
    tmp_path: Path,
    emulator: Emulator,
    exit_code: Callable[..., int],
) -> None:
    """The proxy fails all the time and loses the answer to a commit, which is written only once."""
    project, *_ = backfilled
    before = project.rows(START, CORRECTED)
    boxes = pq.read_table(raw_files / "player_box_scores" / "2021_22.parquet")
    games = pq.read_table(raw_files / "games" / "2021_22.parquet").to_pylist()
    of_day = [g["game_id"] for g in games if g["game_date"] == CORRECTED]
    lines = boxes.to_pylist()
    line = next(one for one in lines if one["game_id"] in of_day and (one["points"] or 0) > 10)
    line["points"] += 1
    (tmp_path / "player_box_scores").mkdir()
    corrected = pa.Table.from_pylist([line], schema=boxes.schema)
    pq.write_table(corrected, tmp_path / "player_box_scores" / "corrected.parquet")
    loaded = backcourt("load", tmp_path, "--tables", "player_box_scores")
    assert loaded.code == 0, loaded.err
    with running_proxy(emulator.endpoint) as proxy:
        faults = storm(proxy)
        done = project.backfill(*RANGE, "--skip-tests", BACKCOURT_BQ_ENDPOINT=proxy.endpoint)
    assert done.code == exit_code(), done.output
    assert all(fault.struck == fault.times for fault in faults)
    assert done.dates() <= {"2021-12-13", "2021-12-14"}
    assert done.dates()
    assert project.rows(START, CORRECTED) == before
    assert backcourt("coverage", *RANGE).code == exit_code()


def storm(proxy: FaultProxy) -> list[Any]:
    jobs = r"v2/projects/[^/]+/jobs"
    return [
        proxy.inject("answer", path=jobs, body="processor_runs", times=3),
        proxy.inject("reset_after", path=jobs, body="begin transaction"),
    ]


def test_daily_runs_the_last_date(
    backfilled: tuple[Project, Done, Done],  # noqa: ARG001 -- done before
    backcourt: CommandLine,
    exit_code: Callable[..., int],
) -> None:
    done = backcourt("daily", "--date", END, "--log-format", "json")
    assert done.code == exit_code(END), done.err
    assert backcourt("coverage", *RANGE).code == exit_code()


LABEL = re.compile(r"[a-z0-9_-]{0,63}")


def test_every_job_says_what_it_is_for_and_has_a_limit(
    backfilled: tuple[Project, Done, Done], seen: FaultProxy
) -> None:
    _, *commands = backfilled
    # dbt loads a seed without labels; a load job costs nothing.
    jobs = [job for job in sent_jobs(seen.seen) if job.is_python or job.statement]
    for job in jobs:
        assert job.labels.get("app") == "backcourt", job
        assert all(LABEL.fullmatch(text) for text in job.labels.values()), job
        assert all(re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", name) for name in job.labels), job
        assert "stage" in job.labels
        if job.statement is not None and not job.is_dry:
            assert job.configuration["query"]["maximumBytesBilled"] == "200000000000", job
    run_ids = {label_value(done.event("stage_finished")["run_id"]) for done in commands}
    of_run = [job for job in jobs if job.labels.get("run_id") in run_ids]
    python = [job for job in of_run if job.is_python]
    assert {job.labels["stage"] for job in python} == {
        "inputs",
        "tdza",
        "psza",
        "pcf_and_pdc",
        "mlfs",
    }
    # Leave out the stage inputs, which only records what the inputs were built from.
    writes = [job for job in python if job.labels["stage"] != "inputs"]
    for kind in (
        [job for job in writes if job.loaded],
        [job for job in writes if "begin transaction" in (job.statement or "")],
        [job for job in writes if "failure_category" in (job.statement or "")],
    ):
        assert {job.labels.get("processor") for job in kind} == set(BY_KEY)
    nodes = {job.labels["node"]: job.labels for job in of_run if "node" in job.labels}
    assert nodes["ml_feature_store_v2"]["stage"] == "mlfs"
    assert nodes["every_expected_entity_is_accounted_for"]["stage"] == "coverage_tests"


# The commands send some statements only if data is missing.
STATEMENTS = (coverage, daily, dependencies, load, queries, registry, sql_stage, status)


def constant_statements() -> Iterator[str]:
    """Give the statements that modules keep as constants, their conditions filled in."""
    for module in STATEMENTS:
        for text in vars(module).values():
            if isinstance(text, str) and text.lstrip().startswith(("select", "with")):
                filled = text.replace("{condition}", "true")
                yield re.sub(r"\{([\w.]+)\}", r"\1 between @start and @end", filled)


def test_every_statement_of_the_commands_is_bigquery_s_and_names_its_dates(
    project: Project, seen: FaultProxy
) -> None:
    """Runs last: it analyses all statements that the tests above have sent."""
    jobs = [job for job in sent_jobs(seen.seen) if job.is_python and not job.is_dry]
    statements = [*(job.statement for job in jobs if job.statement), *constant_statements()]
    types = dict(job.loaded for job in jobs if job.loaded)
    partitioned = {table_names.BACKFILL_COVERAGE: "analysis_date"}
    with project.warehouse() as warehouse:
        client = warehouse._connection.client
        for dataset in DATASETS:
            for listed in client.list_tables(dataset):
                table = client.get_table(listed.reference)
                name = f"{dataset}.{table.table_id}"
                types[name] = [(each.name, each.field_type.lower()) for each in table.schema]
                if table.time_partitioning is not None:
                    partitioned[name] = table.time_partitioning.field
    assert len(partitioned) > 12
    statements = [each.replace(f"{OTHER_PREFIX}nba_", "nba_") for each in statements]
    report = check_statements(types, list(dict.fromkeys(statements)), partitioned)
    assert report.checked > 50
    assert report.findings == ()
