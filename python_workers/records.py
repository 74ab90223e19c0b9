"""Output rows: a processor's columns put in order, checked against their ranges, and hashed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from python_workers.columns import one_array, plain
from python_workers.failures import PROCESSING_ERROR, Failed, Rejections
from python_workers.hashing import HASH_FIELDS, with_data_hash
from python_workers.rounding import BoolArray


@dataclass(frozen=True)
class OutputTable:
    """What a processor's rows look like.

    Parameters
    ----------
    processor
        Its short name, a key of `HASH_FIELDS`.
    calculation_version
        Written to every row.
    schema
        The columns of a row but the last one, ``data_hash``.
    ranges
        Least and greatest value of a column.
    """

    processor: str
    calculation_version: str
    schema: pa.Schema
    ranges: Mapping[str, tuple[float, float]]

    def rows(
        self, players: pa.Table, computed: BoolArray, columns: Mapping[str, pa.Array]
    ) -> tuple[pa.Table, Failed]:
        """Make the output rows of a chunk.

        Parameters
        ----------
        players
            The player-level input, from which a row takes the columns not in `columns`.
        computed
            Which players have a row.
        columns
            The computed columns, one value per computed player.

        Returns
        -------
        tuple
            The rows with ``data_hash``, and the players whose values are out of range instead.
        """
        at = np.flatnonzero(computed)
        filled = {"calculation_version": pa.repeat(self.calculation_version, len(at)), **columns}
        for name in self.schema.names:
            if name not in filled:
                array = one_array(players, name)
                filled[name] = plain(
                    array if len(at) == len(array) else array.filter(pa.array(computed))
                )
        table = pa.table({field.name: filled[field.name].cast(field.type) for field in self.schema})
        rejected = Rejections(len(at))
        for name, (low, high) in self.ranges.items():
            _require_range(rejected, name, table.column(name), low, high)
        if rejected.mask.any():
            table = table.filter(pa.array(~rejected.mask))
        wrong = np.flatnonzero(rejected.mask)
        failed = Failed(at[wrong], PROCESSING_ERROR, rejected.reasons(wrong))
        return with_data_hash(table, HASH_FIELDS[self.processor]), failed


def _require_range(
    rejected: Rejections, name: str, column: pa.ChunkedArray, low: float, high: float
) -> None:
    # Negated, so that NaN counts as out of range.
    within = pc.and_(pc.greater_equal(column, low), pc.less_equal(column, high))
    beyond = pc.invert(within.fill_null(True))  # noqa: FBT003 -- NULL is in range
    at = np.flatnonzero(beyond.to_numpy())
    rejected.reject(
        at, lambda i: f"{name} is {column[int(at[i])].as_py()}, outside {low:g} to {high:g}"
    )
