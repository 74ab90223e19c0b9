"""Links to the report page and to its pages of players and teams."""

from __future__ import annotations

import re
from pathlib import Path

from python_workers.settings import Settings

FILE_NAME = "report.html"
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def report_link(settings: Settings, fragment: str) -> str | None:
    """Return a link into the report, or None if no report has been written yet.

    Parameters
    ----------
    settings
        They name the page; its default place is beside the DuckDB file.
    fragment
        What to open in it, such as ``#player=lebronjames``.
    """
    named = settings.report
    if named is not None and _ADDRESS.match(named):
        return named + fragment
    if named is None and settings.target != "duckdb":
        return None
    path = Path(named).expanduser() if named else settings.warehouse_file.with_name(FILE_NAME)
    return path.absolute().as_uri() + fragment if path.exists() else None


def report_hint(settings: Settings, fragment: str) -> str:
    """Return a link into the report, or else the command that writes one to link to."""
    link = report_link(settings, fragment)
    return link or f"backcourt report --out {FILE_NAME}, then {FILE_NAME}{fragment}"
