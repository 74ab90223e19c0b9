"""Output to terminals, pipes and files, also if its reader leaves or the disk is full."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest
from rich.table import Table

from python_workers.cli import console
from python_workers.cli.console import JsonReporter, err, out, print_table
from python_workers.errors import BackcourtError
from python_workers.runtime.redaction import plain_process
from python_workers.runtime.writing import check_writable, replaced, write_text
from tests.python.support.command import CommandLine
from tests.python.support.engine import Engine
from tests.python.support.folders import REPOSITORY
from tests.python.support.terminal import Terminal

NAME = "\x1b]0;owned\x07 Luka\x1b[2J \x9b31m[red]x[/red] :skull: \u202eedoc\x7f"
SHOWN = r"\u001b]0;owned\u0007 Luka\u001b[2J \u009b31m[red]x[/red] :skull: \u202eedoc\u007f"


class TestNames:
    """Text of the data stays text: no terminal, rich or JSON interprets it."""

    def test_lines_and_tables_show_control_characters_and_leave_markup_alone(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(console, "TABLE_WIDTH", 200)
        out.print(f"player {NAME}")
        err.print(f"warning: {NAME}")
        print_table(NAME, [(NAME, "left"), ("games", "right")], [(f"{NAME}\nforged line", 1_000)])
        table = Table(NAME)
        table.add_row(NAME)
        out.print(table)
        written = capsys.readouterr()
        text = written.out + written.err
        assert text.count(SHOWN) == 7
        assert "forged line" in text
        assert "\nforged" not in text
        assert not {character for character in text if character < " "} - {"\n"}

    def test_json_stays_the_same_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        out.print(json.dumps({"player": NAME}, ensure_ascii=False), markup=False)
        JsonReporter().event("investigate", player=NAME)
        lines = capsys.readouterr().out.splitlines()
        assert [json.loads(line)["player"] for line in lines] == [NAME, NAME]
        assert all(line.isprintable() for line in lines)

    def test_what_no_encoding_can_write_is_shown_too(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out.print("folder", os.fsdecode(b"caf\xe9"))
        assert capsys.readouterr().out == "folder caf\\udce9\n"

    def test_names_of_a_league_reach_the_terminal_as_text(
        self, backfilled: CommandLine, engine: Engine
    ) -> None:
        engine.execute(
            "update nba_processing.precompute_failures "
            "set failure_category = 'PROCESSING_ERROR', is_expected = false, "
            "failure_reason = chr(27) || '[2J :skull:'",
        )
        for arguments in ("coverage --all", "coverage --all --format json"):
            shown = backfilled(*arguments.split()).out
            assert r"\u001b[2J :skull:" in shown
            assert "\x1b" not in shown


def start(
    *arguments: str, stdout: IO[str] | int, environment: dict[str, str]
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "python_workers", *arguments],
        cwd=REPOSITORY,
        env=os.environ | environment,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
class TestStreams:
    """A reader that leaves, a full disk and closed streams cause no stack trace."""

    @pytest.fixture
    def environment(self, terminal: Terminal, simulated: Engine) -> dict[str, str]:
        terminal.put(simulated.path)
        return {"BACKCOURT_DUCKDB_PATH": str(terminal.file)}

    @pytest.mark.parametrize("arguments", ["plan --all", "plan --all --format json"])
    def test_a_reader_that_leaves_ends_the_command_quietly(
        self, environment: dict[str, str], arguments: str
    ) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        command = start(*arguments.split(), stdout=writing, environment=environment)
        os.close(writing)
        _, errors = command.communicate(timeout=120)
        assert (command.returncode, errors) == (128 + signal.SIGPIPE, "")

    @pytest.mark.parametrize(
        "arguments", ["plan --all", "compute --all --log-format json", "--help"]
    )
    def test_a_full_disk_is_one_sentence(self, environment: dict[str, str], arguments: str) -> None:
        with Path("/dev/full").open("w") as full:
            command = start(*arguments.split(), stdout=full, environment=environment)
            _, errors = command.communicate(timeout=120)
        assert command.returncode == 3
        assert errors.startswith("error: cannot write to standard output: No space left on device")
        assert "bug in Backcourt" not in errors
        assert "Exception ignored" not in errors

    def test_closed_streams_and_narrow_encodings_end_no_command(
        self, environment: dict[str, str]
    ) -> None:
        closed = subprocess.run(
            ["/bin/sh", "-c", f"exec {sys.executable} -m python_workers plan --all <&- >&- 2>&-"],
            cwd=REPOSITORY,
            env=os.environ | environment,
            check=False,
        )
        assert closed.returncode == 0
        with start(
            "plan",
            "--start",
            "café",
            stdout=subprocess.PIPE,
            environment=environment | {"PYTHONIOENCODING": "ascii"},
        ) as narrow:
            _, errors = narrow.communicate(timeout=120)
        assert errors.startswith("error: 'caf\\xe9' is not a date")


class TestWriting:
    """Commands write only regular files, each whole or not at all."""

    @pytest.fixture(params=["device", "pipe"])
    def special(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        path = tmp_path / "special"
        if request.param == "pipe":
            os.mkfifo(path)
        else:
            try:
                os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
            except PermissionError:
                pytest.skip("only root makes devices")
        return path

    def test_what_is_no_regular_file_is_refused_and_stays(
        self, backfilled: CommandLine, special: Path
    ) -> None:
        before = special.stat()
        link = special.with_name("link")
        link.symlink_to(special)
        for path in (special, link):
            outcome = backfilled("report", "--out", path)
            assert outcome.code == 2
            assert "is a device, a pipe or a socket, not a file" in outcome.err
            assert backfilled("bench", "--out", path, "--only", "a").code == 2
        assert special.stat().st_mode == before.st_mode
        assert special.stat().st_ino == before.st_ino
        assert sorted(each.name for each in special.parent.iterdir()) == ["link", "special"]

    def test_what_the_command_has_not_written_is_refused_and_stays(
        self, backfilled: CommandLine, engine: Engine, tmp_path: Path
    ) -> None:
        notes = tmp_path / "notes.md"
        notes.write_text("# Mine\n")
        link = tmp_path / "link.html"
        link.symlink_to(engine.path)
        written = {path: path.read_bytes() for path in (notes, engine.path)}
        for path in (engine.path, link, notes):
            for command in ("report --out", "bench --only a --out", "bench --only a --docs"):
                outcome = backfilled(*command.split(), path)
                assert outcome.code == 2
                # Only notes of the bench have the ending of what is there.
                is_like_it = path == notes and command.endswith("--docs")
                reason = "exists, and this command has not written it" if is_like_it else "end in"
                assert reason in outcome.err
        assert {path: path.read_bytes() for path in written} == written
        page = tmp_path / "page.html"
        page.touch()
        for _ in range(2):
            assert backfilled("report", "--out", page).code == 0

    def test_a_failure_in_the_middle_leaves_the_old_file(self, tmp_path: Path) -> None:
        path = tmp_path / "page.html"
        path.write_text("old")

        def half(unfinished: Path) -> None:
            unfinished.write_text("half")
            raise OSError(28, "No space left on device")

        with (
            pytest.raises(BackcourtError, match="No space left on device") as caught,
            replaced(path) as unfinished,
        ):
            half(unfinished)
        assert caught.value.exit_code == 3
        assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]

    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "page.html").write_text("old")
        link = tmp_path / "latest.html"
        link.symlink_to("page.html")
        write_text(link, "new")
        assert link.is_symlink()
        assert (tmp_path / "page.html").read_text() == "new"

    def test_a_file_is_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(BackcourtError, match="is a file"):
            check_writable(tmp_path / "file" / "page.html")

    @pytest.mark.parametrize("name", ["b.duckdb.wal", "b.duckdb.lock", "b.duckdb.tmp", "b.sql"])
    def test_a_file_of_the_warehouse_or_the_project_is_never_replaced(
        self, tmp_path: Path, name: str
    ) -> None:
        place, link = tmp_path / name, tmp_path / "page.html"
        link.symlink_to(place)
        for exists in (False, True):
            if exists:
                place.touch()
            for path in (place, link):
                with pytest.raises(BackcourtError, match=r"does not end in \.html") as caught:
                    check_writable(path, "<!doctype html>", (".html",))
                assert caught.value.exit_code == 2


def test_only_commands_of_this_project_show_their_arguments() -> None:
    command = ["/usr/bin/python3.12", "-m", "python_workers", "daily", "--hook=curl -u me:pw", "-x"]
    assert plain_process(command) == "backcourt daily '--hook=curl …' -x"
    assert plain_process(["/opt/dbeaver", "-password", "pw"]) == "dbeaver"


@pytest.mark.slow
def test_warnings_of_a_command_are_plain_sentences(terminal: Terminal, simulated: Engine) -> None:
    terminal.put(simulated.path)
    ended = terminal.run_well(
        *("compute", "--all", "--force", "--processors", "psza"),
        environment={"JOBLIB_MULTIPROCESSING": "0"},
    )
    assert ended.err == (
        "no worker processes here (JOBLIB_MULTIPROCESSING is 0): computing in threads of this "
        "process, which survives neither a crash nor a hang\n"
    )
