"""What a comparison of two warehouses found, by table, date and column."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Kind = Literal["same", "changed", "only_here", "only_there"]
DIFFERENCES: tuple[Kind, ...] = ("changed", "only_here", "only_there")
KINDS: tuple[Kind, ...] = ("same", *DIFFERENCES)


@dataclass(frozen=True)
class Example:
    """One differing row, and the two values of the differing column if both sides have the row."""

    day: date
    entity: str
    here: object = None
    there: object = None


@dataclass
class ColumnChanges:
    """The changes of one column.

    Parameters
    ----------
    rows
        Rows in which the column differs.
    numbers
        Rows in which both values are numbers.
    largest, total
        Largest absolute difference of these, and the sum of them all.
    examples
        The first rows.
    """

    rows: int = 0
    numbers: int = 0
    largest: float = 0.0
    total: float = 0.0
    examples: list[Example] = field(default_factory=list)

    def add_sizes(self, sizes: npt.NDArray[np.float64]) -> None:
        """Add absolute differences of some rows."""
        if len(sizes):
            self.numbers += len(sizes)
            self.largest = max(self.largest, float(sizes.max()))
            self.total += float(sizes.sum())

    @property
    def mean(self) -> float | None:
        """Mean absolute difference; None if in no row both values are numbers."""
        return self.total / self.numbers if self.numbers else None


@dataclass
class TableDiff:
    """The differences of one table.

    Parameters
    ----------
    name, table
        Short name, and ``schema.table``.
    columns_only_here, columns_only_there
        Columns that one side lacks; the rows are compared without them.
    dates
        Numbers of rows by date and kind.
    columns
        Changes by column.
    examples_only_here, examples_only_there
        Rows that one side lacks.
    """

    name: str
    table: str
    columns_only_here: tuple[str, ...] = ()
    columns_only_there: tuple[str, ...] = ()
    dates: dict[date, Counter[Kind]] = field(default_factory=dict)
    columns: dict[str, ColumnChanges] = field(default_factory=dict)
    examples_only_here: list[Example] = field(default_factory=list)
    examples_only_there: list[Example] = field(default_factory=list)

    def add(self, kind: Kind, days: pa.ChunkedArray) -> None:
        """Count rows of a kind by their dates."""
        for item in pc.value_counts(days):
            self._of(item["values"].as_py())[kind] += item["counts"].as_py()

    def add_same(self, day: date, rows: int) -> None:
        """Count a date whose rows are all the same."""
        self._of(day)["same"] += rows

    def count(self, kind: Kind) -> int:
        """Return the number of rows of a kind."""
        return sum(counts[kind] for counts in self.dates.values())

    @property
    def differing_dates(self) -> list[date]:
        """Dates on which a row differs, ascending."""
        return sorted(day for day, counts in self.dates.items() if set(+counts) - {"same"})

    @property
    def differs(self) -> bool:
        """Whether a row or a column differs."""
        return bool(self.differing_dates or self.columns_only_here or self.columns_only_there)

    def as_json(self) -> dict[str, Any]:
        """Return the differences as plain values."""
        return {
            "name": self.name,
            "table": self.table,
            "differs": self.differs,
            "rows": {kind: self.count(kind) for kind in KINDS},
            "columns_only_here": list(self.columns_only_here),
            "columns_only_there": list(self.columns_only_there),
            "dates": [
                {"date": day, **{kind: self.dates[day][kind] for kind in KINDS}}
                for day in self.differing_dates
            ],
            "columns": [
                {
                    "column": name,
                    "rows": changes.rows,
                    "largest": changes.largest if changes.numbers else None,
                    "mean": changes.mean,
                    "examples": [vars(example) for example in changes.examples],
                }
                for name, changes in self.columns.items()
            ],
            "examples_only_here": [_row(example) for example in self.examples_only_here],
            "examples_only_there": [_row(example) for example in self.examples_only_there],
        }

    def _of(self, day: date) -> Counter[Kind]:
        return self.dates.setdefault(day, Counter())


def _row(example: Example) -> dict[str, Any]:
    return {"day": example.day, "entity": example.entity}
