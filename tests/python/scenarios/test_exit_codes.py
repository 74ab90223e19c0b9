"""One rule for exit codes: a command ends with 1 if something in its range needs attention."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from python_workers.processors.catalogue import BY_KEY
from python_workers.processors.daily_cache import DAILY_CACHE
from tests.python.support.command import CommandLine
from tests.python.support.engine import Engine, assert_same

DAY = dt.date(2021, 12, 4)
RANGE = ("--start", DAY, "--end", DAY)

COMMANDS = {
    "backfill": ("backfill", *RANGE, "--skip-tests"),
    "dry run": ("backfill", *RANGE, "--dry-run"),
    "compute": ("compute", *RANGE),
    "plan": ("plan", *RANGE),
    "coverage": ("coverage", *RANGE),
    "status": ("status", "--date", DAY),
}


def fail(engine: Engine, category: str) -> None:
    """Give a failure of a daily cache another category."""
    engine.execute(
        f"update nba_processing.precompute_failures set failure_category = '{category}' "
        f"where processor_name = '{DAILY_CACHE.name}' and entity_id = (select min(entity_id) "
        "from nba_processing.precompute_failures "
        f"where processor_name = '{DAILY_CACHE.name}' and analysis_date = date '{DAY}') "
        f"and analysis_date = date '{DAY}'"
    )
    engine.record(DAILY_CACHE, DAY)


def codes(backcourt: CommandLine, tmp_path: Path, *left_out: str) -> dict[str, int]:
    commands = {**COMMANDS, "report": ("report", "--out", tmp_path / "report.html", *RANGE)}
    return {
        name: backcourt(*arguments).code
        for name, arguments in commands.items()
        if name not in left_out
    }


def test_where_all_is_well_every_command_ends_with_0(
    backfilled: CommandLine, tmp_path: Path
) -> None:
    assert set(codes(backfilled, tmp_path).values()) == {0}


@pytest.mark.parametrize(
    "category",
    ["INCOMPLETE_UPSTREAM", "PROCESSING_ERROR", "CIRCUIT_BREAKER_ACTIVE", "COFFEE_BREAK"],
)
def test_a_failure_to_look_at_needs_attention_in_every_command(
    backfilled: CommandLine, engine: Engine, tmp_path: Path, category: str
) -> None:
    fail(engine, category)
    assert set(codes(backfilled, tmp_path).values()) == {1}
    # No other range contains the failure.
    assert backfilled("coverage", *RANGE, "--processor", "psza").code == 0
    assert backfilled("compute", *RANGE, "--processors", "psza").code == 0
    assert backfilled("coverage", "--start", "2021-10-19", "--end", "2021-12-03").code == 0
    assert backfilled("status", "--date", "2021-12-03").code == 0


def test_a_lock_hides_no_missing_data(
    backfilled: CommandLine, engine: Engine, tmp_path: Path
) -> None:
    """A locked player still counts as one without a row because of missing data."""
    fail(engine, "CIRCUIT_BREAKER_ACTIVE")
    shown = backfilled.attention("coverage", *RANGE, "--format", "json").json()
    assert shown["reasons"] == ["1 failure to investigate"]
    assert shown["attention_counts"]["circuit_breaker_active"] == 1
    (failure,) = shown["to_investigate"]
    assert failure["failure_category"] == "CIRCUIT_BREAKER_ACTIVE"
    (date,) = [row for row in shown["dates"] if row["processor_name"] == DAILY_CACHE.name]
    assert date["coverage_status"] == "investigate"
    (kind,) = backfilled.attention("status", "--date", DAY, "--format", "json").json()[
        "to_investigate"
    ]
    assert (kind["failure_category"], kind["failures"]) == ("CIRCUIT_BREAKER_ACTIVE", 1)
    page = tmp_path / "report.html"
    told = backfilled.attention("report", "--out", page, *RANGE).out
    assert "1 entry of" in told
    assert "to investigate" in told


def test_a_row_that_is_lost_or_never_was_needs_attention(
    backfilled: CommandLine, engine: Engine, tmp_path: Path
) -> None:
    psza = BY_KEY["psza"]
    engine.execute(
        f"delete from {psza.table} where analysis_date = date '{DAY}' and player_id = "
        f"(select min(player_id) from {psza.table} where analysis_date = date '{DAY}')"
    )
    computing = ("backfill", "compute")
    assert set(codes(backfilled, tmp_path, *computing).values()) == {1}
    # These commands repair it.
    assert set(codes(backfilled, tmp_path).values()) == {0}


def test_altered_rows_and_failures_need_attention(
    backfilled: CommandLine, engine: Engine, tmp_path: Path
) -> None:
    """All expected entities are there, so counts show nothing."""
    before = engine.everything()
    for key, change in (
        ("mlfs", "points_avg_last_5 = 99"),
        ("tdza", "games_in_sample = 99"),
        ("psza", "paint_rate_last_10 = 99"),
        ("pcf", "data_hash = 'forged'"),
    ):
        processor = BY_KEY[key]
        engine.execute(
            f"update {processor.table} set {change} where {processor.date_column} = date '{DAY}'"
        )
    engine.execute(
        "update nba_processing.precompute_failures set failure_category = 'STALE_DATA' "
        f"where processor_name = '{DAILY_CACHE.name}' and analysis_date = date '{DAY}'"
    )
    assert set(codes(backfilled, tmp_path, "backfill", "compute").values()) == {1}
    shown = backfilled.attention("coverage", *RANGE, "--format", "json").json()
    rows = "its rows differ from those recorded"
    failures = "its failures differ from those recorded"
    assert {row["processor_name"]: row["stale_reason"] for row in shown["dates"]} == {
        **{BY_KEY[key].name: rows for key in ("tdza", "psza", "pcf", "mlfs")},
        DAILY_CACHE.name: failures,
    }
    assert f"stale: {rows}: 1 game date, {DAY}" in backfilled.attention("coverage", *RANGE).out
    (test,) = engine.project().test(("rows_and_failures_are_those_recorded",), DAY, DAY)
    assert (test.status, test.failures) == ("fail", 5)
    assert backfilled("coverage", "--start", "2021-10-19", "--end", "2021-12-03").code == 0
    # dbt's tests pass again, too.
    backfilled.ok("backfill", *RANGE)
    assert_same(engine.everything(), before)


def test_altered_inputs_need_attention(
    backfilled: CommandLine, engine: Engine, tmp_path: Path
) -> None:
    of_day = f"analysis_date = date '{DAY}'"
    alterations = {
        "nba_processing.expected_entities": f"delete from {{}} where {of_day}",
        "nba_precompute.player_daily_cache_inputs": f"delete from {{}} where {of_day}",
        "nba_analytics.int_player_form": "update {} set player_id = player_id + 1",
    }
    kept = {table: engine.query(f"select * from {table} order by all") for table in alterations}
    engine.execute(*(sql.format(table) for table, sql in alterations.items()))
    left_out = ("backfill", "compute", "report", "dry run")
    assert set(codes(backfilled, tmp_path, *left_out).values()) == {1}
    shown = backfilled.attention("plan", *RANGE, "--format", "json").json()
    why = "tables or views that dbt built have changed since"
    assert {(row["status"], row["reason"]) for row in shown} == {("stale", why)}
    engine.backfill(DAY, DAY)
    for table, rows in kept.items():
        assert engine.query(f"select * from {table} order by all") == rows, table
    backfilled.ok("plan", *RANGE)
    engine.execute("delete from nba_processing.input_builds")
    assert "no build of the inputs is recorded" in backfilled.attention("plan", *RANGE).out


def test_altered_views_need_attention(
    backfilled: CommandLine, engine: Engine, tmp_path: Path
) -> None:
    before = engine.everything()
    alterations = {
        "nba_staging.stg_shots": "* replace (not is_assisted as is_assisted)",
        "nba_predictions.training_examples": "* replace (actual_points + 10 as actual_points)",
        "nba_processing.stale_dates": "* replace ('' as stale_reason)",
    }

    def text_of(view: str) -> str:
        schema, _, name = view.partition(".")
        (row,) = engine.query(
            "select sql from duckdb_views() "
            f"where schema_name = '{schema}' and view_name = '{name}'"
        )
        return str(row["sql"])

    texts = {view: text_of(view) for view in alterations}
    altered = []
    shutil.copyfile(engine.path, tmp_path / "intact.duckdb")
    for view, columns in alterations.items():
        select = texts[view].partition(" AS ")[2].rstrip(";")
        altered.append(f"create or replace view {view} as select {columns} from ({select})")
        engine.execute(altered[-1])
        assert "views that dbt built have changed" in backfilled.attention("plan", *RANGE).out
        shutil.copyfile(tmp_path / "intact.duckdb", engine.path)
    engine.execute(*altered)
    left_out = ("backfill", "compute", "report", "dry run")
    assert set(codes(backfilled, tmp_path, *left_out).values()) == {1}
    backfilled.ok("backfill", *RANGE)
    assert {view: text_of(view) for view in alterations} == texts
    # A view of the user's is none of the project.
    engine.execute("create view nba_staging.of_the_user as select 1 as one")
    backfilled.ok("plan", *RANGE)
    assert_same(engine.everything(), before)


def test_lost_rows_and_their_lost_expectations_need_attention(
    backfilled: CommandLine, engine: Engine, tmp_path: Path
) -> None:
    """The date has no expected entities, and no rows."""
    psza = BY_KEY["psza"]
    of_day = f"analysis_date = date '{DAY}'"
    of_psza = f"{of_day} and processor_name = '{psza.name}'"
    engine.execute(
        f"delete from {psza.table} where {of_day}",
        f"delete from nba_processing.precompute_failures where {of_psza}",
        f"delete from nba_processing.expected_entities where {of_psza}",
    )
    assert set(codes(backfilled, tmp_path, "backfill", "compute").values()) == {1}
    shown = backfilled.attention("coverage", *RANGE).out
    assert "rows and 0 of" in shown


def test_dates_that_have_never_run_need_attention(loaded: CommandLine) -> None:
    assert loaded("plan", *RANGE).code == 1
    assert loaded("status", "--date", DAY).code == 1
    assert loaded("status", "--date", "2021-10-01").code == 0


def test_a_date_that_was_called_off_needs_no_attention_once_its_rows_are_gone(
    backfilled: CommandLine, engine: Engine
) -> None:
    engine.execute(f"update nba_raw.games set status = 'postponed' where game_date = '{DAY}'")
    week = ("--start", DAY - dt.timedelta(6), "--end", DAY)
    assert backfilled("coverage", *week).code == 1
    for command in ("backfill", "compute", "coverage", "plan"):
        ended = backfilled(command, *week)
        assert (ended.code, ended.err) == (0, ""), ended.out


@pytest.mark.parametrize("command", ["plan", "coverage", "backfill", "compute", "report", "verify"])
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--start", "2021-12-04", "--end", "2021-12-03"),
        ("--start", "2021-12-04"),
        ("--season", "2021"),
        ("--all", "--season", "2021-22"),
    ],
)
def test_a_wrong_range_is_named_before_a_missing_warehouse(
    backcourt: CommandLine, tmp_path: Path, command: str, options: tuple[str, ...]
) -> None:
    out = ("--out", tmp_path / "report.html") if command == "report" else ()
    without_range = command == "report" and not options
    assert backcourt(command, *out, *options).code == (3 if without_range else 2)


@pytest.mark.parametrize(
    "options",
    [
        ("--backend", "dask", "--scheduler", "tcp://127.0.0.1:9"),
        ("--exchange-dir", f"{__file__}/exchange"),
    ],
)
def test_a_pool_that_cannot_work_is_named_before_anything_is_built(
    loaded: CommandLine, engine: Engine, options: tuple[str, ...]
) -> None:
    assert loaded("backfill", *RANGE, *options).code == 3
    built = "select count(*) as tables from duckdb_tables() where schema_name = 'nba_analytics'"
    assert engine.query(built) == [{"tables": 0}]
