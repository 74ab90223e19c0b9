"""If raw tables or project files are newer than the features, no command calls them done."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_workers.backfill.dbt_project import DbtProject
from python_workers.processors.catalogue import BY_KEY, PROCESSORS
from python_workers.table_names import PROCESSED_DATES, PROCESSOR_RUNS
from tests.python.support.command import CommandLine
from tests.python.support.engine import Engine

ALL_OF_IT = ("--start", "2021-10-19", "--end", "2021-12-06")
GAME_DAY = dt.date(2021, 11, 30)
BEFORE = ("--start", "2021-10-19", "--end", GAME_DAY - dt.timedelta(days=1))
READING = ("plan", "coverage", "backfill --dry-run")
# dbt's test of it is run by itself.
BACKFILL = ("backfill", "--skip-tests")
TESTS = ("no_date_is_behind_what_it_is_made_of",)


def corrected_file(engine: Engine, folder: Path) -> str:
    """Write a box score in which a player has two assists more; return its game."""
    line = "select * from nba_raw.player_box_scores inner join nba_raw.games using (game_id) "
    (row,) = engine.query(
        f"{line} where game_date = date '{GAME_DAY}' and not is_dnp order by 1, 2 limit 1"
    )
    (line_row,) = engine.query(
        "select * replace (ast + 2 as ast) from nba_raw.player_box_scores "
        "where game_id = ? and player_id = ?",
        [row["game_id"], row["player_id"]],
    )
    path = folder / "player_box_scores" / "corrected.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([line_row]), path)
    return str(row["game_id"])


def load(command: CommandLine, folder: Path, table: str, rows: list[dict[str, object]]) -> None:
    """Load some rows of one raw table."""
    path = folder / table / "rows.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert command("load", folder, "--tables", table).code == 0


def stale_days(command: CommandLine) -> set[str]:
    """Return the dates that plan calls stale, which are those of coverage and of dbt's view."""
    planned = command("plan", *ALL_OF_IT, "--format", "json").json()
    found = command("coverage", *ALL_OF_IT, "--format", "json").json()
    days = {row["date"] for row in planned if row["status"] == "stale"}
    assert {
        row["analysis_date"] for row in found["dates"] if row["coverage_status"] == "stale"
    } == days
    return days


def outcome_of_the_test(engine: Engine) -> str:
    (test,) = engine.project().test(TESTS, dt.date(2021, 10, 19), dt.date(2021, 12, 6))
    return test.status


def test_a_correction_that_is_loaded_makes_dates_stale_until_they_are_backfilled(
    backfilled: CommandLine, engine: Engine, tmp_path: Path
) -> None:
    assert outcome_of_the_test(engine) == "pass"
    game = corrected_file(engine, tmp_path)
    assert backfilled("load", tmp_path, "--tables", "player_box_scores").code == 0
    (load,) = engine.query(
        "select distinct load_id from nba_raw.changed_games where game_id = ?"
        " and table_name = 'player_box_scores' and updated = 1",
        [game],
    )
    why = f"raw data changed (load {load['load_id'][:8]})"

    for command in READING:
        shown = backfilled.attention(*command.split(), *ALL_OF_IT).out
        assert why in shown
        assert f"changed since: game {game} of {GAME_DAY}" in shown
    planned = backfilled.attention("plan", *ALL_OF_IT, "--format", "json").json()
    from_game = [row for row in planned if row["date"] >= str(GAME_DAY)]
    assert {(row["status"], row["reason"], row["due"]) for row in from_game} == {
        ("stale", why, True)
    }
    found = backfilled.attention("coverage", *ALL_OF_IT, "--format", "json").json()
    assert [row["game_id"] for row in found["changed_games"]] == [game]
    status = backfilled.attention("status", "--date", "2021-12-06").out
    assert why in status
    page = tmp_path / "report.html"
    assert (
        "their inputs, or the raw data"
        in backfilled.attention("report", "--out", page, *ALL_OF_IT).out
    )
    assert game in page.read_text(encoding="utf-8")

    # The view in SQL shows the game's own date and the later ones.
    stale = engine.query("select distinct analysis_date as day from nba_processing.stale_dates")
    days = engine.query(
        "select distinct game_date as day from nba_raw.games "
        "where game_date between ? and date '2021-12-06'",
        [GAME_DAY],
    )
    assert {row["day"] for row in stale} == {row["day"] for row in days}
    assert stale_days(backfilled) == {str(row["day"]) for row in days}
    assert outcome_of_the_test(engine) == "fail"
    # Dates before the game, and dates of a part that was built since, are not stale.
    backfilled.ok("backfill", *BEFORE)
    assert stale_days(backfilled) == {str(row["day"]) for row in days}
    last = max(row["day"] for row in days)
    backfilled(*BACKFILL, "--start", last, "--end", last)
    assert stale_days(backfilled) == {str(row["day"]) for row in days if row["day"] != last}

    backfilled.ok(*BACKFILL, *ALL_OF_IT)
    assert outcome_of_the_test(engine) == "pass"
    assert engine.query("select * from nba_processing.stale_dates") == []
    assert "stale" not in backfilled.ok("plan", *ALL_OF_IT).out
    backfilled.ok("coverage", *ALL_OF_IT)


