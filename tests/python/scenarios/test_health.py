"""`backcourt verify` and `doctor` find wrong rows and settings, and confirm right ones."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from python_workers import table_names
from python_workers.accounting.run_explanations import (
    NO_RUN_OF_FAILURES,
    NO_RUN_OF_ROWS,
    OTHER_RUN_RECORD,
)
from python_workers.processors.catalogue import BY_NAME, PROCESSORS
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.failures import EXPECTED_INCOMPLETE
from python_workers.processors.feature_store import FEATURE_STORE
from python_workers.processors.shot_zones import SHOT_ZONES
from python_workers.processors.team_defense import TEAM_DEFENSE
from tests.python.support.command import CommandLine
from tests.python.support.engine import Engine, assert_same


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


COMMANDS = ("coverage --all", "plan --all", "verify --all", "doctor", "status")
PSZA, STORE = SHOT_ZONES.table, FEATURE_STORE.table
FAILURES = table_names.PRECOMPUTE_FAILURES
RUNS = table_names.PROCESSOR_RUNS
BUILDS = table_names.INPUT_BUILDS


def copied(table: str, condition: str, **changed: str) -> str:
    """Return the statement that inserts rows of a table into it again, with other values."""
    replaced = ", ".join(f"{value} as {name}" for name, value in changed.items())
    columns = f"* replace ({replaced})" if changed else "*"
    return f"insert into {table} select {columns} from {table} where {condition}"


DAMAGES = {
    "rows of no game date": (
        copied(PSZA, "analysis_date = '2021-12-04'", analysis_date="date '2022-07-13'"),
        copied(STORE, "game_date = '2021-12-04'", game_date="date '2023-07-13'"),
        copied(FAILURES, "analysis_date = '2021-12-04'", analysis_date="date '2020-07-13'"),
    ),
    "rows twice or without a player": (
        copied(PSZA, "analysis_date = '2021-12-03'"),
        copied(STORE, "game_date = '2021-12-03'"),
        copied(PSZA, "analysis_date = '2021-12-02'", player_id="null"),
        copied(STORE, "game_date = '2021-12-02'", player_id="null"),
        copied(FAILURES, "analysis_date = '2021-12-02'", entity_id="null"),
    ),
    "other runs": (
        f"update {RUNS} set status = 'failed' where analysis_date = date '2021-12-01'",
        f"delete from {RUNS} where analysis_date = date '2021-11-30'",
        f"update {PSZA} set run_id = 'forged' where analysis_date = date '2021-11-29'",
        f"update {FAILURES} set run_id = 'forged' where analysis_date = date '2021-11-28'",
    ),
    "stray rows": (
        copied(PSZA, "analysis_date = '2021-12-04'", analysis_date="null"),
        copied(STORE, "game_date = '2021-12-04'", game_date="date 'infinity'"),
        copied(FAILURES, "analysis_date = '2021-12-04'", processor_name="'Bogus'"),
    ),
    "records twice": (
        copied(RUNS, "analysis_date = '2021-12-04'"),
        copied(BUILDS, "true"),
    ),
    "rows that share a name": (
        f"update {STORE} set player_lookup = 'zz' where game_date = date '2021-11-26'",
        f"update {PSZA} set player_lookup = 'zz' where analysis_date = date '2021-11-26'",
    ),
    "altered rows": (
        f"update {STORE} set points_avg_last_5 = 99 where game_date = date '2021-11-27'",
        f"update {PSZA} set paint_rate_last_10 = 99 where analysis_date = date '2021-11-27'",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_wrong_is_seen_by_all_and_repaired_by_the_command_that_they_name(
    backfilled: CommandLine, engine: Engine, damage: str
) -> None:
    before, planned = engine.everything(), backfilled.ok("plan", "--all").out
    engine.execute(*DAMAGES[damage])
    told = {}
    for command in COMMANDS:
        told[command] = backfilled.attention(*command.split()).out
    repairs = {
        command: set(re.findall(r"run: backcourt (.*)", told[command])) for command in COMMANDS
    }
    named = repairs["verify --all"]
    assert named
    at_once = re.findall("all of these dates at once: backcourt (.*)", told["coverage --all"])
    assert len(at_once) == (
        len(re.findall("; run: backcourt backfill", told["coverage --all"])) > 1
    )
    assert repairs["coverage --all"] == repairs["plan --all"] == named
    for command in named:
        backfilled.ok(*command.split())
    for command in COMMANDS:
        backfilled.ok(*command.split())
    assert_same(engine.everything(), before)
    assert backfilled.ok("plan", "--all").out == planned


def test_each_row_and_record_that_no_run_explains_makes_its_date_stale(
    backfilled: CommandLine, engine: Engine
) -> None:
    engine.execute(*DAMAGES["other runs"])
    found = backfilled.attention("coverage", "--all", "--format", "json").json()["dates"]
    stale: dict[str, set[tuple[str, str]]] = {}
    for row in found:
        if row["stale_reason"]:
            of_date = stale.setdefault(row["analysis_date"], set())
            of_date.add((BY_NAME[row["processor_name"]].key, row["stale_reason"]))
    every = [processor.key for processor in PROCESSORS]
    day = dt.date(2021, 11, 28)
    failing = {key for key in every if any(failed == day for failed, _ in engine.failures(key))}
    assert stale == {
        "2021-11-28": {(key, NO_RUN_OF_FAILURES) for key in failing},
        "2021-11-29": {("psza", NO_RUN_OF_ROWS)},
        "2021-11-30": {(key, OTHER_RUN_RECORD) for key in every},
        "2021-12-01": {(key, OTHER_RUN_RECORD) for key in every},
    }


def test_a_run_record_with_one_other_value_explains_no_date(
    backfilled: CommandLine, engine: Engine
) -> None:
    expected = EXPECTED_INCOMPLETE.column
    days = {
        "calculation_version = 'v99'": dt.date(2021, 11, 26),
        "output_digest = 'other'": dt.date(2021, 11, 27),
        "records = records + 1": dt.date(2021, 11, 28),
        f"failures = failures + 1, {expected} = {expected} + 1": dt.date(2021, 11, 29),
        "status = 'investigate'": dt.date(2021, 11, 30),
        f"{expected} = {expected} + 1": dt.date(2021, 12, 1),
    }
    engine.execute(
        *(
            f"update {RUNS} set {other} where processor_name = '{SHOT_ZONES.name}' "
            f"and analysis_date = date '{day}'"
            for other, day in days.items()
        )
    )
    found = backfilled.attention("coverage", "--all", "--format", "json").json()["dates"]
    stale = {
        row["analysis_date"]: (row["processor_name"], row["stale_reason"])
        for row in found
        if row["stale_reason"]
    }
    assert stale == {day.isoformat(): (SHOT_ZONES.name, OTHER_RUN_RECORD) for day in days.values()}


def test_each_stray_row_is_counted(backfilled: CommandLine, engine: Engine) -> None:
    engine.execute(*DAMAGES["stray rows"], *DAMAGES["records twice"])
    (line,) = (
        line
        for line in backfilled.attention("coverage", "--all").out.splitlines()
        if line.startswith("stray rows: ")
    )
    of_date = "analysis_date = date '2021-12-04'"
    expected = {
        f"{PSZA} without": f"{PSZA} where {of_date}",
        f"{STORE} without": f"{STORE} where game_date = date '2021-12-04'",
        f"{FAILURES} of the unknown processor Bogus": f"{FAILURES} where {of_date} and "
        f"processor_name != 'Bogus'",
        f"{RUNS} whose key": f"(select distinct processor_name from {RUNS} where {of_date})",
        f"{BUILDS} whose key": f"(select distinct build_id from {BUILDS})",
    }
    for told, counted in expected.items():
        ((number,),) = (row.values() for row in engine.query(f"select count(*) from {counted}"))
        assert f"{number:,} rows of {told}" in line or f"{number:,} row of {told}" in line, told


def test_rows_altered_together_with_their_record_are_written_again_by_force(
    backfilled: CommandLine, engine: Engine
) -> None:
    before, day = engine.everything(), dt.date(2021, 12, 4)
    engine.execute(f"update {PSZA} set paint_rate_last_10 = 99 where analysis_date = '{day}'")
    engine.record(SHOT_ZONES, day)
    backfilled.ok("coverage", "--all")
    told = backfilled.attention("verify", "--all").out
    (command,) = re.findall(r"run: backcourt (.*)", told)
    assert command == f"backfill --start {day} --end {day} --force"
    backfilled.ok(*command.split())
    assert "not verified: raw data" in backfilled.ok("verify", "--all").out
    assert_same(engine.everything(), before)


def test_a_dropped_table_is_named_and_the_next_backfill_makes_it_again(
    backfilled: CommandLine, engine: Engine
) -> None:
    before, hints = engine.everything(), "Run: backcourt backfill --all."
    for kind, name in (
        ("table", STORE),
        ("table", FAILURES),
        ("table", table_names.PROCESSED_DATES),
        ("view", table_names.BACKFILL_COVERAGE),
    ):
        engine.execute(f"drop {kind} {name}")
        table = name.partition(".")[2]
        for command in COMMANDS[:3]:
            refused = backfilled(*command.split())
            assert (refused.code, hints in refused.err) == (3, True), refused
            assert f"{table} is missing in " in refused.err
        shown = backfilled("doctor")
        assert (shown.code, f"{table} is missing" in " ".join(shown.out.split())) == (3, True)
        backfilled.ok("backfill", "--all")
        assert_same(engine.everything(), before)
    # Nothing reads it for these commands; it is missing all the same.
    engine.execute(f"drop view {table_names.RAW_FINDINGS}")
    assert "missing tables and views: raw_findings; run:" in (
        backfilled.attention("coverage", "--all").out
    )
    assert "missing: raw_findings" in backfilled.attention("doctor").out
    backfilled.ok("backfill", "--all")
    backfilled.ok("doctor")


def test_a_dropped_column_is_named_and_the_next_backfill_fills_it_again(
    backfilled: CommandLine, engine: Engine
) -> None:
    dropped = (
        (DAILY_CACHE.table, "points_avg_last_5"),
        (STORE, "fatigue_score"),
        (FAILURES, "failure_reason"),
        (table_names.PROCESSED_DATES, "rows_fingerprint"),
        (RUNS, "output_digest"),
    )

    def stored() -> list[list[str]]:
        return [
            sorted(map(str, engine.query(f"select {name}, count(*) as n from {table} group by 1")))
            for table, name in dropped[:3]
        ]

    before = stored()
    engine.execute(*(f"alter table {table} drop column {name}" for table, name in dropped))
    for command in COMMANDS:
        refused = backfilled(*command.split())
        said = " ".join((refused.out + refused.err).split())
        assert refused.code == 3, refused
        for table, name in dropped:
            # An earlier version did not have the fingerprint either: its table can be read.
            is_refused = name != "rows_fingerprint"
            assert (f"{table} has no column {name}" in said) == is_refused
        assert "backcourt backfill --all" in said
    backfilled.ok("backfill", "--all")
    for command in COMMANDS:
        backfilled.ok(*command.split())
    assert stored() == before


def test_a_column_of_another_type_is_named_and_filled_again_once_it_is_dropped(
    backfilled: CommandLine, engine: Engine
) -> None:
    engine.execute(f"alter table {STORE} alter points_avg_last_5 type varchar")
    for command in ("coverage --all", "backfill --all"):
        refused = backfilled(*command.split())
        assert (refused.code, "points_avg_last_5 of " in refused.err) == (3, True), refused
    (repair,) = re.findall(r"Drop it: (.*)\.\n", refused.err)
    engine.execute(repair)
    backfilled.ok("backfill", "--all")
    backfilled.ok("verify", "--all")


WITHOUT_BIRTH_DATES = """
    alter table nba_raw.players rename to adopted;
    create view nba_raw.players as select * exclude (birth_date) from nba_raw.adopted
