from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_workers.columnar.rounding import (
    decimal_to_float,
    round_half_even,
    round_ratio,
    round_sqrt_ratio,
)
from tests.python.support.slow_reference import sqrt_rounded

ratios = st.lists(
    st.tuples(st.integers(-(10**9), 10**9), st.integers(1, 10**9)), min_size=1, max_size=20
)


@given(ratios, st.integers(0, 6))
def test_a_ratio_is_rounded_half_even_on_its_exact_value(
    pairs: list[tuple[int, int]], decimals: int
) -> None:
    num, den = zip(*pairs, strict=True)
    expected = [float(round(Fraction(n, d), decimals)) for n, d in pairs]
    assert round_ratio(num, den, decimals).tolist() == expected


@given(st.integers(-(10**6), 10**6), st.integers(1, 1000), st.integers(0, 4))
def test_a_tie_goes_to_the_even_digit(odd: int, factor: int, decimals: int) -> None:
    tie = Fraction(2 * odd + 1, 2 * 10**decimals)
    (units,) = round_half_even(
        [tie.numerator * factor], [tie.denominator * factor], decimals
    ).tolist()
    assert units % 2 == 0
    assert abs(Fraction(units, 10**decimals) - tie) == Fraction(1, 2 * 10**decimals)


def test_floats_would_round_this_one_the_wrong_way() -> None:
    assert round(2.675, 2) == 2.67
    assert round_ratio([2675], [1000], 2).tolist() == [2.68]


def test_the_result_is_written_like_the_decimal() -> None:
    values = round_ratio(np.arange(1, 2000), np.full(1999, 7), 4).tolist()
    assert max(len(repr(value).split(".")[1]) for value in values) <= 4


def test_no_result_is_minus_zero() -> None:
    assert math.copysign(1, round_ratio([-1], [1000], 1)[0]) == 1


def test_elements_left_out_may_divide_by_zero() -> None:
    mask = np.array([True, False])
    assert round_ratio([1, 5], [4, 0], 2, mask).tolist() == [0.25, 0.0]


def test_a_denominator_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="denominator 0 is not positive"):
        round_half_even([1], [0], 2)


def test_numbers_beyond_64_bits_are_refused() -> None:
    assert round_half_even([2**62], [2**62], 0).tolist() == [1]
    with pytest.raises(OverflowError, match="does not fit 64 bits"):
        round_half_even([2**62], [1], 1)
    with pytest.raises(OverflowError, match="does not fit 64 bits"):
        round_half_even([-(2**63)], [1], 0)
    with pytest.raises(OverflowError, match="too large for an exact root"):
        round_sqrt_ratio([10**15], [1], 4)
    with pytest.raises(OverflowError, match="more digits than a double keeps"):
        decimal_to_float(np.array([2**53 + 1]), 2)


@given(
    st.lists(st.tuples(st.integers(0, 4 * 10**6), st.integers(1, 1000)), min_size=1, max_size=20)
)
def test_a_root_is_rounded_half_even_on_its_exact_value(pairs: list[tuple[int, int]]) -> None:
    num, den = zip(*pairs, strict=True)
    expected = [sqrt_rounded(Fraction(n, d), 4) for n, d in pairs]
    assert round_sqrt_ratio(num, den, 4).tolist() == expected


@given(st.integers(1, 5 * 10**5), st.integers(-3, 3), st.integers(1, 3))
def test_a_root_next_to_a_whole_number_is_rounded_to_it(root: int, off: int, den: int) -> None:
    num = max(root * root * den + off, 0)
    (rounded,) = round_sqrt_ratio([num], [den], 3).tolist()
    assert rounded == sqrt_rounded(Fraction(num, den), 3)


@given(st.integers(0, 40_000))
def test_a_root_half_way_between_two_decimals_goes_to_the_even_one(half_units: int) -> None:
    tie = Fraction(2 * half_units + 1, 20_000)
    square = tie * tie
    assert round_sqrt_ratio([square.numerator], [square.denominator], 4).tolist() == [
        float(round(tie, 4))
    ]


def test_the_root_of_a_negative_ratio_is_refused() -> None:
    with pytest.raises(ValueError, match="negative numerator -1"):
        round_sqrt_ratio([-1], [1], 4)


def test_an_empty_column_stays_empty() -> None:
    assert round_ratio([], [], 2).tolist() == []
    assert round_sqrt_ratio([], [], 2).tolist() == []
