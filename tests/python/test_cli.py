from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import CommandLine
from engine import SHORTS, Engine, assert_same

from python_workers import cli_backfill, shot_zones
from python_workers.processors import BY_SHORT, PDC, PSZA, TDZA
from python_workers.settings import resolve_project_dir
from python_workers.simulate import SimulatedLeague

ALL_OF_IT = ("--start", "2021-10-19", "--end", "2021-12-06")
RANGE = "{start_date: 2021-10-19, end_date: 2021-12-06}"
WEEK = (dt.date(2021, 11, 22), dt.date(2021, 11, 28))


@pytest.fixture
def loaded(simulated_raw: Engine, cli_folder: Path, backcourt: CommandLine) -> CommandLine:
    """Return the command line on a league that has been loaded and nothing else."""
    simulated_raw.copy(cli_folder)
    return backcourt


@pytest.fixture
def backfilled(simulated: Engine, cli_folder: Path, backcourt: CommandLine) -> CommandLine:
    """Return the command line on a league that has been backfilled."""
    simulated.copy(cli_folder)
    return backcourt


@pytest.fixture
def engine(cli_folder: Path) -> Engine:
    """Return the engine on the warehouse of the command line."""
    return Engine(cli_folder)


def forget(engine: Engine, *shorts: str) -> None:
    """Undo what some processors have computed."""
    for short in shorts:
        processor = BY_SHORT[short]
        engine.execute(
            f"delete from {processor.table}",
            *(
                f"delete from nba_processing.{table} where processor_name = '{processor.name}'"
                for table in ("precompute_failures", "processor_runs")
            ),
        )


def text_of(*lines: str) -> str:
    return "\n".join(lines) + "\n"


class TestHelp:
    def test_it_opens_with_the_three_commands_most_people_need(
        self, backcourt: CommandLine
    ) -> None:
        shown = backcourt.ok("--help").out
        commands = [shown.index(f"backcourt {each}") for each in ("load DIR", "backfill --all")]
        assert commands == sorted(commands)
        assert commands[-1] < shown.index("backcourt coverage --all") < shown.index("Options")

    @pytest.mark.parametrize(
        "command",
        ["load", "simulate", "compute", "backfill", "daily", "plan", "coverage", "report", "bench"],
    )
    def test_every_command_explains_itself(self, backcourt: CommandLine, command: str) -> None:
        assert f"backcourt {command}" in backcourt.ok(command, "-h").out


