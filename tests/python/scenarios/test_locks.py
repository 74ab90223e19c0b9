"""One writer at a time, named to the others; files, folders and disks that refuse writes."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from python_workers.errors import BackcourtError
from python_workers.settings import Settings, load_settings
from python_workers.warehouse.duckdb.file_lock import file_lock
from python_workers.warehouse.open import open_warehouse
from tests.python.support.engine import Engine
from tests.python.support.folders import REPOSITORY
from tests.python.support.terminal import Ended, Terminal, differences

pytestmark = pytest.mark.slow

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
        if self._process.poll() is None:
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
def settings(terminal: Terminal, simulated: Engine) -> Settings:
    terminal.put(simulated.path)
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
    writer.wait_until(lambda: bool(writer.workers()))
    for arguments in (
        ("plan", "--all"),
        ("load", str(simulated_files)),
        ("backfill", "--all"),
    ):
        assert_names(terminal.run(*arguments), writer.pid, "compute --all --force")
    explain = ("explain", str(anyone), "--date", "2021-12-04", "--processor", "pdc")
    for reading in (("status",), ("coverage", "--all"), ("breaker", "list"), explain):
        seen = terminal.run(*reading)
        assert seen.code in {0, 1}, seen.text
        assert seen.err == (
            "another process holds the warehouse: this is what it has committed so far\n"
        )
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
        with duckdb.connect(str(terminal.file)):  # dbt opens the file like this.
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


def test_a_lock_file_that_nobody_holds_locks_nothing(terminal: Terminal, simulated: Engine) -> None:
    terminal.put(simulated.path)
    Path(f"{terminal.file}.lock").write_text("process 1 (left by a killed command)\n")
    terminal.run_well("plan", "--all")


def test_bytes_that_are_no_text_are_arguments_like_others(
    terminal: Terminal, simulated: Engine
) -> None:
    terminal.put(simulated.path)
    ended = terminal.run("explain", "Joki\udcff", "--date", "2021-12-04")
    assert ended.code == 2
    assert "no player and no team is called 'Joki\\udcff'" in ended.err
    # The lock file, which names the command, is text.
    assert "Joki\\udcff" in Path(f"{terminal.file}.lock").read_text(encoding="utf-8")


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
    simulated: Engine, tmp_path: Path, hold: Callable[[Path], Holder]
) -> None:
    engine = simulated.copy(tmp_path)
    project = engine.project()
    holder = hold(engine.path)
    with pytest.raises(BackcourtError, match=f"in use by process {holder.pid}") as caught:
        project.build(["stg_games"])
    assert caught.value.exit_code == 3
    project._settings = project._settings.model_copy(update={"wait_seconds": 300.0})
    release = threading.Timer(1.5, holder.let_go)
    release.start()
    (built,) = project.build(["stg_games"])
    release.join()
    assert built.status == "success"


def test_an_open_dbt_is_named(terminal: Terminal, simulated: Engine) -> None:
    terminal.put(simulated.path)
    endless = "select count(*) as n from range(1000000000000) as t (i) where sin(i) > 2"
    dbt = subprocess.Popen(
        [
            *(str(Path(sys.executable).parent / "dbt"), "show", "--inline", endless),
            *("--profiles-dir", "profiles", "--quiet"),
        ],
        cwd=REPOSITORY,
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
            time.sleep(0.05)
        assert_names(terminal.run("plan", "--all"), dbt.pid, "dbt")
    finally:
        dbt.kill()
        dbt.wait()
    terminal.run_well("plan", "--all")


def test_a_full_disk_during_the_pools_part_is_told_and_loses_nothing(
    terminal: Terminal, simulated: Engine
) -> None:
    terminal.put(simulated.path)
    terminal.forget_outputs()
    terminal.run_until_disk_is_full(200_000, "compute", "--all")
    terminal.run_well("compute", "--all")
    assert differences(terminal.file, simulated.path) == {}
    assert terminal.repeated_runs() == []


def test_a_disk_that_is_really_full_is_told_too(
    terminal: Terminal, simulated: Engine, tmp_path: Path
) -> None:
    terminal.put(simulated.path)
    terminal.forget_outputs()
    with small_disk(tmp_path, terminal.file.stat().st_size + 300_000):
        file = tmp_path / "backcourt.duckdb"
        shutil.copyfile(terminal.file, file)
        environment = {"BACKCOURT_DUCKDB_PATH": str(file)}
        terminal.run("compute", "--all", environment=environment).assert_says_disk_is_full()
        for suffix in ("", ".wal"):
            if Path(f"{file}{suffix}").exists():
                shutil.copyfile(f"{file}{suffix}", f"{terminal.file}{suffix}")
    terminal.run_well("compute", "--all")
    assert differences(terminal.file, simulated.path) == {}


def test_a_disk_that_cannot_be_written_to_can_still_be_read(
    terminal: Terminal, simulated: Engine, tmp_path: Path
) -> None:
    with small_disk(tmp_path, simulated.path.stat().st_size + 300_000):
        file = tmp_path / "backcourt.duckdb"
        shutil.copyfile(simulated.path, file)
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)
        environment = {"BACKCOURT_DUCKDB_PATH": str(file)}
        ended = terminal.run("compute", "--all", environment=environment)
        assert ended.code == 3, ended.text
        assert "Make the file and its folder writable" in ended.err
        terminal.run_well("plan", "--all", environment=environment)


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[None]:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_named(
    terminal: Terminal, simulated: Engine
) -> None:
    terminal.put(simulated.path)
    terminal.file.chmod(0o444)
    terminal.folder.chmod(0o555)
    try:
        ended = terminal.run("compute", "--all")
        assert ended.code == 3, ended.text
        assert "Make the file and its folder writable" in ended.err
    finally:
        terminal.folder.chmod(0o755)
        terminal.file.chmod(0o644)


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
    """Test DuckDB's lock without taking it, since taking it would keep dbt out."""
    question = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    with file.open("r+b") as opened:
        answer = fcntl.fcntl(opened, fcntl.F_GETLK, question)
    return bool(struct.unpack("hhqqi", answer)[0] != fcntl.F_UNLCK)
