"""`backcourt diff` and `backfill --preview`: what differs, and what a run would change."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

from python_workers.processors.catalogue import BY_NAME
from python_workers.processors.daily_cache import DAILY_CACHE
from tests.python.support.command import CommandLine
from tests.python.support.engine import Engine


def test_two_files_are_compared(backfilled: CommandLine, engine: Engine, tmp_path: Path) -> None:
    other = engine.copy(tmp_path / "other")
    same = backfilled.ok("diff", other.path)
    assert "no differences" in same.out
    assert max(map(len, same.out.splitlines()[2:])) <= 80
    (day,) = engine.query("select max(analysis_date) as day from nba_precompute.player_daily_cache")
    where = f"where analysis_date = date '{day['day']}'"
    other.execute(
        f"update nba_precompute.player_daily_cache set points_avg_last_5 = 99 {where}",
        f"delete from nba_precompute.team_defense_zone_analysis {where}",
    )
    shown = backfilled.attention("diff", other.path)
    assert "points_avg_last_5: " in shown.out
    assert "99.0 there" in shown.out
    found = backfilled.attention("diff", other.path, "--format", "json").json()
    tables = {table["name"]: table for table in found["tables"]}
    assert {name for name, table in tables.items() if table["differs"]} == {"pdc", "tdza"}
    assert [each["column"] for each in tables["pdc"]["columns"]] == ["points_avg_last_5"]
    assert [each["date"] for each in tables["tdza"]["dates"]] == [str(day["day"])]
    assert tables["tdza"]["rows"]["only_here"] == 10
    before = day["day"] - dt.timedelta(days=1)
    backfilled.ok("diff", other.path, "--start", dt.date(2021, 10, 1), "--end", before)
    backfilled.ok("diff", other.path, "--processors", "psza,pcf")


def test_a_file_is_not_compared_with_itself_or_with_one_that_is_missing(
    backfilled: CommandLine, engine: Engine, tmp_path: Path
) -> None:
    itself = backfilled("diff", engine.path)
    assert (itself.code, "is this warehouse itself" in itself.err) == (2, True)
    missing = backfilled("diff", tmp_path / "missing.duckdb")
    assert (missing.code, "there is no warehouse" in missing.err) == (3, True)
    both = backfilled("backfill", "--all", "--preview", "--dry-run")
    assert (both.code, "exclude each other" in both.err) == (2, True)


def test_a_preview_shows_what_the_run_then_does(
    backfilled: CommandLine, engine: Engine, tmp_path: Path
) -> None:
    before = engine.copy(tmp_path / "before")
    (line,) = engine.query(
        "select game_id, player_id from nba_raw.player_box_scores "
        "join nba_raw.games using (game_id) where points > 10 "
        "order by game_date desc, game_id, player_id limit 1 offset 150"
    )
    correction = (
        "update nba_raw.player_box_scores set ftm = ftm + 1, fta = fta + 1, "
        f"points = points + 1 where game_id = '{line['game_id']}' "
        f"and player_id = {line['player_id']}"
    )
    engine.execute(correction)
    held = engine.everything()
    shown = backfilled("backfill", "--all", "--preview", "--skip-tests", "--log-format", "json")
    assert shown.code == 1
    assert engine.everything() == held
    assert [path.name for path in engine.path.parent.iterdir() if "preview" in path.name] == []
    (compared,) = [event for event in shown.events() if event["event"] == "compared"]
    preview = {table["name"]: table for table in compared["tables"]}
    assert preview["pdc"]["rows"]["changed"] > 0
    backfilled("backfill", "--all", "--skip-tests")
    after = backfilled.attention("diff", before.path, "--format", "json").json()
    assert {table["name"]: table["rows"] for table in after["tables"]} == {
        name: table["rows"] for name, table in preview.items()
    }
    log = engine.query(
        "select processor_name, change, run_id, old_hash, new_hash, changed_columns, "
        "analysis_date, player_id from nba_processing.record_changes"
    )
    by_processor = Counter(BY_NAME[row["processor_name"]].key for row in log)
    changed = {name: table["rows"]["changed"] for name, table in preview.items()}
    assert by_processor == Counter({key: changed[key] for key in by_processor})
    assert {"pdc", "mlfs"} <= by_processor.keys()
    runs = {
        row["run_id"]
        for row in engine.query("select run_id from nba_precompute.player_daily_cache")
    }
    assert {row["run_id"] for row in log} <= runs
    of_cache = [row for row in log if row["processor_name"] == DAILY_CACHE.name]
    hashes = {
        (row["analysis_date"], row["player_id"]): row["data_hash"]
        for row in engine.query(f"select * from {DAILY_CACHE.table}")
    }
    for row in of_cache:
        assert row["change"] == "updated"
        assert row["new_hash"] == hashes[row["analysis_date"], row["player_id"]] != row["old_hash"]
        assert "points_avg_season" in row["changed_columns"].split(", ")
