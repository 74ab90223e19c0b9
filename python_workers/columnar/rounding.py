"""Exact half-even rounding of integer ratios, columnar.

Every rate, mean and score is one division of two exact integers. This module rounds it in integer
arithmetic and turns only the rounded decimal into a float: the double nearest to it. No code adds
floats, so a value depends neither on the order of rows nor on chunks nor on the engine.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_INT64_MAX = 2**63 - 1
# The largest integers that a double holds exactly, and the largest exact power of ten.
_DOUBLE_EXACT = 2**53
_DOUBLE_EXACT_DECIMALS = 22


def round_half_even(
    num: npt.ArrayLike, den: npt.ArrayLike, decimals: int, where: BoolArray | None = None
) -> IntArray:
    """Round ``num / den`` half-even and return it in units of ``10**-decimals``.

    Parameters
    ----------
    num
        Integer numerators.
    den
        Integer denominators, positive wherever `where` holds.
    decimals
        Decimals kept; may be zero.
    where
        Elements to compute; the others are 0. By default, compute all.

    Returns
    -------
    numpy.ndarray
        int64, the rounded ratio times ``10**decimals``.

    Raises
    ------
    OverflowError
        If a numerator is too large to be rounded exactly.
    ValueError
        If a denominator is not positive.

    Examples
    --------
    >>> round_half_even([1, 2, 25, 35], [3, 3, 100, 100], 1).tolist()
    [3, 7, 2, 4]
    """
    numerators, denominators = _operands(num, den, where)
    _require_products_fit(numerators, 10**decimals, "numerator")
    quotient, remainder = np.divmod(numerators * np.int64(10**decimals), denominators)
    # Compare the remainder with its complement; doubling it could overflow.
    complement = denominators - remainder
    up = (remainder > complement) | ((remainder == complement) & (quotient & 1 == 1))
    rounded: IntArray = quotient + up
    return rounded


def round_half_even_wide(
    num: npt.NDArray[np.generic], den: npt.NDArray[np.generic], decimals: int, where: BoolArray
) -> IntArray:
    """Round ``num / den`` half-even like `round_half_even`, with Python integers of any size.

    Use it for products that do not fit 64 bits, in object arrays; `round_half_even` is many times
    faster.

    Examples
    --------
    >>> wide = np.array([10**30, 15 * 10**29, 25 * 10**29], object)
    >>> round_half_even_wide(wide, np.array([10**30] * 3), 0, np.array([True] * 3)).tolist()
    [1, 2, 2]
    """
    numerators = np.where(where, num, 0).astype(np.object_) * 10**decimals
    denominators = np.where(where, den, 1).astype(np.object_)
    quotient, remainder = numerators // denominators, numerators % denominators
    up = (2 * remainder > denominators) | ((2 * remainder == denominators) & (quotient % 2 == 1))
    rounded: IntArray = (quotient + up).astype(np.int64)
    return rounded


def round_ratio(
    num: npt.ArrayLike, den: npt.ArrayLike, decimals: int, where: BoolArray | None = None
) -> FloatArray:
    """Round ``num / den`` half-even, as the double nearest to the rounded decimal.

    Parameters and exceptions are those of `round_half_even`.

    Examples
    --------
    >>> round_ratio([110, 0, 1], [234, 7, 0], 4, where=np.array([True, True, False])).tolist()
    [0.4701, 0.0, 0.0]
    """
    return decimal_to_float(round_half_even(num, den, decimals, where), decimals)


def round_sqrt_ratio(
    num: npt.ArrayLike, den: npt.ArrayLike, decimals: int, where: BoolArray | None = None
) -> FloatArray:
    """Round the square root of ``num / den`` half-even, as the nearest double.

    Parameters and exceptions are those of `round_half_even`; numerators must not be negative.

    Examples
    --------
    >>> round_sqrt_ratio([2, 9, 1], [1, 1, 400], 1).tolist()
    [1.4, 3.0, 0.0]
    """
    numerators, denominators = _operands(num, den, where)
    if numerators.size == 0:
        return np.zeros(numerators.shape)
    if int(numerators.min()) < 0:
        raise ValueError(f"no square root of the negative numerator {int(numerators.min())}")
    scale = 10 ** (2 * decimals)
    largest_root = int(numerators.max()) ** 0.5 * 10**decimals + 1
    if 4 * int(numerators.max()) * scale + 8 * int(denominators.max()) * largest_root > _INT64_MAX:
        raise OverflowError(
            f"the numerator {int(numerators.max())} is too large for an exact root "
            f"at {decimals} decimals"
        )
    squared = numerators * np.int64(scale)
    whole = squared // denominators
    root = np.sqrt(whole.astype(np.float64)).astype(np.int64)
    # Near a whole number, the floor of the float may be off by one. The exact comparison below
    # rounds both floors to the same number. It compares sqrt(squared / den) with the midpoint
    # root + 1/2, both squared and multiplied by 4 * den.
    midpoint = denominators * (2 * root + 1) ** 2
    up = (4 * squared > midpoint) | ((4 * squared == midpoint) & (root & 1 == 1))
    return decimal_to_float(root + up, decimals)


def decimal_to_float(scaled: IntArray, decimals: int) -> FloatArray:
    """Return the doubles nearest to the decimals ``scaled * 10**-decimals``.

    Both operands of the division are exact doubles, so IEEE 754 guarantees the nearest double. Its
    shortest repr is the decimal itself.

    Raises
    ------
    OverflowError
        If a value has more digits than a double keeps.
    """
    if decimals > _DOUBLE_EXACT_DECIMALS:
        raise ValueError(f"{decimals} decimals, at most {_DOUBLE_EXACT_DECIMALS} are exact")
    if scaled.size and max(int(scaled.max()), -int(scaled.min())) > _DOUBLE_EXACT:
        raise OverflowError(
            f"{max(int(scaled.max()), -int(scaled.min()))} units of 1e-{decimals} "
            "are more digits than a double keeps"
        )
    decimal: FloatArray = scaled / np.float64(10**decimals)
    return decimal


def _operands(
    num: npt.ArrayLike, den: npt.ArrayLike, where: BoolArray | None
) -> tuple[IntArray, IntArray]:
    numerators = np.asarray(num, dtype=np.int64)
    denominators = np.asarray(den, dtype=np.int64)
    if where is not None:
        numerators = np.where(where, numerators, 0)
        denominators = np.where(where, denominators, 1)
    if denominators.size and int(denominators.min()) <= 0:
        raise ValueError(f"the denominator {int(denominators.min())} is not positive")
    return numerators, denominators


def _require_products_fit(values: IntArray, factor: int, what: str) -> None:
    if values.size == 0:
        return
    largest = max(int(values.max()), -int(values.min()))
    if largest * factor > _INT64_MAX:
        raise OverflowError(f"the {what} {largest} times {factor} does not fit 64 bits")
