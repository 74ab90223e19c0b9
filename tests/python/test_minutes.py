from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_workers.minutes import parse_minutes


@pytest.mark.parametrize(
    ("written", "minutes"),
    [
        ("34:12", 34.2),
        ("0:00", 0.0),
        ("5:01", 5.02),
        ("34:12.50", 34.21),
        ("PT34M12.00S", 34.2),
        ("PT00M00.00S", 0.0),
        ("PT12M", 12.0),
        ("PT45.00S", 0.75),
        ("34.2", 34.2),
        ("34.2000001", 34.2),
        (".5", 0.5),
        ("34", 34.0),
        ("00", 0.0),
        (" 34:12 ", 34.2),
        (34, 34.0),
        (34.2, 34.2),
        (Decimal("34.2"), 34.2),
        ("70", 70.0),
    ],
)
def test_each_notation_gives_decimal_minutes(written: object, minutes: float) -> None:
    assert parse_minutes(written) == minutes


@pytest.mark.parametrize("written", ["", "  ", None, float("nan")])
def test_missing_minutes_are_unknown_and_not_zero(written: object) -> None:
    assert parse_minutes(written) is None


@pytest.mark.parametrize(
    ("written", "minutes"), [("10.125", 10.12), ("10.135", 10.14), (10.125, 10.12), (0.005, 0.0)]
)
def test_halves_go_to_the_even_hundredth(written: object, minutes: float) -> None:
    assert parse_minutes(written) == minutes


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("-3", "negative"),
        (-0.5, "negative"),
        ("71", "more than 70"),
        ("70:01", "more than 70"),
        ("2052", "more than 70"),
        ("34:60", "60 seconds"),
        ("34:1", "not playing time"),
        ("PT", "not playing time"),
        ("34:12:00", "not playing time"),
        ("1e1", "not playing time"),
        ("inf", "not playing time"),
        (float("inf"), "not playing time"),
        ("34,5", "not playing time"),
        ("DNP", "not playing time"),
        ("३४", "not playing time"),
        (True, "not playing time"),
        (dt.time(0, 34, 12), "not playing time"),
        (b"34", "not playing time"),
    ],
)
def test_everything_else_is_refused_with_its_reason(written: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_minutes(written)


@given(st.integers(0, 69), st.integers(0, 59))
def test_clock_and_iso_notation_agree_and_round_the_exact_value(minutes: int, seconds: int) -> None:
    parsed = parse_minutes(f"{minutes}:{seconds:02d}")
    assert parsed == parse_minutes(f"PT{minutes}M{seconds:02d}.00S")
    assert parsed == float(round((minutes + Fraction(seconds, 60)) * 100) / Fraction(100))


@given(st.integers(0, 7000))
def test_hundredths_survive_as_text_and_as_a_number(hundredths: int) -> None:
    value = hundredths / 100
    assert parse_minutes(value) == parse_minutes(str(value)) == value
