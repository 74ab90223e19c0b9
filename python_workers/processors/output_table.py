"""Builds output rows: orders a processor's columns, checks their ranges, and hashes the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from python_workers.columnar.columns import decoded, one_array
from python_workers.columnar.record_hash import SharedValues, data_hashes
from python_workers.columnar.rounding import BoolArray, IntArray
from python_workers.processors.failures import PROCESSING_ERROR, Failed, Rejections


@dataclass(frozen=True)
class Column:
    """One column of a processor's rows.

    Parameters
    ----------
    name, type
        The stored name and type.
    low, high
        Least and greatest value; None if the column has no range.
    is_hashed
        Whether the column enters ``data_hash``. Identifying and business columns do; explanatory
        text, timestamps, run ids, source tracking and completeness bookkeeping do not.
    formula
        How the value follows from inputs, upstream rows, other columns and intermediate values that
        the function notes (`columnar.workings`), in the language of `explain.formulas`. None if
        the value is an input itself or an explanatory text.
    """

    name: str
    type: pa.DataType
    low: float | None = None
    high: float | None = None
    is_hashed: bool = True
    formula: str | None = None


def date_column(name: str, *, formula: str | None = None) -> Column:
    """Declare a date."""
    return Column(name, pa.date32(), formula=formula)


def text(name: str, *, is_hashed: bool = True, formula: str | None = None) -> Column:
    """Declare a text."""
    return Column(name, pa.string(), is_hashed=is_hashed, formula=formula)


def whole(
    name: str,
    low: float | None = None,
    high: float | None = None,
    *,
    is_hashed: bool = True,
    formula: str | None = None,
) -> Column:
    """Declare a whole number."""
    return Column(name, pa.int64(), low, high, is_hashed, formula)


def decimal(
    name: str,
    low: float | None = None,
    high: float | None = None,
    *,
    is_hashed: bool = True,
    formula: str | None = None,
) -> Column:
    """Declare a number with a fixed count of decimals, stored as the nearest double."""
    return Column(name, pa.float64(), low, high, is_hashed, formula)


def flag(name: str, *, is_hashed: bool = True, formula: str | None = None) -> Column:
    """Declare a truth value."""
    return Column(name, pa.bool_(), is_hashed=is_hashed, formula=formula)


@dataclass(frozen=True)
class ByWindow:
    """Computed columns that players and dates share who have the same window of games.

    Parameters
    ----------
    columns
        One value per window.
    of_row
        The window of each computed player and date.
    """

    columns: Mapping[str, pa.Array]
    of_row: IntArray


@dataclass(frozen=True)
class OutputTable:
    """The layout of a processor's rows.

    Parameters
    ----------
    calculation_version
        The version that is written to every row.
    columns
        The columns of a row except the last two, ``calculation_version`` and ``data_hash``.
    steps
        Formulas of intermediate values that the function notes, by name, each after those that it
        uses.
    """

    calculation_version: str
    columns: tuple[Column, ...]
    steps: Mapping[str, str] = field(default_factory=dict)

    @property
    def schema(self) -> pa.Schema:
        """The columns of a row except the last one, ``data_hash``."""
        fields = [(column.name, column.type) for column in self.columns]
        return pa.schema([*fields, ("calculation_version", pa.string())])

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Least and greatest value of each column that has a range."""
        return {
            column.name: (column.low, column.high)
            for column in self.columns
            if column.low is not None and column.high is not None
        }

    @property
    def hash_fields(self) -> tuple[str, ...]:
        """The columns that enter ``data_hash``."""
        return tuple(column.name for column in self.columns if column.is_hashed)

    def rows(
        self,
        players: pa.Table,
        computed: BoolArray,
        columns: Mapping[str, pa.Array],
        by_window: ByWindow | None = None,
    ) -> tuple[pa.Table, Failed]:
        """Make the output rows of a chunk.

        Parameters
        ----------
        players
            The player-level input; rows take from it the columns that are not computed.
        computed
            Mask of the players who have a row.
        columns
            The computed columns, one value per computed player.
        by_window
            Computed columns with one value per window.

        Returns
        -------
        tuple
            The rows with ``data_hash``, and the players who fail because a value is out of range.
        """
        at = np.flatnonzero(computed)
        windows = by_window or ByWindow({}, np.zeros(len(at), np.int64))
        of_row = windows.of_row
        shared = self._typed(windows.columns)
        filled = {"calculation_version": pa.repeat(self.calculation_version, len(at)), **columns}
        for name in self.schema.names:
            if name not in filled and name not in shared:
                array = one_array(players, name)
                filled[name] = decoded(
                    array if len(at) == len(array) else array.filter(pa.array(computed))
                )
        own = self._typed(filled)
        rejected = Rejections(len(at))
        for name, (low, high) in self.ranges.items():
            if name in own:
                _require_range(rejected, name, own[name], low, high)
            else:
                _require_range(rejected, name, shared[name], low, high, of_row)
        if rejected.mask.any():
            kept = pa.array(~rejected.mask)
            own = {name: array.filter(kept) for name, array in own.items()}
            of_row = of_row[~rejected.mask]
        hashes = data_hashes(
            pa.table(own), self.hash_fields, SharedValues(shared, of_row) if shared else None
        )
        spread = pa.array(of_row)
        table = pa.table(
            {
                name: own[name] if name in own else shared[name].take(spread)
                for name in self.schema.names
            }
        )
        wrong = np.flatnonzero(rejected.mask)
        failed = Failed(at[wrong], PROCESSING_ERROR, rejected.reasons(wrong))
        return table.append_column("data_hash", hashes), failed

    def _typed(self, columns: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
        return {
            field.name: columns[field.name].cast(field.type)
            for field in self.schema
            if field.name in columns
        }


def _require_range(
    rejected: Rejections,
    name: str,
    column: pa.Array,
    low: float,
    high: float,
    of_row: IntArray | None = None,
) -> None:
    """Reject rows with a value out of range; `of_row` gives each row's position in `column`."""
    # Negate the test, so that NaN counts as out of range.
    within = pc.and_(pc.greater_equal(column, low), pc.less_equal(column, high))
    beyond = pc.invert(within.fill_null(True)).to_numpy(zero_copy_only=False)  # noqa: FBT003 -- NULL is in range
    if not beyond.any():
        return
    at = np.flatnonzero(beyond if of_row is None else beyond[of_row])
    value_at = at if of_row is None else of_row[at]
    rejected.reject(
        at, lambda i: f"{name} is {column[int(value_at[i])].as_py()}, outside {low:g} to {high:g}"
    )
