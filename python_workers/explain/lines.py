"""The lines of an explanation: a column or an intermediate value, with its formula and numbers."""

from __future__ import annotations

from dataclasses import dataclass

from python_workers.explain.formulas import exact


@dataclass(frozen=True)
class Line:
    """A value of a row, or a value on the way to it.

    Parameters
    ----------
    name
        The column, or the intermediate value.
    value
        The value as it is computed now.
    formula, filled
        The formula, and the same with numbers; None if the value comes as it is from an input.
    is_column
        Whether it is a column of the row.
    stored
        The stored value of a column.
    problem
        What is wrong; empty if nothing is.
    """

    name: str
    value: object
    formula: str | None = None
    filled: str | None = None
    is_column: bool = False
    stored: object = None
    problem: str = ""


def are_equal(one: object, other: object) -> bool:
    """Tell whether two values are the same, numbers by their exact decimals."""
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    return bool(exact(one) == exact(other))


def stored_problem(value: object, stored: object) -> str:
    """Describe how the stored value of a column differs; empty if it does not."""
    return "" if are_equal(value, stored) else f"stored is {stored!r}"
