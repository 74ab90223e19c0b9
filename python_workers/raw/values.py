"""Parses single raw values of a file into the type of their column.

Every parser takes a value that is not missing (text, number, bool, `Moment`), returns it in the
column's type, or raises ValueError with the reason. Parsers run once per distinct value of a batch,
not once per row. `is_missing` alone decides which values are missing.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

Number = TypeVar("Number", int, Fraction)
Parse = Callable[[object], object]

# Missing values as R, pandas, spreadsheets and SQL write them, in lower case.
MISSING_TEXTS = frozenset(("", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none"))
# Longer than any number that a column admits, and shorter than Python's limit for conversion.
_MAX_DIGITS = 400
_NUMBER = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_DATE = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<time>\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?) ?(?P<zone>Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?",
    re.ASCII,
)
_MIDNIGHT = re.compile(r"[0:.]+")
_GAME_ID = re.compile(r"[0-9A-Za-z]{10}")
_SEASON = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_BOOLEANS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), False),
}


@dataclass(frozen=True)
class Unusable:
    """A value that no column can take: its text for messages, and the reason."""

    text: str
    reason: str

    def __str__(self) -> str:
        """Return the text for messages."""
        return self.text


@dataclass(frozen=True)
class Moment:
    """A date or timestamp of a typed file.

    Parameters
    ----------
    date
        The day; ``None`` outside the years 1 to 9999.
    has_time
        Whether the time is not midnight.
    zone
        The time zone, if the value is an instant.
    text
        The text for messages.
    """

    date: dt.date | None
    has_time: bool
    zone: str | None
    text: str

    def __str__(self) -> str:
        """Return the text for messages."""
        return self.text


def is_missing(value: object) -> bool:
    """Tell whether a value is missing: NULL, NaN, or a text such as "n/a"."""
    if isinstance(value, str):
        return value.strip().lower() in MISSING_TEXTS
    return value is None or bool(value != value)  # noqa: PLR0124 NaN alone differs from itself


def whole_number(low: int, high: int) -> Parse:
    """Return the parser of an int64 column whose values lie between ``low`` and ``high``."""

    def parse(value: object) -> int:
        if type(value) is int:
            return _within(value, low, high)
        exact = _exact(value)
        if exact.denominator != 1:
            raise ValueError("is not a whole number")
        return _within(int(exact), low, high)

    return parse


def rounded_number(low: int, high: int) -> Parse:
    """Return the parser of an int64 column whose fractional values are rounded half-even."""

    def parse(value: object) -> int:
        return _within(round(_exact(value)), low, high)

    return parse


def number(low: float, high: float) -> Parse:
    """Return the parser of a float64 column whose values lie between ``low`` and ``high``."""

    def parse(value: object) -> float:
        # Compare before converting to a double: 1e999 does not fit one.
        return float(_within(_exact(value), low, high))

    return parse


def one_of(allowed: Collection[str]) -> Parse:
    """Return the parser of a text column with few allowed values; it ignores letter case."""
    known = {name.lower(): name for name in allowed}

    def parse(value: object) -> str:
        text = parse_text(value)
        if text.lower() not in known:
            raise ValueError(f"is none of {', '.join(sorted(allowed))}")
        return known[text.lower()]

    return parse


def parse_text(value: object) -> str:
    """Return text without surrounding white space."""
    if not isinstance(value, str):
        raise ValueError("is not text")  # noqa: TRY004 every bad value is a ValueError
    if "\0" in value:
        raise ValueError("holds a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        # JSON can write a lone surrogate: "\ud83d".
        raise ValueError("is not Unicode text") from None
    return value.strip()


def parse_bool(value: object) -> bool:
    """Return a flag written as a bool, 0 / 1, true / false, t / f, yes / no or y / n."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text not in _BOOLEANS:
        raise ValueError("is neither true nor false")
    return _BOOLEANS[text]


def parse_date(value: object) -> dt.date:
    """Return a date, given as a date or as a text or timestamp of midnight without a time zone."""
    if isinstance(value, Moment):
        return _plain_date(value.date, has_time=value.has_time, has_zone=value.zone is not None)
    found = _DATE.fullmatch(str(value).strip())
    if found is None:
        raise ValueError("is not a date like 2021-10-19")
    try:
        date = dt.date.fromisoformat(found["date"])
    except ValueError:
        raise ValueError("is not a day of the calendar") from None
    has_time = found["time"] is not None and not _MIDNIGHT.fullmatch(found["time"])
    return _plain_date(date, has_time=has_time, has_zone=found["zone"] is not None)


def parse_game_id(value: object) -> str:
    """Return the 10-character id of a game; refuse numbers, which have lost their leading zeros."""
    if isinstance(value, int | float | Decimal):
        raise ValueError("is a number; game ids are text of 10 characters like 0022100001")  # noqa: TRY004 as above
    text = parse_text(value)
    if not _GAME_ID.fullmatch(text):
        raise ValueError("is not 10 letters or digits like 0022100001")
    return text


def parse_season(value: object) -> str:
    """Return a season like ``2021-22``."""
    text = parse_text(value)
    found = _SEASON.fullmatch(text)
    if found is None or (int(found[1]) + 1) % 100 != int(found[2]):
        raise ValueError("is not a season like 2021-22")
    return text


def _plain_date(date: dt.date | None, *, has_time: bool, has_zone: bool) -> dt.date:
    if has_zone:
        # 2021-10-20T00:00Z is the evening of the 19th where the game is played.
        raise ValueError("is an instant; give the date at the place of the game, without a time")
    if has_time:
        raise ValueError("has a time of day; give the date alone")
    if date is None:
        raise ValueError("is outside the years 1 to 9999")
    return date


def _exact(value: object) -> Fraction:
    if isinstance(value, bool):
        raise ValueError("is a flag, not a number")  # noqa: TRY004 as above
    if isinstance(value, float | Decimal) and math.isinf(value):
        raise ValueError("is infinite")
    if isinstance(value, int | float | Decimal):
        return Fraction(value)
    text = value.strip() if isinstance(value, str) else ""
    if len(text) > _MAX_DIGITS or not _NUMBER.fullmatch(text):
        raise ValueError("is not a number")
    return Fraction(text)


def _within(value: Number, low: float, high: float) -> Number:
    if value < low:
        raise ValueError("is negative" if low == 0 else f"is below {low}")
    if value > high:
        raise ValueError(f"is above {high}")
    return value
