"""Checks changed rows below adopted views before a backfill builds from them."""

from __future__ import annotations

from python_workers.accounting.input_builds import InputBuilds
from python_workers.accounting.schedule import Schedule
from python_workers.raw.adoption import adopted_tables, check_adopted
from python_workers.raw.player_registry import register_players
from python_workers.warehouse.base import Warehouse


def read_checked_builds(
    warehouse: Warehouse, project_state: str, schedule: Schedule, *, force: bool
) -> InputBuilds:
    """Give new players their lookups and read the builds.

    If raw tables are adopted views whose rows have changed since their builds, and inputs are to be
    built from them, check the rows first as `adopt` does: a lookup is never taken back. With
    `force`, inputs are built anyway.

    Raises
    ------
    BackcourtError
        If a row is wrong; it names the row.
    """
    span = schedule.start, schedule.end
    adopted = adopted_tables(warehouse)
    if adopted:
        builds = InputBuilds.read(warehouse, project_state, of=span)
        if _is_raw_changed(builds) and builds.stale_range(schedule, force=force):
            check_adopted(warehouse, adopted)
        if not register_players(warehouse):
            return builds
    else:
        register_players(warehouse)
    return InputBuilds.read(warehouse, project_state, of=span)


def _is_raw_changed(builds: InputBuilds) -> bool:
    """Tell whether the raw rows of a season differ from those of all its recorded builds."""
    built = {build.raw_state for build in builds.builds}
    return any(state not in built for state in builds.raw_states.values())
