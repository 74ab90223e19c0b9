"""`backcourt verify` and `doctor` find wrong rows and settings, and confirm right ones."""

from __future__ import annotations

import pytest

from python_workers.processors.catalogue import PROCESSORS
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.team_defense import TEAM_DEFENSE
from tests.python.support.command import CommandLine
from tests.python.support.engine import Engine


def test_rows_that_are_as_recorded_are_right(backfilled: CommandLine, engine: Engine) -> None:
    shown = backfilled.ok("verify", "--all")
    assert "every row is what its hash and its record say" in shown.out
    found = backfilled.ok("verify", "--all", "--format", "json").json()
    for processor, verified in zip(PROCESSORS, found, strict=True):
        (stored,) = engine.query(f"select count(*) as n from {processor.table}")
        assert (verified["processor"], verified["rows"]) == (processor.name, stored["n"])
    checked = backfilled.ok("doctor")
    # Long lines continue below, indented.
    begun = [line for line in checked.out.splitlines() if not line.startswith(" ")]
    assert {line.partition(" ")[0] for line in begun} == {"ok"}


def test_rows_that_were_changed_lost_or_added_are_found(
    backfilled: CommandLine, engine: Engine
) -> None:
    (row,) = engine.query(
        f"select * from {DAILY_CACHE.table} order by analysis_date, player_id limit 1"
    )
    day = row["analysis_date"]
    engine.execute(
        f"update {DAILY_CACHE.table} set points_avg_season = points_avg_season + 1 "
        f"where analysis_date = date '{day}' and player_id = {row['player_id']}",
        "delete from nba_processing.precompute_failures where processor_name = "
        f"'{DAILY_CACHE.name}' and analysis_date = (select min(analysis_date) "
        f"from nba_processing.precompute_failures where processor_name = '{DAILY_CACHE.name}')",
        f"update {TEAM_DEFENSE.table} set opponent_pace = opponent_pace + 1 "
        f"where analysis_date = (select max(analysis_date) from {TEAM_DEFENSE.table})",
    )
    shown = backfilled.attention("verify", "--all")
    assert f"pdc {day} {row['player_lookup']}: the hash is not that of the row" in shown.out
    found = {
        each["processor"]: each
        for each in backfilled.attention("verify", "--all", "--format", "json").json()
    }
    cache, defense = found[DAILY_CACHE.name], found[TEAM_DEFENSE.name]
    assert (cache["wrong_hashes"], len(cache["wrong_dates"])) == (1, 2)
    assert cache["unaccounted"] > 0
    (why,) = defense["wrong_dates"].values()
    assert why == "its rows differ from those recorded"
    assert [each["is_right"] for each in found.values()].count(False) == 2
    # The doctor samples the first and the last date of each processor.
    checked = backfilled.attention("doctor")
    assert "not ok  hashes: " in checked.out
    assert "mend: backcourt verify --all shows all" in checked.out


def test_a_doctor_without_a_warehouse_says_how_to_get_one(backcourt: CommandLine) -> None:
    found = backcourt("doctor", "--format", "json")
    assert found.code == 3
    last = found.json()[-1]
    assert (last["check"], last["ok"]) == ("warehouse", False)
    assert "backcourt load DIR" in last["mend"]


def test_a_doctor_of_another_installation_names_what_differs(
    backfilled: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import metadata

    there = metadata.version
    monkeypatch.setattr(
        metadata, "version", lambda name: "0.0.1" if name == "pyarrow" else there(name)
    )
    monkeypatch.setenv("BACKCOURT_DUCKDB_MEMORY_LIMIT", "900TB")
    found = {each["check"]: each for each in backfilled("doctor", "--format", "json").json()}
    assert "pyarrow 0.0.1 (locked: " in found["versions"]["found"]
    assert found["memory"]["mend"] == "lower BACKCOURT_DUCKDB_MEMORY_LIMIT"
    assert {name for name, each in found.items() if not each["ok"]} == {"versions", "memory"}
