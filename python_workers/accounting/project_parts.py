"""Compares the dbt project with what it was, and with the tables and views that are there."""

from __future__ import annotations

import hashlib

from python_workers import table_names
from python_workers.raw.descriptions import models_folder
from python_workers.warehouse.base import Warehouse

PROJECT_CHANGED = "dbt project changed"
# In the order of the digests in the state of the project.
_LISTS = ("known gaps changed (BACKCOURT_KNOWN_GAPS)", "seasons changed (BACKCOURT_SEASONS)")

_VIEWS = """
select table_schema, table_name, view_definition
from information_schema.views
where table_catalog = current_database() and table_schema in unnest(@schemas)
order by table_schema, table_name
"""


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
    there = {table.partition(".")[2] for table in warehouse.tables()}
    return tuple(sorted(_names_of_models() - there))


def views_state(warehouse: Warehouse) -> str | None:
    """Return a digest of the statements of the models' views; None if reading them costs money."""
    if warehouse.has_free_content_state:
        return None
    views = warehouse.query(_VIEWS, {"schemas": list(table_names.DATASETS)}).to_pylist()
    names, digest = _names_of_models(), hashlib.sha256()
    for view in views:
        # A raw table that is an adopted view, and a view of the user's, are no models.
        if view["table_name"] in names and view["table_schema"] != table_names.RAW:
            digest.update(repr(tuple(view.values())).encode())
    return digest.hexdigest()[:32]


def _names_of_models() -> set[str]:
    models = models_folder()
    return set() if models is None else {file.stem for file in models.rglob("*.sql")}
