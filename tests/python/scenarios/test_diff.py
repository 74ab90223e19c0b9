"""`backcourt diff` and `backfill --preview`: what differs, and what a run would change."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

import pytest

from python_workers.accounting.processed_dates import BOOKKEEPING
from python_workers.backfill.dbt_project import DbtProject
from python_workers.processors.catalogue import BY_NAME
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.feature_store import FEATURE_STORE
from python_workers.runtime.scratch import PREFIX
from tests.python.support.command import CommandLine
from tests.python.support.engine import Engine
from tests.python.support.writers import written_by_another


def test_two_files_are_compared(backfilled: CommandLine, engine: Engine, tmp_path: Path) -> None:
    other = engine.copy(tmp_path / "other")
    same = backfilled.ok("diff", other.path)
    assert "no differences" in same.out
    assert max(map(len, same.out.splitlines()[2:])) <= 80
    (day,) = engine.query("select max(analysis_date) as day from nba_precompute.player_daily_cache")
    where = f"where analysis_date = date '{day['day']}'"
    other.execute(
        "update nba_precompute.player_daily_cache "
        f"set points_avg_last_5 = 99, primary_scoring_zone = repeat('zone ', 90) {where} "
        "and player_id % 2 = 0",
        f"delete from nba_precompute.team_defense_zone_analysis {where}",
    )
    shown = backfilled.attention("diff", other.path)
    assert "points_avg_last_5: " in shown.out
    assert max(map(len, shown.out.splitlines()[2:])) <= 80
    assert "99.0 there" in shown.out
    found = backfilled.attention("diff", other.path, "--format", "json").json()
    tables = {table["name"]: table for table in found["tables"]}
    assert {name for name, table in tables.items() if table["differs"]} == {"pdc", "tdza"}
    assert {each["column"] for each in tables["pdc"]["columns"]} == {
        "points_avg_last_5",
        "primary_scoring_zone",
    }
    (changed,) = [each["changed"] for each in tables["pdc"]["dates"] if each["same"]]
    assert f"  pdc by date: {day['day']} {changed}\n" in shown.out
    # A long value is cut at 400 characters, on lines of 80.
    assert f"{'zone ' * 80}… there" in " ".join(shown.out.split())
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
    assert "Name another DuckDB file to compare with." in missing.err
    other = tmp_path / "notes.txt"
    other.write_text("no database")
    refused = backfilled("diff", other)
    assert (refused.code, "is not a DuckDB file" in refused.err) == (3, True)
    assert "BACKCOURT_DUCKDB_PATH" not in refused.err
    assert list(tmp_path.iterdir()) == [other]
    with written_by_another(engine.path):
        held = backfilled("backfill", "--all", "--preview")
    assert (held.code, "is in use by process" in held.err) == (3, True)
    assert held.out == ""  # refused before the run, not after it
    both = backfilled("backfill", "--all", "--preview", "--dry-run")
    assert (both.code, "exclude each other" in both.err) == (2, True)


def test_a_preview_shows_what_the_run_then_does_and_logs(
    backfilled: CommandLine, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = engine.project()._manifest
    monkeypatch.setattr(DbtProject, "parse", lambda self: setattr(self, "_manifest", manifest))
    before = engine.copy(tmp_path / "before")
    found = engine.query(
        "select distinct analysis_date as day from nba_precompute.player_daily_cache"
    )
    start, end = sorted(row["day"] for row in found)[-2:]
    (line,) = engine.query(
        "select game_id, player_id from nba_raw.player_box_scores "
        "join nba_raw.games using (game_id) "
        "where points > 10 and game_date < ? order by game_date desc, game_id, player_id limit 1",
        [start],
    )
    engine.execute(
        "update nba_raw.player_box_scores set ftm = ftm + 1, fta = fta + 1, points = points + 1 "
        f"where game_id = '{line['game_id']}' and player_id = {line['player_id']}"
    )
    held = engine.everything()
    dates = ("--start", start, "--end", end)
    shown = backfilled("backfill", *dates, "--preview", "--skip-tests", "--log-format", "json")
    assert shown.code == 1
    assert engine.everything() == held
    assert not list(engine.path.parent.glob(f"{PREFIX}*"))
    (compared,) = [event for event in shown.events() if event["event"] == "compared"]
    preview = {table["name"]: table["rows"] for table in compared["tables"]}

    result = engine.backfill(start, end)
    after = backfilled.attention("diff", before.path, *dates, "--format", "json").json()
    assert {table["name"]: table["rows"] for table in after["tables"]} == preview

    log = engine.query("select * from nba_processing.record_changes")
    changed = Counter(BY_NAME[row["processor_name"]].key for row in log)
    assert changed == {key: rows["changed"] for key, rows in preview.items() if rows["changed"]}
    assert {"pdc", "mlfs"} <= changed.keys()
    assert {row["run_id"] for row in log} == {result.run.run_id}
    assert {row["change"] for row in log} == {"updated"}
    assert all(row["old_hash"] != row["new_hash"] for row in log)
    for processor in (DAILY_CACHE, FEATURE_STORE):
        of_player = [
            row
            for row in log
            if row["processor_name"] == processor.name and row["player_id"] == line["player_id"]
        ]
        assert of_player
        for row in of_player:
            where = f"{processor.date_column} = ? and player_id = {line['player_id']}"
            old, new = (
                each.query(f"select * from {processor.table} where {where}", [row["analysis_date"]])
                for each in (before, engine)
            )
            differing = {name for name in new[0] if old[0][name] != new[0][name]}
            named = row["changed_columns"].split(", ")
            assert set(named) == differing - {*BOOKKEEPING, "data_hash"}
            assert "points_avg_season" in named
