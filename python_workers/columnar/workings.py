"""Lets a caller see the intermediate values of a computation, which the result does not hold.

`note` costs a lookup when nobody listens. A function notes arrays under the names that the formulas
of its output columns use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from python_workers.columnar.rounding import BoolArray, IntArray


@dataclass(frozen=True)
class Quotients:
    """Exact quotients that a function never rounds: numerators, positive divisors, where known."""

    num: IntArray
    den: IntArray
    where: BoolArray


_NOTED: ContextVar[dict[str, Any] | None] = ContextVar("workings", default=None)


def note(**values: Any) -> None:  # noqa: ANN401 -- arrays of numpy or Arrow, or `Integers`
    """Note some intermediate values, if somebody listens."""
    noted = _NOTED.get()
    if noted is not None:
        noted.update(values)


@contextmanager
def noted() -> Iterator[dict[str, Any]]:
    """Collect the intermediate values that a block notes, by name.

    Examples
    --------
    >>> with noted() as values:
    ...     note(makes=3, attempts=7)
    >>> values
    {'makes': 3, 'attempts': 7}
    """
    values: dict[str, Any] = {}
    token = _NOTED.set(values)
    try:
        yield values
    finally:
        _NOTED.reset(token)
