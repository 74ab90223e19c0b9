"""One writer at a time, said plainly; and files, folders and disks that cannot be written to."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from terminal import PROJECT, Terminal, Ended, differences
from engine import Engine
from test_crashes import forget_outputs

from python_workers.dbt_project import DbtProject
from python_workers.errors import TerminalError
from python_workers.opening import open_warehouse
from python_workers.settings import Settings, load_settings
from python_workers.warehouse.file_lock import file_lock

pytestmark = pytest.mark.slow

NOBODY = 65534
HOLD = """
    import sys, duckdb
    with duckdb.connect(sys.argv[1]):
        print("held", flush=True)
        sys.stdin.readline()
"""


class Holder:
    """Another program that has the DuckDB file open."""

    def __init__(self, file: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(HOLD), str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "held\n"

    @property
    def pid(self) -> int:
        return self._process.pid

    def let_go(self) -> None:
        self._process.communicate("\n")


@pytest.fixture
def hold() -> Iterator[Callable[[Path], Holder]]:
    holders: list[Holder] = []

    def hold(file: Path) -> Holder:
        holders.append(Holder(file))
        return holders[-1]

    yield hold
    for holder in holders:
        holder.let_go()


@pytest.fixture
def settings(terminal: Terminal, simulated: Engine, monkeypatch: pytest.MonkeyPatch) -> Settings:
    terminal.put(simulated.path)
    monkeypatch.setenv("DBT_TARGET_PATH", str(terminal.folder / "target"))
    return load_settings(duckdb_path=terminal.file)


def assert_names(ended: Ended, pid: int, command: str) -> None:
    assert ended.code == 3, ended.text
    assert ended.out == ""
    assert f"backcourt.duckdb is in use by process {pid} (" in ended.err
    assert command in ended.err
    assert "--wait SECONDS" in ended.err
    assert "Traceback" not in ended.err


def test_while_one_command_writes_others_name_it_and_stay_out(
    terminal: Terminal, simulated: Engine, simulated_files: Path
) -> None:
    terminal.put(simulated.path)
    (anyone,) = terminal.query("select min(player_id) from nba_precompute.player_daily_cache")[0]
    writer = terminal.start(
        "compute", "--all", "--force", "--processors", "psza", faults={"hang": [anyone]}
    )
    writer.wait_for_point("after-write:1")
    for arguments in (
        ("plan", "--all"),
        ("load", str(simulated_files)),
        ("backfill", "--all"),
    ):
        assert_names(terminal.run(*arguments), writer.pid, "compute --all --force")
    waiting = terminal.start("coverage", "--all", "--wait", "300")
    waiting.wait_until(lambda: f"waiting for process {writer.pid}" in waiting.err_file.read_text())
    writer.send(signal.SIGKILL)  # which takes the lock with it, though its workers take longer
    ended = waiting.wait()
    assert "PlayerDailyCacheProcessor" in ended.out or "pdc" in ended.out, ended.text
    writer.assert_nothing_is_left()
    terminal.run_well("compute", "--all")
    assert differences(terminal.file, simulated.path) == {}


def test_nobody_slips_in_while_a_command_and_dbt_hand_the_file_over(
    terminal: Terminal, settings: Settings
) -> None:
    with open_warehouse(settings) as warehouse:
        warehouse.query("select 1")
        warehouse.close()
        assert_names(terminal.run("plan", "--all"), os.getpid(), "pytest")
        with duckdb.connect(str(terminal.file)):  # as dbt does
            pass
        assert warehouse.has_table("nba_raw.games")
    terminal.run_well("plan", "--all")


def test_readers_read_beside_each_other(settings: Settings, tmp_path: Path) -> None:
    file = settings.warehouse_file
    with (
        open_warehouse(settings, read_only=True) as one,
        open_warehouse(settings, read_only=True) as other,
    ):
        assert one.has_table("nba_raw.games")
        assert other.has_table("nba_raw.games")
        with pytest.raises(BackcourtError, match="in use"), open_warehouse(settings):
            pass
    with file_lock(file, shared=False, wait_seconds=0.0):
        pass
    with file_lock(tmp_path, shared=False, wait_seconds=0.0):  # a folder, for opening to complain
        assert not Path(f"{tmp_path}.lock").exists()


def test_a_lock_file_that_nobody_holds_locks_nothing(
    terminal: Terminal, simulated: Engine
) -> None:
    terminal.put(simulated.path)
    Path(f"{terminal.file}.lock").write_text("process 1 (left by a killed command)\n")
    terminal.run_well("plan", "--all")


def test_a_file_that_another_program_has_open_is_waited_for(
    terminal: Terminal, simulated: Engine, hold: Callable[[Path], Holder]
) -> None:
    terminal.put(simulated.path)
    holder = hold(terminal.file)
    assert_names(terminal.run("compute", "--all"), holder.pid, Path(sys.executable).name)
    waiting = terminal.start("compute", "--all", "--wait", "300")
    waiting.wait_until(lambda: f"waiting for process {holder.pid}" in waiting.err_file.read_text())
    holder.let_go()
    assert waiting.wait().code == 0
    assert differences(terminal.file, simulated.path) == {}


def test_dbt_finding_the_file_open_names_the_holder_or_waits(
    terminal: Terminal, settings: Settings, hold: Callable[[Path], Holder]
) -> None:
    holder = hold(terminal.file)
    project = DbtProject(settings)
    with pytest.raises(BackcourtError, match=f"in use by process {holder.pid}") as caught:
        project.build(["seasons"])
    assert caught.value.exit_code == 3
    patient = DbtProject(settings.model_copy(update={"wait_seconds": 300.0}))
    patient._manifest = project._manifest
    signal.signal(signal.SIGALRM, lambda *_: holder.let_go())
    signal.setitimer(signal.ITIMER_REAL, 1.5)
    (seeded,) = patient.build(["seasons"])
    assert seeded.status == "success"


def test_an_open_dbt_is_named(terminal: Terminal, simulated: Engine) -> None:
    terminal.put(simulated.path)
    endless = "select count(*) as n from range(1000000000000) as t (i) where sin(i) > 2"
    dbt = subprocess.Popen(
        [
            *(str(Path(sys.executable).parent / "dbt"), "show", "--inline", endless),
            *("--profiles-dir", "profiles", "--quiet"),
        ],
        cwd=PROJECT,
        env={
            **os.environ,
            "BACKCOURT_DUCKDB_PATH": str(terminal.file),
            "DBT_TARGET_PATH": str(terminal.folder / "target"),
        },
        stdout=subprocess.DEVNULL,
    )
    try:
        while not _is_locked(terminal.file):
            assert dbt.poll() is None
        assert_names(terminal.run("plan", "--all"), dbt.pid, "dbt show")
    finally:
        dbt.kill()
        dbt.wait()
    terminal.run_well("plan", "--all")


@pytest.mark.parametrize(
    ("command", "room"), [(("compute", "--all"), 300_000), (("backfill", "--all"), 4_000_000)]
)
def test_a_full_disk_is_told_and_loses_nothing(
    terminal: Terminal,
    simulated_raw: Engine,
    simulated: Engine,
    command: tuple[str, ...],
    room: int,
) -> None:
    """A limit on the size of files stands in for the disk: the same failing writes."""
    if command[0] == "compute":
        terminal.put(simulated.path)
        forget_outputs(terminal.file)
    else:
        terminal.put(simulated_raw.path)
    limit = terminal.file.stat().st_size + room

    def limit_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    full = terminal.start(*command, before=limit_files)
    ended = full.wait()
    assert ended.code == 3, ended.text
    assert "no space left for" in ended.err
    assert "run the same command again" in ended.err
    assert "Traceback" not in ended.text
    full.assert_nothing_is_left()
    terminal.run_well(*command)
    assert differences(terminal.file, simulated.path) == {}


def test_a_disk_that_is_really_full_is_told_too(
    terminal: Terminal, simulated: Engine, tmp_path: Path
) -> None:
    room = simulated.path.stat().st_size + 400_000
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(tmp_path)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        file = tmp_path / "backcourt.duckdb"
        terminal.put(simulated.path)
        forget_outputs(terminal.file)
        with duckdb.connect(str(terminal.file)):
            pass
        file.write_bytes(terminal.file.read_bytes())
        ended = terminal.run("compute", "--all", environment={"BACKCOURT_DUCKDB_PATH": str(file)})
        assert ended.code == 3, ended.text
        assert "no space left for" in ended.err
        terminal.put(file)
        if (log := Path(f"{file}.wal")).exists():
            Path(f"{terminal.file}.wal").write_bytes(log.read_bytes())
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    terminal.run_well("compute", "--all")
    assert differences(terminal.file, simulated.path) == {}


def test_a_folder_that_may_not_be_written_to_is_named(
    terminal: Terminal, simulated: Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    file = folder / "backcourt.duckdb"
    file.write_bytes(simulated.path.read_bytes())
    file.chmod(0o444)
    folder.chmod(0o555)
    for parent in folder.parents[:-2]:
        if not parent.stat().st_mode & 0o001:
            parent.chmod(0o711)

    def be_nobody() -> None:
        if os.geteuid() == 0:
            os.setuid(NOBODY)

    readable = subprocess.run(
        [sys.executable, "-c", "import python_workers.cli"],
        cwd=PROJECT,
        check=False,
        capture_output=True,
        preexec_fn=be_nobody,
    )
    if readable.returncode:
        pytest.skip("the project cannot be read by another user")
    environment = {"BACKCOURT_DUCKDB_PATH": str(file), "BACKCOURT_FAULTS": "{}"}
    ended = terminal.start("compute", "--all", environment=environment, before=be_nobody).wait()
    assert ended.code == 3, ended.text
    assert "Make the file and its folder writable" in ended.err
    reading = terminal.start("plan", "--all", environment=environment, before=be_nobody).wait()
    assert reading.code == 0, reading.text


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "is a folder, not a DuckDB file"), (b"not a database" * 999, "is not a DuckDB file")],
)
def test_what_is_no_duckdb_file_is_named(
    terminal: Terminal, content: bytes | None, message: str
) -> None:
    if content is None:
        terminal.file.mkdir()
    else:
        terminal.file.write_bytes(content)
    ended = terminal.run("plan", "--all")
    assert ended.code == 3, ended.text
    assert message in ended.err
    assert "BACKCOURT_DUCKDB_PATH" in ended.err


def _is_locked(file: Path) -> bool:
    try:
        with duckdb.connect(str(file)):
            return False
    except duckdb.IOException:
        return True
