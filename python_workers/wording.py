"""Words of messages that several rooms print."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from urllib.parse import quote

_SHOWN = 3


def counted(count: int, noun: str) -> str:
    """Return a count with its noun.

    Examples
    --------
    >>> counted(1, "row"), counted(2_000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def some(names: Sequence[str]) -> str:
    """Return the first few of some names, and the number of the others.

    Examples
    --------
    >>> some(["a.csv", "b.csv", "c.csv", "d.csv", "e.csv"])
    'a.csv, b.csv, c.csv and 2 more'
    """
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


def shell(*words: object) -> str:
    """Return a command that a shell runs with exactly these words.

    Examples
    --------
    >>> shell("backcourt", "load", "my files")
    "backcourt load 'my files'"
    """
    return shlex.join(map(str, words))


def report_fragment(entity: str, *, is_team: bool) -> str:
    """Return the part of an address that opens a player's or team's page in the report.

    Examples
    --------
    >>> report_fragment("lebronjames", is_team=False), report_fragment("LAL", is_team=True)
    ('#player=lebronjames', '#team=LAL')
    """
    return f"#{'team' if is_team else 'player'}={quote(entity)}"
