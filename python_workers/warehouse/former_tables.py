"""Lets the current queries read tables and views that an earlier version has built.

Until the next `backcourt backfill` builds them again, they lack the columns that newer versions
have added. A query that fails for that reason is repeated with the added columns filled in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from python_workers import table_names
from python_workers.warehouse.base import Column

_UNKNOWN_TEXT = "cast(null as string)"
_UNKNOWN_NUMBER = "cast(null as int64)"
# An earlier version knew no known gaps, so it counted none.
_NONE = "cast(0 as int64)"

ADDED_COLUMNS: Mapping[str, Mapping[str, str]] = {
    table_names.PROCESSED_DATES: {
        "rows_fingerprint": _UNKNOWN_TEXT,
        "failures_fingerprint": _UNKNOWN_TEXT,
    },
    table_names.INPUT_BUILDS: {"derived_state": _UNKNOWN_TEXT, "views_state": _UNKNOWN_TEXT},
    table_names.PROCESSOR_RUNS: {"known_source_gap": _NONE},
    table_names.BACKFILL_COVERAGE: {"known_source_gap": _NONE},
    table_names.CHANGED_GAMES: {"change_number": _UNKNOWN_NUMBER},
    f"{table_names.ANALYTICS}.int_player_games": {"is_known_gap": "false"},
    f"{table_names.PRECOMPUTE}.team_defense_zone_inputs": {"known_gap_count": _NONE},
}
"""The value, in portable SQL, of each added column on rows of a version that did not have it.

Add a column here when a table that outlives an upgrade gets it and Python reads it.
"""


def with_added_columns(
    sql: str,
    has_table: Callable[[str], bool],
    columns: Callable[[str], tuple[Column, ...]],
) -> str | None:
    """Return a query with the added columns that its tables lack; None if they lack none.

    `has_table` and `columns` are those of the warehouse.
    """
    completed = sql
    for table, added in ADDED_COLUMNS.items():
        place = re.compile(rf"\b(from|join)(\s+){re.escape(table)}\b", re.IGNORECASE)
        if not place.search(sql) or not has_table(table):
            continue
        present = {column.name for column in columns(table)}
        lacking = [f"{value} as {name}" for name, value in added.items() if name not in present]
        if lacking:
            whole = f"(select *, {', '.join(lacking)} from {table})"  # noqa: S608 our own names
            completed = place.sub(rf"\1\2{whole}", completed)
    return completed if completed != sql else None
