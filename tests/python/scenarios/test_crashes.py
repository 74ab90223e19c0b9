"""Kill or interrupt the command anywhere, run it again: the tables are those of one whole run."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.python.scenarios.test_interrupts import assert_clean_end
from tests.python.support.engine import Engine
from tests.python.support.terminal import Terminal, differences

pytestmark = pytest.mark.slow

BACKFILL = ("backfill", "--all", "--skip-tests")
# The tests use one warehouse in turn, so list the points in the order of a run.
COMPUTE_BOUNDARIES = (
    "before-commit:1",
    "before-write:2",
    "after-write:1",
    "after-commit:2",
)


def test_a_load_killed_between_two_tables_is_completed_by_the_next(
    terminal: Terminal, simulated_files: Path, simulated_raw: Engine
) -> None:
    for boundary in ("after-write:2", "before-write:5"):
        terminal.run_until_killed(boundary, "load", str(simulated_files))
    terminal.run_well("load", str(simulated_files))
    found = differences(terminal.file, simulated_raw.path)
    assert found == {"nba_staging.seasons": 1}  # The command loads dbt's seed, too.


def test_a_backfill_short_of_disk_killed_and_interrupted_ends_in_the_same_tables(
    terminal: Terminal, simulated_raw: Engine, simulated: Engine
) -> None:
    def interrupt(point: str, number: signal.Signals, *, group: bool) -> None:
        command = terminal.start(*BACKFILL)
        command.wait_for_point(point)
        assert command.workers(), "the workers start before dbt"
        command.send(number, group=group)
        assert_clean_end(command, command.wait(), 128 + number)

    terminal.put(simulated_raw.path)
    terminal.run_until_disk_is_full(4_000_000, *BACKFILL)
    terminal.run_until_killed("after-dbt-int_player_games:1", *BACKFILL)
    for number, group in ((signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGHUP, True)):
        interrupt("after-dbt-int_player_games:1", number, group=group)  # dbt is running.
    interrupt("after-inputs:1", signal.SIGINT, group=False)
    terminal.run_until_killed("after-inputs:1", *BACKFILL)
    terminal.run_until_killed("after-dbt-ml_feature_store_v2:1", *BACKFILL)
    terminal.run_well(*BACKFILL)
    assert differences(terminal.file, simulated.path) == {}
    assert terminal.repeated_runs() == []


def test_a_killed_compute_goes_on_with_the_chunk_it_was_at(
    terminal: Terminal, simulated: Engine
) -> None:
    terminal.put(simulated.path)
    terminal.forget_outputs()
    for boundary in COMPUTE_BOUNDARIES:
        terminal.run_until_killed(boundary, "compute", "--all")
    last = terminal.run_well("compute", "--all", "--log-format", "json")
    assert len(last.events("date_committed")) > 0
    assert differences(terminal.file, simulated.path) == {}
    assert terminal.repeated_runs() == []


def test_what_waits_for_its_commit_is_computed_again_after_a_kill(
    terminal: Terminal, simulated: Engine
) -> None:
    together = {"BACKCOURT_COMMIT_ROWS": "1500"}
    terminal.put(simulated.path)
    terminal.forget_outputs()
    for boundary in ("before-commit:2", "after-commit:1"):
        terminal.run_until_killed(boundary, "compute", "--all", environment=together)
    terminal.run_well("compute", "--all", environment=together)
    assert differences(terminal.file, simulated.path) == {}
    assert terminal.repeated_runs() == []