"""


@pytest.mark.parametrize(
    ("damage", "named", "repair"),
    [
        (
            "alter table nba_raw.players drop column birth_date",
            "nba_raw.players has no column birth_date",
            "backcourt load DIR",
        ),
        (
            WITHOUT_BIRTH_DATES,
            "nba_raw.players is a view that cannot be read: it has no column birth_date",
            "backcourt adopt DIR",
        ),
        (
            "alter table nba_raw.changed_games drop column change_number",
            "nba_raw.changed_games has no column change_number",
            "backcourt load DIR",
        ),
        (
            "alter table nba_staging.seasons drop column last_date",
            "nba_staging.seasons has no column last_date",
            "backcourt backfill --all",
        ),
        (
            "create or replace view nba_processing.stale_dates as select 1 as one",
            "nba_processing.stale_dates has no column stale_reason",
            "backcourt backfill --all",
        ),
    ],
)
def test_an_altered_table_that_a_command_cannot_read_is_named(
    backfilled: CommandLine, engine: Engine, damage: str, named: str, repair: str
) -> None:
    engine.execute(damage)
    refused = backfilled("coverage", "--all")
    assert (refused.code, "bug in Backcourt" in refused.err) == (3, False), refused
    assert named in " ".join(refused.err.split())
    assert f"Run: {repair}." in refused.err
    if "DIR" not in repair:
        backfilled.ok("backfill", "--all")
        backfilled.ok("coverage", "--all")


def test_records_that_somebody_has_emptied_make_their_date_stale(
    backfilled: CommandLine, engine: Engine
) -> None:
    of_day = f"processor_name = '{DAILY_CACHE.name}' and analysis_date = date"
    records = table_names.PROCESSED_DATES
    engine.execute(
        f"update {records} set upstream_digests = null where {of_day} '2021-12-01'",
        f"update {records} set input_fingerprint = null where {of_day} '2021-12-02'",
        f"update {BUILDS} set raw_dates = '{{broken'",
        f"delete from {records} where {of_day} '2021-12-03'",
    )
    (player,) = engine.query(
        f"select player_lookup as name from {DAILY_CACHE.table} "
        "where analysis_date = date '2021-12-03' order by player_id limit 1"
    )
    asked = ("explain", player["name"], "--processor", "pdc", "--date")
    assert "no run has recorded the date" in backfilled.attention(*asked, "2021-12-03").out
    backfilled.attention(*asked, "2021-12-01")
    for command in COMMANDS[:3]:
        shown = backfilled.attention(*command.split()).out
        assert all(f"2021-12-0{day}" in shown for day in (1, 2, 3)), command
    backfilled.ok("backfill", "--all")
    for command in COMMANDS:
        backfilled.ok(*command.split())


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
