"""Single raw values: from whatever a file holds to the one type of its column.

Every function takes a value as Arrow hands it over (text, number, bool, date, ``None``), returns it
in the column's type or ``None`` where it is missing, and raises ValueError with the reason else.
They run once per distinct value of a file, never once per row.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Collection
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

Number = TypeVar("Number", int, float)
Parse = Callable[[object], object]

_NUMBER = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+]00:?00)?)?", re.ASCII)
_GAME_ID = re.compile(r"[0-9A-Za-z]{10}")
_SEASON = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_BOOLEANS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), False),
}


def whole_number(low: int, high: int) -> Parse:
    """Return the parser of an int64 column whose values lie between ``low`` and ``high``."""

    def parse(value: object) -> int | None:
        if type(value) is int:
            return _within(value, low, high)
        exact = _exact(value)
        if exact is None:
            return None
        if exact.denominator != 1:
            raise ValueError("is not a whole number")
        return _within(int(exact), low, high)

    return parse


def rounded_number(low: int, high: int) -> Parse:
    """Return the parser of an int64 column whose fractional values are rounded half-even."""

    def parse(value: object) -> int | None:
        exact = _exact(value)
        return None if exact is None else _within(round(exact), low, high)

    return parse


def number(low: float, high: float) -> Parse:
    """Return the parser of a float64 column whose values lie between ``low`` and ``high``."""

    def parse(value: object) -> float | None:
        exact = _exact(value)
        return None if exact is None else _within(float(exact), low, high)

    return parse


def one_of(allowed: Collection[str]) -> Parse:
    """Return the parser of a text column with few values, which it knows in any case."""
    known = {name.lower(): name for name in allowed}

    def parse(value: object) -> str | None:
        text = parse_text(value)
        if text is None:
            return None
        if text.lower() not in known:
            raise ValueError(f"is none of {', '.join(sorted(allowed))}")
        return known[text.lower()]

    return parse


def parse_text(value: object) -> str | None:
    """Return text without surrounding white space; empty text is missing."""
    if value is None or value != value:  # noqa: PLR0124 NaN alone differs from itself
        return None
    if not isinstance(value, str):
        raise ValueError("is not text")  # noqa: TRY004 every bad value is a ValueError
    return value.strip() or None


def parse_bool(value: object) -> bool | None:
    """Return a flag written as a bool, 0 / 1, true / false, t / f, yes / no or y / n."""
    if isinstance(value, bool):
        return value
    if value is None or value != value:  # noqa: PLR0124 as above
        return None
    text = str(value).strip().lower()
    if not text:
        return None
    if text not in _BOOLEANS:
        raise ValueError("is neither true nor false")
    return _BOOLEANS[text]


def parse_date(value: object) -> dt.date | None:
    """Return a date from a date, an ISO text, or a timestamp at midnight."""
    if value is None:
        return None
    if isinstance(value, dt.datetime):
        if value.time() != dt.time():
            raise ValueError("has a time of day; the date alone is needed")
        return value.date()
    if isinstance(value, dt.date):
        return value
    text = str(value).strip()
    if not text:
        return None
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError("is not a date like 2021-10-19")
    try:
        return dt.date.fromisoformat(found[1])
    except ValueError:
        raise ValueError("is not a day of the calendar") from None


def parse_game_id(value: object) -> str | None:
    """Return the 10-character id of a game; a number has lost its leading zeros."""
    if isinstance(value, int | float) and value == value:  # noqa: PLR0124 as above
        raise ValueError("is a number; game ids are text of 10 characters like 0022100001")
    text = parse_text(value)
    if text is not None and not _GAME_ID.fullmatch(text):
        raise ValueError("is not 10 letters or digits like 0022100001")
    return text


def parse_season(value: object) -> str | None:
    """Return a season like ``2021-22``."""
    text = parse_text(value)
    if text is None:
        return None
    found = _SEASON.fullmatch(text)
    if found is None or (int(found[1]) + 1) % 100 != int(found[2]):
        raise ValueError("is not a season like 2021-22")
    return text


def _exact(value: object) -> Fraction | None:
    if value is None or value != value:  # noqa: PLR0124 as above
        return None
    if isinstance(value, bool):
        raise ValueError("is a flag, not a number")  # noqa: TRY004 as above
    if isinstance(value, float) and math.isinf(value):
        raise ValueError("is infinite")
    if isinstance(value, int | float | Decimal):
        return Fraction(value)
    text = str(value).strip()
    if not text:
        return None
    if not isinstance(value, str) or not _NUMBER.fullmatch(text):
        raise ValueError("is not a number")
    return Fraction(text)


def _within(value: Number, low: float, high: float) -> Number:
    if value < low:
        raise ValueError("is negative" if low == 0 else f"is below {low}")
    if value > high:
        raise ValueError(f"is above {high}")
    return value