class TestErrors:
    """One message with the fix in it, on standard error, and never a stack trace."""

    @pytest.mark.parametrize(
        ("arguments", "message", "hint"),
        [
            ("backfill", "which dates?", "Use --start D --end D"),
            ("backfill --all --season 2021-22", "give the dates in one way only", "Use --start"),
            ("backfill --start 2021-11-01", "a range needs both ends", "Add --end YYYY-MM-DD."),
            ("plan --end 2021-11-01", "a range needs both ends", "Add --start YYYY-MM-DD."),
            (
                "compute --start 2021-11-02 --end 2021-11-01",
                "--start 2021-11-02 is after --end 2021-11-01",
                "Swap the two.",
            ),
            (
                "coverage --start 2021-02-30 --end 2021-11-01",
                "'2021-02-30' is not a date",
                "Write it as YYYY-MM-DD.",
            ),
            (
                "backfill --all --processors psza,shots",
                "shots is no processor of this command",
                "Choose from tdza, psza, pcf, pdc, mlfs.",
            ),
            (
                "compute --all --processors tdza",
                "tdza is no processor of this command",
                "Choose from psza, pcf, pdc.",
            ),
            ("backfill --all --n-jobs 0", "--n-jobs is 0, which does not fit", "It must be"),
            ("backfill --all --start-from 6", "Invalid value for '--start-from'", "See:"),
            ("backfill --all --reprocess some", "Invalid value for '--reprocess'", "See:"),
            ("coverage --all --format xml", "Invalid value for '--format'", "See:"),
            ("backfill --everything", "No such option: --everything", "See: backcourt backfill"),
            ("bakcfill --all", "No such command 'bakcfill'", "See: backcourt --help"),
            ("load", "Missing argument 'DIR'", "See: backcourt load --help"),
        ],
    )
    def test_a_wrong_command_is_a_usage_error(
        self, loaded: CommandLine, arguments: str, message: str, hint: str
    ) -> None:
        outcome = loaded(*arguments.split())
        assert (outcome.code, outcome.out) == (2, "")
        first, second, *_ = outcome.err.splitlines()
        assert first.startswith(f"error: {message}")
        assert second.startswith(f"  {hint}")

    @pytest.mark.parametrize(
        ("arguments", "message", "hints"),
        [
            (
                "backfill --start 2021-10-01 --end 2021-10-10",
                "no raw games between 2021-10-01 and 2021-10-10",
                [
                    "The schedule in nba_raw.games begins on 2021-10-19.",
                    "Load more raw data with: backcourt load DIR",
                ],
            ),
            (
                "plan --start 2021-12-05 --end 2021-12-05",
                "no raw games on 2021-12-05",
                ["The nearest game dates are 2021-12-04 and 2021-12-06."],
            ),
            (
                "backfill --season 2020-21",
                "no games of season 2020-21 in nba_raw.games",
                ["It has 2021-22."],
            ),
            (
                f"compute {' '.join(ALL_OF_IT)}",
                "the inputs of 2021-10-19 have not been built",
                [
                    "48 of 48 game dates lack them. Build them with:",
                    f"dbt run --profiles-dir profiles --vars '{RANGE}'",
                ],
            ),
            (
                f"coverage {' '.join(ALL_OF_IT)}",
                "there is no coverage yet: no backfill has run on this warehouse",
                ["Run: backcourt backfill --start 2021-10-19 --end 2021-12-06"],
            ),
            ("load /no/such/folder", "/no/such/folder is missing", ["Name the folder that holds"]),
            (f"load {__file__}", f"{__file__} is not a folder", ["Name the folder that holds"]),
        ],
    )
    def test_what_the_data_lacks_is_said_with_what_to_do(
        self, loaded: CommandLine, arguments: str, message: str, hints: list[str]
    ) -> None:
        outcome = loaded(*arguments.split())
        assert outcome.code == 3
        first, *rest = outcome.err.splitlines()
        assert first == f"error: {message}"
        for line, hint in zip(rest, hints, strict=False):
            assert line.startswith(f"  {hint}")
        assert len(rest) >= len(hints)

    @pytest.mark.parametrize(
        "command", ["backfill", "compute", "plan", "coverage", "backfill --dry-run"]
    )
    def test_without_a_warehouse_there_is_nothing_to_do(
        self, backcourt: CommandLine, engine: Engine, command: str
    ) -> None:
        outcome = backcourt(*command.split(), "--all")
        assert (outcome.code, outcome.out) == (3, "")
        assert outcome.err == text_of(
            f"error: there is no warehouse at {engine.path}",
            "  Load raw data with: backcourt load DIR",
            "  Another file is named with BACKCOURT_DUCKDB_PATH.",
        )
        assert not engine.path.exists()

    def test_an_empty_folder_is_no_raw_data(self, backcourt: CommandLine, tmp_path: Path) -> None:
        outcome = backcourt("load", tmp_path)
        assert (outcome.code, outcome.out) == (3, "")
        assert outcome.err.startswith(f"error: no folder games in {tmp_path}\n  ")

    def test_a_start_in_the_middle_needs_what_comes_before(
        self, backfilled: CommandLine, engine: Engine
    ) -> None:
        forget(engine, *SHORTS)
        outcome = backfilled("backfill", *ALL_OF_IT, "--start-from", "3")
        assert outcome.code == 3
        assert outcome.err == text_of(
            "error: pcf needs tdza and psza of 2021-10-19, which has not been computed",
            "  Compute it first: leave --start-from and --processors away,",
            "  or run: backcourt backfill --start 2021-10-19 --end 2021-12-06",
        )

    @pytest.mark.parametrize("command", ["compute", "backfill"])
    def test_a_season_without_dates_of_its_own_is_refused(
        self, backfilled: CommandLine, engine: Engine, command: str
    ) -> None:
        # As if its inputs had been built and its season taken out of the seed since then.
        engine.execute(
            "delete from nba_staging.seasons",
            *(["delete from nba_precompute.input_fingerprints"] if command == "compute" else ()),
        )
        outcome = backfilled(command, "--all")
        assert outcome.code == 3
        assert outcome.err.startswith(
            "error: there are games of season 2021-22, from 2021-10-19 on, which is not in the "
            "seasons table\n  Add a line for it to seeds/seasons.csv"
        )

    def test_a_fault_of_the_program_says_so_and_shows_where_on_demand(
        self, loaded: CommandLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("a wheel came off")

        monkeypatch.setattr(cli_backfill, "plan", broken)
        outcome = loaded("plan", "--all")
        assert outcome.code == 1
        assert outcome.err == text_of(
            "error: RuntimeError: a wheel came off",
            "  This is a fault of Backcourt. The same command with --debug shows where.",
        )
        outcome = loaded("--debug", "plan", "--all")
        assert outcome.err.startswith("Traceback")
        assert "in broken" in outcome.err

    def test_the_stack_of_a_wrong_command_is_shown_on_demand(self, loaded: CommandLine) -> None:
        outcome = loaded("backfill", "--start", "2021-11-01", "--debug")
        assert outcome.code == 2
        assert outcome.err.startswith("Traceback")
        assert "error: a range needs both ends" in outcome.err


class TestBackfill:
    def test_a_second_run_says_that_nothing_is_due(self, backfilled: CommandLine) -> None:
        lines = backfilled.ok("backfill", "--all", "--skip-tests").out.splitlines()
        assert lines[0] == "range 2021-10-19 to 2021-12-06, both included: 48 game dates"
        stages = {line[:18].strip(): line.partition(" s  ")[2] for line in lines[1:6]}
        assert stages == {
            "inputs": "unchanged since the last build",
            "tdza": "nothing due",
            "shot zones": "nothing due",
            "factors and cache": "nothing due",
            "mlfs": "nothing due",
        }
        assert lines[6].endswith("s, 0 rows written")

    def test_a_start_in_the_middle_reads_what_is_there(
        self, backfilled: CommandLine, engine: Engine, simulated: Engine
    ) -> None:
        forget(engine, "pcf", "pdc", "mlfs")
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
        later = {BY_SHORT[short].name for short in ("pcf", "pdc", "mlfs")}
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
        engine.execute(f"delete from {PDC.table} where analysis_date = date '2021-12-04'")
        outcome = backfilled("backfill", "--all")
        assert (outcome.code, outcome.err) == (1, "")
        (failed,) = [line for line in outcome.out.splitlines() if line.startswith("failed:")]
        assert failed.startswith("failed: every_expected_entity_is_accounted_for: Got ")

    def test_force_computes_everything_again_and_writes_nothing(
        self, backfilled: CommandLine, engine: Engine, simulated: Engine
    ) -> None:
        shown = backfilled.ok(
            "backfill", "--all", "--processors", "psza", "--force", "--skip-tests"
        ).out
        title, _, psza = shown.splitlines()[-3:]
        assert title.endswith("s, 0 rows written")
        records = len(simulated.rows("psza"))
        failures = len(simulated.failures("psza"))
        expected = [48, records + failures, records, 0, 0, records, 0, failures, 0]
        assert psza.split() == ["psza", *(f"{number:,}" for number in expected)]
        again = (
            "select count(*) as runs from nba_processing.processor_runs where processor_name = ?"
        )
        assert engine.query(again, [PSZA.name]) == [{"runs": 2 * 48}]

    def test_reprocess_takes_up_dates_with_failures_to_look_at(
        self, backfilled: CommandLine, engine: Engine
    ) -> None:
        engine.execute(
            "update nba_processing.processor_runs set incomplete_upstream = 1 "
            f"where processor_name = '{PSZA.name}' and analysis_date = date '2021-11-10'"
        )
        chosen = ("backfill", "--all", "--processors", "psza", "--skip-tests")
        assert "nothing due" in backfilled.ok(*chosen).out
        shown = backfilled.ok(*chosen, "--reprocess", "missing+failed").out
        assert shown.splitlines()[-1].split()[:2] == ["psza", "1"]
        # It came out well this time.
        assert "nothing due" in backfilled.ok(*chosen, "--reprocess", "missing+failed").out

    def test_another_version_of_a_formula_re_opens_its_dates(
        self,
        backfilled: CommandLine,
        engine: Engine,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for versioned in (PSZA, shot_zones.OUTPUT):
            monkeypatch.setitem(vars(versioned), "calculation_version", "v2")
        before = engine.rows("psza", bookkeeping=True)
        assert "version changed: v1 to v2" in backfilled.ok("plan", "--all").out
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
            assert row["calculation_version"] == "v2"
            assert {name for name in row if row[name] != before[key][name]} == changing
        assert "version changed" not in backfilled.ok("plan", "--all").out


class TestDryRun:
    def test_it_says_what_would_be_done_and_does_nothing(
        self, loaded: CommandLine, engine: Engine
    ) -> None:
        before = engine.path.read_bytes()
        lines = loaded.ok("backfill", *ALL_OF_IT, "--dry-run").out.splitlines()
        assert lines[0] == "range 2021-10-19 to 2021-12-06, both included: 48 game dates"
        assert lines[1] == "inputs: to be built first, after which more dates may turn out stale"
        assert [line.split() for line in lines[4:]] == [
            [short, "missing", "-", "48", "2021-10-19", "2021-12-06", "compute"] for short in SHORTS
        ]
        assert engine.path.read_bytes() == before

    def test_of_a_finished_backfill_nothing_would_be_done(self, backfilled: CommandLine) -> None:
        lines = backfilled.ok("backfill", "--all", "--dry-run").out.splitlines()
        assert lines[1] == "inputs: unchanged since the last build"
        assert {tuple(line.split()[1:4]) for line in lines[4:]} == {("done", "-", "48")}
        assert all(line.split()[-1] == "skip" for line in lines[4:])
        forced = backfilled.ok("backfill", "--all", "--dry-run", "--force").out.splitlines()
        assert all(line.split()[-1] == "compute" for line in forced[4:])


class TestPlan:
    def test_every_status_is_shown_with_its_reason(
        self, backfilled: CommandLine, engine: Engine
    ) -> None:
        early, late = "date '2021-11-10'", "date '2021-11-20'"
        engine.execute(
            "update nba_precompute.input_fingerprints set input_fingerprint = 'other' "
            f"where processor_name = '{PSZA.name}' and analysis_date = {early}",
            "update nba_processing.processor_runs set processing_error = 2 "
            f"where processor_name = '{PDC.name}' and analysis_date = {late}",
            f"delete from nba_processing.processor_runs where processor_name = '{TDZA.name}' "
            f"and analysis_date = {late}",
        )
        rows = backfilled.ok("plan", "--all", "--format", "json").json()
        assert len(rows) == 5 * 48
        shorts = {processor.name: short for short, processor in BY_SHORT.items()}
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
        retried = backfilled.ok(
            "plan", "--all", "--format", "json", "--reprocess", "missing+failed"
        ).json()
        assert [row["date"] for row in retried if row["status"] == "failed" and row["due"]] == [
            "2021-11-20"
        ]

    def test_the_table_sums_dates_up(self, backfilled: CommandLine, engine: Engine) -> None:
        forget(engine, "mlfs")
        shown = backfilled.ok("plan", "--all", "--start-from", "4").out.splitlines()
        assert shown[0] == "range 2021-10-19 to 2021-12-06, both included: 48 game dates"
        assert [line.split() for line in shown[4:]] == [
            ["pdc", "done", "-", "48", "2021-10-19", "2021-12-06", "skip"],
            ["mlfs", "missing", "-", "48", "2021-10-19", "2021-12-06", "compute"],
        ]

    def test_new_raw_data_may_make_more_dates_due(
        self, backfilled: CommandLine, engine: Engine
    ) -> None:
        engine.execute("update nba_raw.player_box_scores set points = points + 1 where points > 30")
        shown = backfilled.ok("plan", "--all").out.splitlines()
        assert shown[1] == "inputs: to be built first, after which more dates may turn out stale"


class TestRawData:
    def test_what_was_loaded_is_said_by_table(
        self, backcourt: CommandLine, simulated_files: Path
    ) -> None:
        backcourt.ok("load", simulated_files)
        again = backcourt.ok("load", simulated_files, "--log-format", "json").events()
        tables = {event["table"]: event for event in again if event["event"] == "table_loaded"}
        assert tables.keys() == {"games", "players", "player_box_scores", "shots"}
        assert {event["inserted"] + event["updated"] for event in tables.values()} == {0}
        assert tables["games"]["files"] == 2
        assert tables["games"]["unchanged"] == tables["games"]["rows_read"] == 112
        assert again[-1]["event"] == "load_finished"

    def test_a_simulated_league_says_how_to_load_it(
        self, backcourt: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[object] = []

        def note(folder: Path, *others: object) -> SimulatedLeague:
            asked.extend([folder, *others])
            return SimulatedLeague(folder, {})

        monkeypatch.setattr("python_workers.simulate.simulate", note)
        shown = backcourt.ok(
            "simulate", "--out", tmp_path, "--seasons", "2022-23, 2023-24", "--seed", "5"
        ).out
        assert asked == [tmp_path, ["2022-23", "2023-24"], 5]
        assert f"backcourt load {tmp_path}" in shown


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
    project = engine.project()
    variables = {"start_date": str(start), "end_date": str(end)}
    assert {each.status for each in project._invoke(["run"], variables)} == {"success"}
    tested = project._invoke(["test", "--exclude-resource-type", "unit_test"], variables)
    assert {each.name for each in tested if each.status not in ("pass", "warn")} == set()
    assert_same(simulated.everything(start, end), engine.everything())

    # A backfill finds the feature store built by somebody else and builds it again, to no effect.
    last = loaded.ok("backfill", *given, "--skip-tests").out.splitlines()
    assert last[-7].endswith("s, 0 rows written")


def test_each_process_ends_with_the_code_of_its_command(cli_folder: Path) -> None:
    environment = {**os.environ, "BACKCOURT_DUCKDB_PATH": str(cli_folder / "none.duckdb")}
    for arguments, code, message in (
        (["coverage"], 3, "error: there is no warehouse at"),
        (["backfill", "--start", "2021-11-01"], 3, "error: there is no warehouse at"),
        (["plan", "--start", "yesterday", "--end", "today"], 2, "error: 'yesterday' is not a date"),
    ):
        ran = subprocess.run(
            [sys.executable, "-m", "python_workers", *arguments],
            cwd=resolve_project_dir(),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (ran.returncode, ran.stdout) == (code, "")
        assert ran.stderr.startswith(message)
        assert "Traceback" not in ran.stderr


def test_one_player_whose_computation_raises_costs_nobody_else_his_row(
    backfilled: CommandLine, engine: Engine, simulated: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = max(key for key in simulated.rows("psza"))
    row = simulated.rows("psza")[key]
    monkeypatch.setenv("BACKCOURT_FAULTS", json.dumps({"raise": [row["player_id"]]}))
    outcome = backfilled.ok(
        "backfill", "--all", "--processors", "psza,pdc", "--force", "--skip-tests"
    )
    assert "failures to investigate" in outcome.out
    for short in ("psza", "pdc"):
        before, after = simulated.outcomes(short), engine.outcomes(short)
        his = {each for each in before if each[1] == key[1]}
        assert {after[each] for each in his} == {"PROCESSING_ERROR"}
        assert {each: what for each, what in after.items() if each not in his} == {
            each: what for each, what in before.items() if each not in his
        }
    failure = engine.failures("psza")[key]
    assert failure["failure_reason"] == "RuntimeError: a fault on purpose"
    assert (failure["is_expected"], failure["can_retry"]) == (False, False)
    assert backfilled("coverage", "--all").code == 1

    # It holds until somebody asks for another try, which puts everything right.
    monkeypatch.delenv("BACKCOURT_FAULTS")
    again = ("backfill", "--all", "--processors", "psza,pdc", "--skip-tests")
    assert backfilled.ok(*again).out.count("no date due") == 0
    assert engine.outcomes("psza")[key] == "PROCESSING_ERROR"
    backfilled.ok(*again, "--reprocess", "missing+failed")
    found, wanted = engine.everything(), simulated.everything()
    for short in ("psza", "pdc"):
        for kind in ("rows", "failures"):
            assert found[f"{short} {kind}"] == wanted[f"{short} {kind}"]
