"""`backcourt backfill`, `compute` and `plan` as commands: what they say and what they do."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys

import pytest

from python_workers.processors import shot_zones
from python_workers.processors.catalogue import BY_KEY
from python_workers.processors.composite_factors import COMPOSITE_FACTORS
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.feature_store import FEATURE_STORE
from python_workers.processors.shot_zones import SHOT_ZONES
from python_workers.processors.team_defense import TEAM_DEFENSE
from python_workers.settings import resolve_project_dir
from tests.python.support.command import CommandLine
from tests.python.support.engine import SHORTS, Engine, assert_same

ALL_OF_IT = ("--start", "2021-10-19", "--end", "2021-12-06")
WEEK = (dt.date(2021, 11, 22), dt.date(2021, 11, 28))


class TestBackfill:
    def test_a_second_run_says_that_nothing_is_due(self, backfilled: CommandLine) -> None:
        lines = backfilled.ok("backfill", "--all", "--skip-tests").out.splitlines()
        assert lines[0] == "range 2021-10-19 to 2021-12-06, both included: 48 game dates"
        stages = {line[:18].strip(): line.partition(" s  ")[2] for line in lines[1:6]}
        assert stages == {
            "inputs": "unchanged since the last build",
            "tdza": "nothing due",
            "psza": "nothing due",
            "pcf and pdc": "nothing due",
            "mlfs": "nothing due",
        }
        assert lines[6].endswith("s, 0 rows written: nothing was due")
        assert len(lines) == 7

    def test_a_run_is_judged_by_its_own_processors_and_stored_rows(
        self, loaded: CommandLine, engine: Engine
    ) -> None:
        loaded.ok("backfill", "--season", "2021-22", "--processors", "tdza,psza")
        accounting = (
            "every_expected_entity_is_accounted_for",
            "every_game_date_is_run_by_every_processor",
        )
        # Without the var, dbt requires all five processors.
        strict = engine.project().test(accounting, *WEEK)
        assert {test.name: test.status for test in strict} == dict.fromkeys(accounting, "fail")

        engine.execute(f"delete from {SHOT_ZONES.table} where analysis_date = date '2021-11-24'")
        again = loaded("backfill", "--season", "2021-22", "--processors", "tdza")
        assert again.code == 1
        (failed,) = (line for line in again.out.splitlines() if line.startswith("failed: "))
        assert failed.startswith("failed: every_expected_entity_is_accounted_for")

    def test_a_start_in_the_middle_reads_what_is_there(
        self, backfilled: CommandLine, engine: Engine, simulated: Engine
    ) -> None:
        engine.forget("pcf", "pdc", "mlfs")
        log = backfilled.ok("backfill", "--all", "--start-from", "3", "--log-format", "json")
        assert_same(simulated.everything(), engine.everything())

        events = log.events()
        assert all({"time", "severity", "event"} <= event.keys() for event in events)
        assert events[0] | {"time": ""} == {
            "time": "",
            "severity": "INFO",
            "event": "range_resolved",
            "start_date": "2021-10-19",
            "end_date": "2021-12-06",
            "game_dates": 48,
        }
        (run_id,) = {event["run_id"] for event in events[1:]}
        computed = engine.query(
            "select distinct processor_name as name from nba_processing.processor_runs "
            "where run_id = ?",
            [run_id],
        )
        later = {BY_KEY[short].name for short in ("pcf", "pdc", "mlfs")}
        assert {row["name"] for row in computed} == later
        committed = [event for event in events if event["event"] == "date_committed"]
        assert len(committed) == 2 * 48
        inserted = sum(event["inserted"] for event in committed)
        assert inserted == len(simulated.rows("pcf")) + len(simulated.rows("pdc"))
        assert events[-1]["event"] == "run_finished"
        assert events[-1]["rows_written"] == inserted + len(simulated.rows("mlfs"))
        assert events[-1]["failed_tests"] == []

    def test_a_failed_test_of_coverage_needs_attention_and_is_named(
        self, backfilled: CommandLine, engine: Engine
    ) -> None:
        day = WEEK[0]
        engine.execute(
            f"update {COMPOSITE_FACTORS.table} set fatigue_score = 101 "
            f"where fatigue_score = 100 and {COMPOSITE_FACTORS.date_column} = date '{day}'"
        )
        engine.record(COMPOSITE_FACTORS, day)
        outcome = backfilled.attention("backfill", "--all", "--processors", "pcf")
        (failed,) = [line for line in outcome.out.splitlines() if line.startswith("failed:")]
        assert failed.startswith("failed: composite_factor_scores_are_in_range: Got ")

    def test_force_computes_everything_again_and_writes_nothing(
        self, backfilled: CommandLine, engine: Engine, simulated: Engine
    ) -> None:
        shown = backfilled.ok(
            "backfill", "--all", "--processors", "psza", "--force", "--skip-tests"
        ).out
        title, _, psza = shown.splitlines()[-3:]
        assert title.rstrip().endswith("s, 0 rows written")
        records = len(simulated.rows("psza"))
        failures = len(simulated.failures("psza"))
        # Columns of zeros are left out.
        expected = [48, records + failures, records, records, failures]
        assert psza.split() == ["psza", *(f"{number:,}" for number in expected)]
        again = (
            "select count(*) as runs from nba_processing.processor_runs where processor_name = ?"
        )
        assert engine.query(again, [SHOT_ZONES.name]) == [{"runs": 2 * 48}]

    def test_reprocess_computes_dates_with_failures_to_investigate(
        self, backfilled: CommandLine, engine: Engine
    ) -> None:
        engine.record_failures_to_investigate(SHOT_ZONES, dt.date(2021, 11, 10), 1)
        chosen = ("backfill", "--all", "--processors", "psza", "--skip-tests")
        assert "nothing due" in backfilled.ok(*chosen).out
        shown = backfilled.ok(*chosen, "--reprocess", "missing+failed").out
        assert shown.splitlines()[-1].split()[:2] == ["psza", "1"]
        # The second attempt succeeds.
        assert "nothing due" in backfilled.ok(*chosen, "--reprocess", "missing+failed").out

    def test_another_version_of_a_formula_makes_its_dates_due(
        self,
        backfilled: CommandLine,
        engine: Engine,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        version = SHOT_ZONES.calculation_version
        for versioned in (SHOT_ZONES, shot_zones.OUTPUT):
            monkeypatch.setitem(vars(versioned), "calculation_version", "v99")
        before = engine.rows("psza", bookkeeping=True)
        assert f"version changed: {version} to v99" in backfilled.attention("plan", "--all").out
        shown = backfilled.ok("backfill", "--all", "--skip-tests").out
        counts = {line.split()[0]: line.split()[1:] for line in shown.splitlines()[-5:]}
        assert {short: dates for short, (dates, *_) in counts.items()} == {
            **dict.fromkeys(SHORTS, "0"),
            "psza": "48",
        }
        after = engine.rows("psza", bookkeeping=True)
        changing = {"calculation_version", "processed_at", "run_id"}
        assert after.keys() == before.keys()
        for key, row in after.items():
            assert row["calculation_version"] == "v99"
            assert {name for name in row if row[name] != before[key][name]} == changing
        assert "version changed" not in backfilled.ok("plan", "--all").out


class TestDryRun:
    def test_it_says_what_would_be_done_and_does_nothing(
        self, loaded: CommandLine, engine: Engine
    ) -> None:
        before = engine.path.read_bytes()
        events = loaded.attention("backfill", *ALL_OF_IT, "--dry-run", "--log-format", "json")
        planned = [each for each in events.events() if each["event"] == "dates_planned"]
        assert [(each["status"], each["dates"], each["due"]) for each in planned] == [
            ("missing", 48, True)
        ] * 5
        lines = loaded.attention("backfill", *ALL_OF_IT, "--dry-run").out.splitlines()
        assert lines[0] == "range 2021-10-19 to 2021-12-06, both included: 48 game dates"
        assert (
            lines[1]
            == "inputs: must be built first; then only stale dates with changed inputs are computed"
        )
        assert [line.split() for line in lines[4:9]] == [
            [short, "missing", "-", "48", "2021-10-19", "2021-12-06", "compute"] for short in SHORTS
        ]
        assert engine.path.read_bytes() == before

    def test_a_finished_backfill_has_nothing_due(self, backfilled: CommandLine) -> None:
        lines = backfilled.ok("backfill", "--all", "--dry-run").out.splitlines()
        assert lines[1] == "inputs: unchanged since the last build"
        assert {tuple(line.split()[1:4]) for line in lines[4:]} == {("done", "-", "48")}
        assert all(line.split()[-1] == "skip" for line in lines[4:])
        forced = backfilled.ok("backfill", "--all", "--dry-run", "--force").out.splitlines()
        assert all(line.split()[-1] == "compute" for line in forced[4:])


def test_status_names_the_first_date_that_is_due_of_any_processor(
    backfilled: CommandLine, engine: Engine
) -> None:
    engine.execute(
        f"delete from {FEATURE_STORE.table} where game_date = date '2021-11-24'",
        f"delete from {SHOT_ZONES.table} where analysis_date = date '2021-12-06'",
    )
    shown = backfilled.attention("status")
    (due,) = [line for line in shown.out.splitlines() if line.startswith("due: ")]
    assert due.startswith("due: 2 dates, the first is 2021-11-24 (mlfs): backcourt plan --start ")


class TestPlan:
    def test_every_status_is_shown_with_its_reason(
        self, backfilled: CommandLine, engine: Engine
    ) -> None:
        early, late = "date '2021-11-10'", "date '2021-11-20'"
        engine.execute(
            "update nba_precompute.input_fingerprints set input_fingerprint = 'other' "
            f"where processor_name = '{SHOT_ZONES.name}' and analysis_date = {early}",
            "delete from nba_processing.processed_dates "
            f"where processor_name = '{TEAM_DEFENSE.name}' and analysis_date = {late}",
        )
        engine.record_failures_to_investigate(DAILY_CACHE, dt.date(2021, 11, 20), 2)
        engine.record_builds()
        rows = backfilled.attention("plan", "--all", "--format", "json").json()
        assert len(rows) == 5 * 48
        shorts = {processor.name: short for short, processor in BY_KEY.items()}
        found = {
            (shorts[row["processor"]], row["date"]): (row["status"], row["reason"], row["due"])
            for row in rows
            if row["status"] != "done"
        }
        assert found == {
            ("psza", "2021-11-10"): ("stale", "inputs changed", True),
            ("pcf", "2021-11-10"): ("stale", "upstream due: psza", True),
            ("pdc", "2021-11-10"): ("stale", "upstream due: psza", True),
            ("mlfs", "2021-11-10"): ("stale", "upstream due: psza, pcf, pdc", True),
            ("tdza", "2021-11-20"): ("missing", "", True),
            ("pcf", "2021-11-20"): ("stale", "upstream missing: tdza", True),
            ("mlfs", "2021-11-20"): ("stale", "upstream missing: tdza", True),
            ("pdc", "2021-11-20"): ("failed", "2 failures to investigate", False),
        }
        retried = backfilled.attention(
            "plan", "--all", "--format", "json", "--reprocess", "missing+failed"
        ).json()
        assert [row["date"] for row in retried if row["status"] == "failed" and row["due"]] == [
            "2021-11-20"
        ]

    def test_the_table_sums_dates_up(self, backfilled: CommandLine, engine: Engine) -> None:
        engine.forget("mlfs")
        shown = backfilled.attention("plan", "--all", "--start-from", "4").out.splitlines()
        assert shown[0] == "range 2021-10-19 to 2021-12-06, both included: 48 game dates"
        assert [line.split() for line in shown[4:6]] == [
            ["pdc", "done", "-", "48", "2021-10-19", "2021-12-06", "skip"],
            ["mlfs", "missing", "-", "48", "2021-10-19", "2021-12-06", "compute"],
        ]

    def test_new_raw_data_may_make_more_dates_due(
        self, backfilled: CommandLine, engine: Engine
    ) -> None:
        engine.execute("update nba_raw.player_box_scores set points = points + 1 where points > 30")
        shown = backfilled.attention("plan", "--all").out.splitlines()
        assert (
            shown[1]
            == "inputs: must be built first; then only stale dates with changed inputs are computed"
        )


def test_dbt_then_compute_then_dbt_needs_no_backfill(
    loaded: CommandLine, engine: Engine, simulated: Engine
) -> None:
    """The three-step way: each step works by itself, and only the dates of the vars exist."""
    start, end = WEEK
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "dbt.cli.main", "run", "--profiles-dir", "profiles"),
            *("--vars", f"{{start_date: {start}, end_date: {end}}}"),
        ],
        cwd=resolve_project_dir(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout
    given = ("--start", str(start), "--end", str(end))
    shown = loaded.ok("compute", *given).out
    assert shown.startswith(f"range {start} to {end}, both included: 7 game dates")
    # `compute` cannot know whether dbt built the feature store before the rows that it reads.
    planned = loaded.attention("plan", *given, "--format", "json").json()
    states = {(row["processor"], row["status"], row["reason"]) for row in planned}
    unverified = "built by dbt run, perhaps before what it reads"
    assert states == {
        *((BY_KEY[short].name, "done", "") for short in ("psza", "pdc")),
        *((BY_KEY[short].name, "stale", unverified) for short in ("tdza", "mlfs")),
        (BY_KEY["pcf"].name, "stale", "upstream due: tdza"),
    }
    project = engine.project()
    variables = {"start_date": str(start), "end_date": str(end)}
    assert {each.status for each in project._invoke(["run"], variables)} == {"success"}
    tested = project._invoke(["test", "--exclude-resource-type", "unit_test"], variables)
    assert {each.name for each in tested if each.status not in ("pass", "warn")} == set()
    assert_same(simulated.everything(start, end), engine.everything())

    # The next compute does not record rows that were altered by hand.
    recorded = (
        "select * from nba_processing.processed_dates "
        f"where processor_name = '{BY_KEY['tdza'].name}' order by analysis_date"
    )
    before = engine.query(recorded)
    engine.execute(
        "update nba_precompute.team_defense_zone_analysis set games_in_sample = 99 "
        f"where analysis_date = date '{end}'"
    )
    loaded.ok("compute", *given)
    assert engine.query(recorded) == before
    shown = loaded.attention("coverage", *given, "--processor", "tdza").out
    assert "its rows differ from those recorded" in shown

    # A backfill builds the two tables of dbt again, and finds these changes.
    (altered,) = engine.query(
        "select count(*) as n from nba_precompute.team_defense_zone_analysis "
        "where games_in_sample = 99"
    )
    last = loaded.ok("backfill", *given, "--skip-tests").out.splitlines()
    assert last[-7].rstrip().endswith(f"s, {altered['n']} rows written")
    assert_same(simulated.everything(start, end), engine.everything())


def test_one_player_whose_computation_raises_costs_nobody_else_his_row(
    backfilled: CommandLine, engine: Engine, simulated: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, end = WEEK
    key = max(key for key in simulated.rows("psza") if start <= key[0] <= end)
    player_id = simulated.rows("psza")[key]["player_id"]
    monkeypatch.setenv("BACKCOURT_FAULTS", json.dumps({"raise": [player_id]}))
    week = ("backfill", "--start", start, "--end", end, "--processors", "psza,pdc", "--skip-tests")
    assert "failures to investigate" in backfilled.attention(*week, "--force").out
    for short in ("psza", "pdc"):
        before, after = simulated.outcomes(short), engine.outcomes(short)
        his = {each for each in before if each[1] == key[1] and start <= each[0] <= end}
        assert his
        assert after == before | dict.fromkeys(his, "PROCESSING_ERROR")
    failure = engine.failures("psza")[key]
    assert failure["failure_reason"] == "RuntimeError: an injected fault"
    assert (failure["is_expected"], failure["can_retry"]) == (False, False)
    assert backfilled("coverage", "--start", start, "--end", end).code == 1

    # The failure stays until --reprocess asks for another attempt, which succeeds.
    monkeypatch.delenv("BACKCOURT_FAULTS")
    backfilled.attention(*week)
    assert engine.outcomes("psza")[key] == "PROCESSING_ERROR"
    backfilled.ok(*week, "--reprocess", "missing+failed")
    found, wanted = engine.everything(), simulated.everything()
    for kind in ("psza rows", "psza failures", "pdc rows", "pdc failures"):
        assert found[kind] == wanted[kind]
