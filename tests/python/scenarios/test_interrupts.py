"""Ctrl-C, SIGTERM and SIGHUP end a command cleanly, and its message says how to go on."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.python.support.engine import Engine
from tests.python.support.folders import REPOSITORY
from tests.python.support.terminal import Command, Ended, Terminal, differences

pytestmark = pytest.mark.slow

COMPUTE = ("compute", "--all")


def assert_clean_end(command: Command, ended: Ended, code: int = 130) -> None:
    word = {129: "the terminal is gone", 130: "interrupted", 143: "terminated"}[code]
    assert ended.code == code, ended.text
    assert f"{word}: everything committed so far is kept" in ended.err
    assert "Go on from there with the same command: backcourt " in ended.err
    assert "Traceback" not in ended.text
    assert "bug in Backcourt" not in ended.text
    command.assert_nothing_is_left()


def run_program(program: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program that has to end well, and return what it printed."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )


def test_interrupting_the_pool_and_going_on_ends_in_the_same_tables(
    terminal: Terminal, simulated: Engine
) -> None:
    terminal.put(simulated.path)
    terminal.forget_outputs()
    for point, number, to_the_group, times in (
        ("before-commit:1", signal.SIGINT, True, 1),
        ("after-commit:1", signal.SIGINT, False, 1),
        ("after-commit:1", signal.SIGINT, True, 2),
        ("before-commit:1", signal.SIGHUP, True, 1),
        ("before-commit:2", signal.SIGTERM, True, 1),
    ):
        command = terminal.start(*COMPUTE)
        command.wait_for_point(point)
        for _ in range(times):
            command.send(number, group=to_the_group)
        assert_clean_end(command, command.wait(), 128 + number)
    terminal.run_well(*COMPUTE)
    assert differences(terminal.file, simulated.path) == {}
    assert terminal.repeated_runs() == []


def test_the_trackers_of_the_pool_s_semaphores_outlive_a_hangup() -> None:
    program = """
        import signal, time
        import psutil
        from python_workers.pool.local_backends import start_workers

        start_workers(1)
        children = psutil.Process().children()
        trackers = [each for each in children if "resource_tracker" in " ".join(each.cmdline())]
        for tracker in trackers:
            tracker.send_signal(signal.SIGHUP)
        time.sleep(1)
        print([tracker.status() != "zombie" for tracker in trackers])
    """
    ended = run_program(program)
    assert (ended.stdout, ended.stderr) == ("[True, True]\n", "")


def test_an_interrupt_while_it_still_imports_is_as_clean(terminal: Terminal) -> None:
    command = terminal.start("plan", "--all")
    command.wait_until(lambda: _answers(command.pid, signal.SIGTERM))
    command.send(signal.SIGINT)
    assert_clean_end(command, command.wait())


@pytest.mark.parametrize("step", ["answer_signals", "command_over"])
def test_an_interrupt_in_the_first_or_last_step_of_a_command_is_as_clean(step: str) -> None:
    program = f"""
        import os, signal, sys
        from python_workers import __main__
        from python_workers.runtime import signals

        as_before = signals.{step}

        def interrupted():
            if {step!r} == "answer_signals":
                as_before()
            if not signals.received():
                os.kill(os.getpid(), signal.SIGINT)
            as_before()

        signals.{step} = interrupted
        sys.argv = ["backcourt", "--version"]
        try:
            __main__.main()
        except SystemExit as end:
            print(end.code, file=sys.stderr)
    """
    ended = run_program(program)
    assert ended.stderr.splitlines() == [
        "interrupted: everything committed so far is kept",
        "  Go on from there with the same command: backcourt --version",
        "130",
    ]


def test_an_interrupt_in_the_import_machinery_waits_until_it_is_out_of_it() -> None:
    program = """
        import os, signal, time
        from importlib._bootstrap import _call_with_frames_removed
        from python_workers.runtime import signals

        signals.answer_signals()
        try:
            _call_with_frames_removed(os.kill, os.getpid(), signal.SIGTERM)
            print("out of it")
            time.sleep(300)
        except KeyboardInterrupt:
            print(signals.exit_code())
    """
    ended = run_program(program)
    assert ended.stdout.split("\n") == ["out of it", "143", ""]


def test_workers_leave_interrupts_to_their_parent(terminal: Terminal, simulated: Engine) -> None:
    terminal.put(simulated.path)
    command = terminal.start(*COMPUTE, "--force", "--processors", "psza")
    command.wait_until(lambda: len(command.workers()) >= 2)
    for worker in command.workers():
        with suppress(psutil.NoSuchProcess):
            worker.send_signal(signal.SIGINT)
    ended = command.wait()
    assert ended.code == 0, ended.text
    assert "Traceback" not in ended.text
    assert differences(terminal.file, simulated.path) == {}


def _answers(pid: int, number: signal.Signals) -> bool:
    """Tell whether a process has a handler for a signal, which Linux says in /proc."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("no /proc on this machine")
    (caught,) = (line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & 1 << (number - 1))
