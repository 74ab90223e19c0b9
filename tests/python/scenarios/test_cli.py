from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from python_workers import __version__
from python_workers.cli import plan as cli_plan
from python_workers.settings import resolve_project_dir
from python_workers.simulation.simulate import SimulatedLeague
from tests.python.support.command import CommandLine
from tests.python.support.engine import SHORTS, Engine

ALL_OF_IT = ("--start", "2021-10-19", "--end", "2021-12-06")
RANGE = "{start_date: 2021-10-19, end_date: 2021-12-06}"


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

    @pytest.mark.parametrize("bare", ["", "breaker"])
    def test_a_bare_command_shows_its_help(self, backcourt: CommandLine, bare: str) -> None:
        outcome = backcourt(*bare.split())
        assert (outcome.code, outcome.err) == (2, "")
        assert outcome.out == backcourt.ok(*bare.split(), "--help").out

    def test_its_list_of_commands_cuts_no_summary(self, backcourt: CommandLine) -> None:
        for lines in ("--help", "breaker --help"):
            shown = backcourt.ok(*lines.split()).out
            assert max(map(len, shown.splitlines())) <= 80
            assert "..." not in shown.partition("Commands:")[2]

    def test_it_tells_its_version(self, backcourt: CommandLine) -> None:
        assert backcourt.ok("--version").out == f"backcourt {__version__}\n"

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
            (
                "backfill --all --processors tdza,psza --start-from 3",
                "--start-from 3 leaves none of --processors tdza,psza",
                "Omit one of the two.",
            ),
            *(
                (
                    f"{command} --backend dask",
                    "--backend dask needs the address of a scheduler",
                    "Add --scheduler ADDRESS",
                )
                for command in ("backfill --all", "compute --all", "daily --date 2021-11-01")
            ),
            *(
                (
                    f"backfill --all --backend dask --scheduler {address}",
                    "--scheduler names a user or a password before 127.0.0.1:1",
                    "Dask schedulers take neither",
                )
                for address in ("tcp://me:password@127.0.0.1:1", "me:p@ss@127.0.0.1:1")
            ),
            (
                "backfill --all --scheduler tcp://127.0.0.1:8786",
                "--scheduler is for --backend dask, and the backend is threading",
                "Add --backend dask, or omit --scheduler.",
            ),
            *(
                (
                    f"{command} --all --target bigquery --exchange-dir exchange",
                    "--exchange-dir is for DuckDB, and the target is bigquery",
                    "Omit it, and unset BACKCOURT_EXCHANGE_DIR.",
                )
                for command in ("backfill", "compute")
            ),
            (
                "backfill --season 2021",
                "--season '2021' is not a season like 2021-22",
                "Write it as 2021-22.",
            ),
            ("load . --tables ,", "no raw table is named", "Name some of games,"),
            ("breaker reset --processor psza,shots", "shots is no processor", "Choose from"),
            ("backfill --all --n-jobs 0", "--n-jobs is 0, which is not valid", "It must be"),
            ("backfill --all --start-from 6", "Invalid value for '--start-from'", "See:"),
            ("backfill --all --reprocess some", "Invalid value for '--reprocess'", "See:"),
            ("coverage --all --format xml", "Invalid value for '--format'", "See:"),
            ("backfill --everything", "No such option: --everything", "See: backcourt backfill"),
            ("bakcfill --all", "No such command 'bakcfill'", "See: backcourt --help"),
            ("load", "Missing argument 'DIR'", "See: backcourt load --help"),
            (
                "plan --all https://me:password@chat.example/token",
                "Got unexpected extra argument(s) (https://chat.example/…",
                "See: backcourt plan --help",
            ),
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
                "no backfill has run on this warehouse: it has no features and no coverage yet",
                ["Run: backcourt backfill --start 2021-10-19 --end 2021-12-06"],
            ),
            (
                "explain ATL --date 2021-12-04",
                "no backfill has run on this warehouse: it has no features and no coverage yet",
                ["Run: backcourt backfill --start 2021-12-04 --end 2021-12-04"],
            ),
            ("load /no/such/folder", "/no/such/folder is missing", ["Name the folder that holds"]),
            (f"load {__file__}", f"{__file__} is not a folder", ["Name the folder that holds"]),
        ],
    )
    def test_missing_data_is_named_with_what_to_do(
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
            "  To use another file, set BACKCOURT_DUCKDB_PATH.",
        )
        assert not engine.path.exists()

    def test_an_empty_folder_is_no_raw_data(self, backcourt: CommandLine, tmp_path: Path) -> None:
        outcome = backcourt("load", tmp_path)
        assert (outcome.code, outcome.out) == (3, "")
        assert outcome.err.startswith(
            f"error: no folder games, players, player_box_scores, shots in {tmp_path}\n  "
        )

    def test_a_start_in_the_middle_needs_what_comes_before(
        self, backfilled: CommandLine, engine: Engine
    ) -> None:
        engine.forget(*SHORTS)
        outcome = backfilled("backfill", *ALL_OF_IT, "--start-from", "3")
        assert outcome.code == 3
        assert outcome.err == text_of(
            "error: pcf needs tdza and psza of 2021-10-19, which has not been computed",
            "  Compute it first: omit --start-from and --processors,",
            "  or run: backcourt backfill --start 2021-10-19 --end 2021-12-06",
        )

    def test_a_season_without_dates_of_its_own_is_refused_or_repaired(
        self, backfilled: CommandLine, engine: Engine
    ) -> None:
        # Pretend that a season was removed from the seed after its inputs were built.
        engine.execute(
            "delete from nba_staging.seasons",
            "delete from nba_precompute.input_fingerprints",
        )
        outcome = backfilled("compute", "--all")
        assert outcome.code == 3
        assert outcome.err.startswith(
            "error: there are games of season 2021-22, from 2021-10-19 on, which is not in the "
            "seasons table\n  Add a line for it to seeds/seasons.csv"
        )
        # A backfill builds the seasons again.
        assert backfilled("backfill", "--all", "--skip-tests").code == 0
        assert engine.query("select * from nba_staging.seasons")

    def test_a_season_that_the_project_does_not_know_is_refused_before_anything_is_built(
        self, loaded: CommandLine, engine: Engine
    ) -> None:
        engine.execute("update nba_raw.games set season = '2031-32'")
        outcome = loaded("backfill", "--all")
        assert outcome.code == 3
        assert outcome.err.startswith("error: there are games of season 2031-32, from 2021-10-19")
        built = "select * from duckdb_tables() where schema_name = 'nba_analytics'"
        assert engine.query(built) == []

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            ("backfill --log-format json", 2, "which dates?"),
            ("backfill --all --log-format=json --everything", 2, "No such option: --everything"),
            ("compute --all --log-format json", 3, "the inputs of 2021-10-19 have not been built"),
            ("daily --date 1999-01-01 --log-format json", 3, "no raw games on 1999-01-01"),
            ("load /no/such/folder --log-format json", 3, "/no/such/folder is missing"),
        ],
    )
    def test_errors_are_events_of_a_json_log(
        self, loaded: CommandLine, arguments: str, code: int, message: str
    ) -> None:
        outcome = loaded(*arguments.split())
        assert (outcome.code, outcome.err) == (code, "")
        last = outcome.events()[-1]
        assert (last["event"], last["severity"], last["exit_code"]) == ("error", "ERROR", code)
        assert last["message"].startswith(message)
        assert last["hint"]

    def test_a_fault_of_the_program_says_so_and_shows_where_on_demand(
        self, loaded: CommandLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("a wheel came off")

        monkeypatch.setattr(cli_plan, "plan", broken)
        outcome = loaded("plan", "--all")
        assert outcome.code == 1
        assert outcome.err == text_of(
            "error: RuntimeError: a wheel came off",
            "  This is a bug in Backcourt. The same command with --debug shows where.",
        )
        outcome = loaded("--debug", "plan", "--all")
        assert outcome.err.startswith("Traceback")
        assert "in broken" in outcome.err

    def test_a_file_that_the_system_refuses_is_no_fault_of_the_program(
        self, loaded: CommandLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refused(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied", "/data/seasons.csv")

        monkeypatch.setattr(cli_plan, "open_warehouse", refused)
        outcome = loaded("plan", "--all")
        assert outcome.code == 3
        assert outcome.err == text_of(
            "error: /data/seasons.csv: Permission denied",
            "  Check this file, its folder and the disk, and run the same command again.",
        )

    def test_the_stack_of_a_wrong_command_is_shown_on_demand(self, loaded: CommandLine) -> None:
        outcome = loaded("backfill", "--start", "2021-11-01", "--debug")
        assert outcome.code == 2
        assert outcome.err.startswith("Traceback")
        assert "error: a range needs both ends" in outcome.err


class TestRawData:
    def test_loaded_rows_are_counted_by_table(
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

        monkeypatch.setattr("python_workers.simulation.simulate.simulate", note)
        shown = backcourt.ok(
            "simulate", "--out", tmp_path, "--seasons", "2022-23, 2023-24", "--seed", "5"
        ).out
        assert asked == [tmp_path, ["2022-23", "2023-24"], 5]
        assert f"backcourt load {tmp_path}" in shown


def test_each_process_ends_with_the_code_of_its_command(cli_folder: Path) -> None:
    environment = {**os.environ, "BACKCOURT_DUCKDB_PATH": str(cli_folder / "none.duckdb")}
    for arguments, code, message in (
        (["coverage", "--all"], 3, "error: there is no warehouse at"),
        (["backfill", "--start", "2021-11-01"], 2, "error: "),
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
