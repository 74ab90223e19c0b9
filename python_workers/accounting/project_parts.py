"""Compares the dbt project with what it was, and with the tables and views that are there."""

from __future__ import annotations

from python_workers.raw.descriptions import models_folder
from python_workers.warehouse.base import Warehouse

PROJECT_CHANGED = "dbt project changed"
# In the order of the digests in the state of the project.
_LISTS = ("known gaps changed (BACKCOURT_KNOWN_GAPS)", "seasons changed (BACKCOURT_SEASONS)")


def is_same_project(one: str, other: str) -> bool:
    """Tell whether two states of the project give the same results."""
    return one.partition(":")[0] == other.partition(":")[0]


def what_changed(before: str, now: str) -> str:
    """Return which part of the project differs between two states of it.

    A state is ``everything:models:known gaps:seasons``, a digest each. An earlier version recorded
    only the first.

    Examples
    --------
    >>> what_changed("1:7:8:9", "2:7:5:9")
    'known gaps changed (BACKCOURT_KNOWN_GAPS)'
    >>> what_changed("1:7:8:9", "2:6:8:9"), what_changed("1", "2:6:8:9")
    ('dbt project changed', 'dbt project changed')
    """
    _, *was = before.split(":")
    _, *parts = now.split(":")
    if len(was) != len(parts) or not parts or was[0] != parts[0]:
        return PROJECT_CHANGED
    changed = [why for why, old, new in zip(_LISTS, was[1:], parts[1:], strict=True) if old != new]
    return " and ".join(changed) or PROJECT_CHANGED


def missing_models(warehouse: Warehouse) -> tuple[str, ...]:
    """Return the names of the project's models of which the warehouse has no table or view."""
    models = models_folder()
    if models is None:
        return ()
    there = {table.partition(".")[2] for table in warehouse.tables()}
    return tuple(sorted({file.stem for file in models.rglob("*.sql")} - there))
