"""Parses playing time in the notations of the feeds into minutes of whole seconds."""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal
from fractions import Fraction

# Dale Ellis played 69 of the 73 minutes of a five-overtime game in 1989, the most ever. A line
# above this is a unit error (seconds, or two games in one), not a long night.
MAX_MINUTES = 70

_SECONDS_A_MINUTE = 60
# The NBA's own API writes the minutes of a clock with six decimals, all of them 0.
_CLOCK = re.compile(r"(\d{1,3})(?:\.0+)?:(\d{2}(?:\.\d+)?)", re.ASCII)
_ISO = re.compile(r"PT(?:(\d{1,3})M)?(?:(\d{1,5}(?:\.\d+)?)S)?", re.ASCII)
_DECIMAL = re.compile(r"-?(\d+(?:\.\d*)?|\.\d+)", re.ASCII)


def parse_minutes(value: object) -> float | None:
    """Return playing time in minutes: the exact value, rounded half-even to seconds, over 60.

    Parameters
    ----------
    value
        ``34:12``, ``34.000000:12``, ``PT34M12.00S``, ``34.2`` or ``34``, as text or as a number;
        ``None``, NaN and empty text are unknown. A binary number counts as the decimal that it
        prints as, so that CSV and Parquet give the same minutes.

    Returns
    -------
    float or None
        Minutes between 0 and `MAX_MINUTES`, the double nearest to seconds / 60, so that
        ``round(60 * minutes)`` gives the seconds back; ``None`` where unknown.

    Raises
    ------
    ValueError
        For any other value; the message is the reason.

    Examples
    --------
    >>> parse_minutes("34:12"), parse_minutes("PT34M12.00S"), parse_minutes("34.2")
    (34.2, 34.2, 34.2)
    >>> parse_minutes("5:01") * 60, parse_minutes("5.02") * 60, parse_minutes("34")
    (301.0, 301.0, 34.0)
    >>> parse_minutes("00"), parse_minutes("")
    (0.0, None)
    """
    exact = _exact_minutes(value)
    if exact is None:
        return None
    if exact < 0:
        raise ValueError("is negative")
    if exact > MAX_MINUTES:
        raise ValueError(f"is more than {MAX_MINUTES} minutes")
    # Fraction rounds half-even, and the quotient of two integers is the nearest double.
    return round(exact * _SECONDS_A_MINUTE) / _SECONDS_A_MINUTE


def _exact_minutes(value: object) -> Fraction | None:
    if value is None or value != value:  # noqa: PLR0124 NaN alone differs from itself
        return None
    if isinstance(value, bool | dt.date | dt.time | dt.timedelta):
        raise ValueError("is not playing time")  # noqa: TRY004 every bad value is a ValueError
    if isinstance(value, int | float | Decimal):
        value = str(value) if math.isinf(value) else f"{Decimal(str(value)):f}"
    if not isinstance(value, str):
        raise ValueError("is not playing time")  # noqa: TRY004 as above
    text = value.strip()
    if not text:
        return None
    if clock := _CLOCK.fullmatch(text):
        seconds = Fraction(clock[2])
        if seconds >= _SECONDS_A_MINUTE:
            raise ValueError("has 60 seconds or more after the colon")
        return int(clock[1]) + seconds / _SECONDS_A_MINUTE
    if (iso := _ISO.fullmatch(text)) and text != "PT":
        return int(iso[1] or 0) + Fraction(iso[2] or 0) / _SECONDS_A_MINUTE
    if _DECIMAL.fullmatch(text):
        return Fraction(text)
    raise ValueError("is not playing time")
