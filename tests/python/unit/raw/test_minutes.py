from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_workers.raw.playing_time import parse_minutes


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("34:12", 2052),
        ("34.000000:12", 2052),
        ("0:00", 0),
        ("5:01", 301),
        ("34:12.60", 2053),
        ("PT34M12.00S", 2052),
        ("PT00M00.00S", 0),
        ("PT12M", 720),
        ("PT45.00S", 45),
        ("34.2", 2052),
        ("5.02", 301),
        ("34.2000001", 2052),
        (".5", 30),
        ("34", 2040),
        ("34.0", 2040),
        ("00", 0),
        ("-0.0", 0),
        (" 34:12 ", 2052),
        (34, 2040),
        (34.2, 2052),
        (1e-05, 0),
        (Decimal("34.2"), 2052),
        ("70", 4200),
    ],
)
def test_each_notation_gives_whole_seconds(written: object, seconds: int) -> None:
    parsed = parse_minutes(written)
    assert parsed == seconds / 60
    assert str(parsed) == str(seconds / 60)


@pytest.mark.parametrize("written", ["", "  ", None, float("nan")])
def test_missing_minutes_are_unknown_and_not_zero(written: object) -> None:
    assert parse_minutes(written) is None


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("34:12.5", 2052), ("34:13.5", 2054), ("PT0M0.5S", 0), ("10.025", 602), (10.025, 602)],
)
def test_halves_go_to_the_even_second(written: object, seconds: int) -> None:
    assert parse_minutes(written) == seconds / 60


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
        ("34.5:12", "not playing time"),
        (1e300, "more than 70"),
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
def test_all_notations_of_a_second_agree_and_give_it_back(minutes: int, seconds: int) -> None:
    total = 60 * minutes + seconds
    written = [
        f"{minutes}:{seconds:02d}",
        f"{minutes}.000000:{seconds:02d}",
        f"PT{minutes}M{seconds:02d}.00S",
        total / 60,
        str(total / 60),
        # Two decimals, as feeds round them, are nearer to their second than to any other.
        f"{total / 60:.2f}",
    ]
    assert {parse_minutes(each) for each in written} == {total / 60}
    assert round(total / 60 * 60) == total