def test_explain_says_that_a_correction_has_been_loaded_since(
    backfilled: CommandLine, engine: Engine, tmp_path: Path
) -> None:
    (row,) = engine.query(
        "select player_lookup, min(analysis_date) as first, max(analysis_date) as last "
        "from nba_precompute.player_daily_cache group by all "
        f"having min(analysis_date) < date '{GAME_DAY}' and max(analysis_date) > '{GAME_DAY}' "
        "order by 1 limit 1"
    )
    corrected_file(engine, tmp_path)
    assert backfilled("load", tmp_path, "--tables", "player_box_scores").code == 0
    asked = ("explain", row["player_lookup"], "--processor", "pdc", "--date")
    shown = backfilled.attention(*asked, row["last"]).out
    assert "error: the date is stale: raw data changed (load " in shown
    assert f"do: backcourt backfill --start {row['last']} --end {row['last']}" in shown
    backfilled.ok(*asked, row["first"])


def test_a_correction_that_is_taken_back_before_a_backfill_is_compared_by_it(
    backfilled: CommandLine, engine: Engine, tmp_path: Path
) -> None:
    corrected_file(engine, tmp_path / "correction")
    (was,) = engine.query(
        "select * from nba_raw.player_box_scores inner join nba_raw.games using (game_id) "
        f"where game_date = date '{GAME_DAY}' and not is_dnp order by 1, 2 limit 1"
    )
    lines = engine.query(
        "select * from nba_raw.player_box_scores where game_id = ? and player_id = ?",
        [was["game_id"], was["player_id"]],
    )
    assert backfilled("load", tmp_path / "correction", "--tables", "player_box_scores").code == 0
    assert min(stale_days(backfilled)) == str(GAME_DAY)
    load(backfilled, tmp_path / "restored", "player_box_scores", lines)
    # The log of loads has both, so that dbt's view says the same until a backfill has compared.
    assert min(stale_days(backfilled)) == str(GAME_DAY)
    backfilled.ok(*BACKFILL, *ALL_OF_IT)
    assert stale_days(backfilled) == set()
    assert engine.query("select * from nba_processing.stale_dates") == []
    assert outcome_of_the_test(engine) == "pass"


def test_a_player_s_birth_date_makes_stale_the_dates_from_his_first_game_on(
    backfilled: CommandLine, engine: Engine, tmp_path: Path
) -> None:
    (late,) = engine.query(
        "select player_id, min(game_date) as first from nba_raw.player_box_scores "
        "inner join nba_raw.games using (game_id) inner join nba_raw.players using (player_id) "
        "group by player_id order by first desc, player_id limit 1"
    )
    # Let him play no game before GAME_DAY, so that earlier dates do not become stale.
    engine.execute(
        f"delete from nba_raw.player_box_scores where player_id = {late['player_id']} "
        f"and game_id in (select game_id from nba_raw.games where game_date < date '{GAME_DAY}')"
    )
    backfilled(*BACKFILL, *ALL_OF_IT)
    rows = engine.query(
        "select * replace (date '1979-05-05' as birth_date) from nba_raw.players "
        "where player_id = ?",
        [late["player_id"]],
    )
    load(backfilled, tmp_path, "players", rows)
    stale = engine.query("select distinct analysis_date as day from nba_processing.stale_dates")
    assert min(row["day"] for row in stale) >= GAME_DAY
    assert stale_days(backfilled) == {str(row["day"]) for row in stale}
    backfilled(*BACKFILL, *ALL_OF_IT)
    assert engine.query("select * from nba_processing.stale_dates") == []
    assert stale_days(backfilled) == set()


def test_raw_tables_that_something_else_has_changed_are_noticed(
    backfilled: CommandLine, engine: Engine
) -> None:
    engine.execute(
        "update nba_raw.player_box_scores set ast = ast + 1 where game_id in "
        "(select game_id from nba_raw.games where game_date = date '2021-11-15')"
    )
    for command in READING:
        assert "raw data changed" in backfilled.attention(*command.split(), *BEFORE).out
    assert min(stale_days(backfilled)) == "2021-11-15"


def test_changed_files_of_the_project_are_noticed(
    backfilled: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DbtProject, "state", lambda _: "another project")
    for command in READING:
        assert "dbt project changed" in backfilled.attention(*command.split(), *BEFORE).out


def test_a_new_version_of_a_calculation_is_noticed(
    backfilled: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pdc = BY_KEY["pdc"]
    was = pdc.calculation_version
    monkeypatch.setitem(vars(pdc), "calculation_version", "v99")
    shown = backfilled.attention("coverage", *BEFORE, "--format", "json").json()
    stale = {row["processor_name"]: row["stale_reason"] for row in shown["dates"]}
    assert stale == {
        each.name: f"version changed: {was} to v99" if each is pdc else None for each in PROCESSORS
    }


def test_rows_of_older_upstream_rows_are_stale(backfilled: CommandLine, engine: Engine) -> None:
    for records in (PROCESSED_DATES, PROCESSOR_RUNS):
        engine.execute(
            f"update {records} set output_digest = 'other' "
            f"where processor_name = '{BY_KEY['psza'].name}' and analysis_date = date '{GAME_DAY}'"
        )
    shown = backfilled.attention("coverage", *ALL_OF_IT, "--format", "json").json()
    stale = {
        (row["processor_name"], row["analysis_date"], row["stale_reason"])
        for row in shown["dates"]
        if row["coverage_status"] == "stale"
    }
    assert stale == {
        (BY_KEY[short].name, str(GAME_DAY), "upstream changed") for short in ("pcf", "pdc", "mlfs")
    }
    assert backfilled("coverage", *ALL_OF_IT, "--processor", "tdza,psza").code == 0
