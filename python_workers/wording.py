"""Words of messages that several rooms print."""

from __future__ import annotations

from urllib.parse import quote


def counted(count: int, noun: str) -> str:
    """Return a count with its noun.

    Examples
    --------
    >>> counted(1, "row"), counted(2_000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def report_fragment(entity: str, *, is_team: bool) -> str:
    """Return the part of an address that opens a player's or team's page in the report.

    Examples
    --------
    >>> report_fragment("lebronjames", is_team=False), report_fragment("LAL", is_team=True)
    ('#player=lebronjames', '#team=LAL')
    """
    return f"#{'team' if is_team else 'player'}={quote(entity)}"
