"""Kills at random moments and at every boundary, each followed by the same command.

By default a handful, of the pool's part. A campaign on whole backfills, of half a month of the real
data where there is any, is ``BACKCOURT_KILLS=50 make kills``.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from python_workers.errors import ExitCode
from tests.python.support.engine import Engine
from tests.python.support.terminal import Command, Terminal, differences

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("BACKCOURT_KILLS", "3"))
SEED = os.environ.get("BACKCOURT_KILLS_SEED", "1")
IS_CAMPAIGN = KILLS >= 10

Arguments = tuple[str, ...]


@dataclass(frozen=True)
class Uninterrupted:
    """A command from one warehouse to another, and when it passed which boundary."""

    raw: Path
    done: Path
    arguments: Arguments
    seconds: float
    times: dict[str, float]
    code: int


@pytest.fixture(scope="module")
def uninterrupted(request: pytest.FixtureRequest, terminal_folder: Path) -> Uninterrupted:
    terminal = Terminal(terminal_folder)
    raw, done, arguments = _data(request, terminal)
    if IS_CAMPAIGN:
        # This run stores the parsed project, so that all later runs take the same time.
        terminal.put(raw)
        terminal.run_until_killed("after-dbt-seasons:1", *arguments)
    terminal.put(raw)
    command = terminal.start(*arguments)
    ended = command.wait()
    seconds = time.time() - command.started_at
    # Real data has failures to investigate.
    assert ended.code in {ExitCode.OK, ExitCode.ATTENTION}, ended.text
    assert differences(terminal.file, done) == {}
    return Uninterrupted(raw, done, arguments, seconds, command.times(), ended.code)


def _data(request: pytest.FixtureRequest, terminal: Terminal) -> tuple[Path, Path, Arguments]:
    """Return a warehouse to begin with, one to end with, and the command between them."""
    if not IS_CAMPAIGN:
        done: Engine = request.getfixturevalue("simulated")
        terminal.put(done.path)
        terminal.forget_outputs()
        begun = terminal.folder / "begun.duckdb"
        shutil.copyfile(terminal.file, begun)
        return begun, done.path, ("compute", "--all")
    try:
        raw, done = request.getfixturevalue("real_raw"), request.getfixturevalue("real")
    except pytest.skip.Exception:  # no real data here
        raw, done = request.getfixturevalue("simulated_raw"), request.getfixturevalue("simulated")
        return raw.path, done.path, ("backfill", "--all")
    return raw.path, done.path, ("backfill", "--start", "2022-01-01", "--end", "2022-01-15")


@pytest.mark.parametrize("number", range(KILLS))
def test_a_kill_at_a_random_moment_changes_nothing(
    terminal: Terminal, uninterrupted: Uninterrupted, number: int
) -> None:
    earliest = 0.0 if IS_CAMPAIGN else min(uninterrupted.times.values())
    moment = random.Random(f"{SEED} {number}").uniform(earliest, uninterrupted.seconds)  # noqa: S311
    # Other work on the machine shifts the moments, so count them from the boundary before.
    passed = [point for point, at in uninterrupted.times.items() if at <= moment]
    delay = moment - (uninterrupted.times[passed[-1]] if passed else 0.0)
    while True:
        terminal.put(uninterrupted.raw)
        command = terminal.start(*uninterrupted.arguments, "--log-format", "json")
        if passed:
            command.wait_for_point(passed[-1])
        time.sleep(delay)
        command.send(signal.SIGKILL)
        if command.wait().code == -signal.SIGKILL:
            break
        delay /= 2  # This run was faster and had ended before the kill.
    assert_resumes(terminal, uninterrupted, command, f"at {moment:.1f} s")


@pytest.mark.parametrize("number", range(KILLS if IS_CAMPAIGN else 0))
def test_a_kill_at_any_boundary_changes_nothing(
    terminal: Terminal, uninterrupted: Uninterrupted, number: int
) -> None:
    points = list(uninterrupted.times)
    point = points[number * len(points) // KILLS]
    terminal.put(uninterrupted.raw)
    command = terminal.start(
        *uninterrupted.arguments, "--log-format", "json", faults={"stop_at": point}
    )
    assert command.wait().code == -signal.SIGKILL
    assert_resumes(terminal, uninterrupted, command, f"at {point}")


@pytest.mark.parametrize("number", range(KILLS // 5 if IS_CAMPAIGN else 0))
def test_a_load_killed_at_a_random_moment_changes_nothing(
    terminal: Terminal, simulated_files: Path, simulated_raw: Engine, number: int
) -> None:
    arguments = ("load", str(simulated_files))
    began = time.monotonic()
    terminal.run_well(*arguments)
    delay = random.Random(f"{SEED} load {number}").uniform(0, time.monotonic() - began)  # noqa: S311
    terminal.clear()
    command = terminal.start(*arguments)
    time.sleep(delay)
    command.send(signal.SIGKILL)
    print(f"load killed after {delay:.1f} s, {len(command.points())} points passed: ", end="")
    command.assert_nothing_is_left()
    terminal.run_well(*arguments)
    found = differences(terminal.file, simulated_raw.path)
    print("equal" if found == {"nba_staging.seasons": 1} else found)
    assert found == {"nba_staging.seasons": 1}


def assert_resumes(
    terminal: Terminal, uninterrupted: Uninterrupted, command: Command, moment: str
) -> None:
    """Kill the running command, run it again and compare every table."""
    command.send(signal.SIGKILL)
    killed = command.wait()
    assert killed.code == -signal.SIGKILL
    points = command.points()
    passed = f"{len(points)} of {len(uninterrupted.times)} boundaries passed"
    last = points[-1] if points else "none"
    print(f"killed {moment} of {uninterrupted.seconds:.1f} s, {passed}, the last: {last}: ", end="")
    command.assert_nothing_is_left()
    resumed = terminal.run(*uninterrupted.arguments, "--log-format", "json")
    assert resumed.code == uninterrupted.code, resumed.text
    found, repeated = differences(terminal.file, uninterrupted.done), terminal.repeated_runs()
    twice = _dates(killed.events("date_committed")) & _dates(resumed.events("date_committed"))
    print(f"{found or 'equal'}, {len(repeated)} dates run twice")
    assert found == {}
    assert repeated == []
    assert twice == set()


def _dates(events: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(event["processor"], event["date"]) for event in events}
