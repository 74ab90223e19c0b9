"""The error for a table or view that a statement reads and that somebody has dropped."""

from __future__ import annotations

import re

from python_workers import table_names
from python_workers.errors import BackcourtError, ExitCode

_NOT_THERE = re.compile(
    # DuckDB, then BigQuery, whose project may contain dashes, dots and colons.
    r"(?:Table|Schema) with name (?P<duckdb>\w+) does not exist"
    r"|Not found: Table (?:[\w.:-]+[:.])?(?P<bigquery>\w+\.\w+)"
)
_FULL_NAMES = {
    name.partition(".")[2]: name
    for name in vars(table_names).values()
    if isinstance(name, str) and name.startswith(table_names.DATASETS)
}


def missing_table(message: str) -> str | None:
    """Return the table, view or schema that an engine's message calls missing; None if it does not.

    Examples
    --------
    >>> missing_table("Catalog Error: Table with name processed_dates does not exist!")
    'nba_processing.processed_dates'
    >>> missing_table("Not found: Table my-project:nba_raw.games was not found in location US")
    'nba_raw.games'
    """
    found = _NOT_THERE.search(message)
    if found is None:
        return None
    name: str = found["duckdb"] or found["bigquery"]
    return _FULL_NAMES.get(name, name)


def missing_table_error(table: str, place: object) -> BackcourtError:
    """Return the error for a missing table; it names the command that makes the table again.

    Parameters
    ----------
    table
        ``schema.table``, or the table or schema alone.
    place
        The warehouse: its file or project.
    """
    is_raw = table_names.RAW in table
    command = "backcourt load DIR" if is_raw else "backcourt backfill --all"
    return BackcourtError(
        f"{table} is missing in {place}",
        [
            "Nothing has made it yet, or somebody has dropped it.",
            f"Run: {command}. It makes the table again, with its rows.",
        ],
        ExitCode.ENVIRONMENT,
    )
