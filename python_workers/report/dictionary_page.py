"""Renders the data dictionary as one page: every table, its columns, and the failure categories."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from python_workers import __version__
from python_workers.processors.failures import CATEGORIES
from python_workers.reading.dictionary import Entry
from python_workers.report.page import asset, category_colours, content_hash, environment


def render_dictionary(entries: Sequence[Entry], made_at: datetime) -> str:
    """Return the page.

    Parameters
    ----------
    entries
        The tables, those of a schema one after the other.
    made_at
        The time of its creation, which the page states.
    """
    by_schema: dict[str, list[Entry]] = {}
    for entry in entries:
        by_schema.setdefault(entry.table.partition(".")[0], []).append(entry)
    style = asset("style.css") + category_colours()
    return (
        environment()
        .get_template("dictionary.html.jinja")
        .render(
            by_schema=by_schema,
            categories=CATEGORIES,
            made_at=made_at,
            style=style,
            style_hash=content_hash(style),
            version=__version__,
        )
    )
