"""Compares recomputed rows with stored rows, key by key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class RecordDiff:
    """Positions of rows by outcome.

    Parameters
    ----------
    inserted, updated, unchanged
        Positions in the new rows.
    replaced
        Positions in the stored rows that `updated` replaces, in the same order: of a stored key
        that stands twice, the first one.
    deleted
        Positions in the stored rows that have no new row.
    """

    inserted: np.ndarray
    updated: np.ndarray
    unchanged: np.ndarray
    replaced: np.ndarray
    deleted: np.ndarray


def diff_records(
    stored: pa.Table,
    new: pa.Table,
    key: Sequence[str],
    compared: Sequence[str],
    is_valid: pa.Array | None = None,
) -> RecordDiff:
    """Compare new rows with the stored rows of the same dates.

    A row whose key is stored more than once counts as updated, so that its key is written again;
    so does one whose stored row is not valid.

    Parameters
    ----------
    stored, new
        Tables with the columns of `key` and `compared`; keys are unique in `new`.
    key
        Columns that identify a row.
    compared
        Columns that decide whether a row has changed.
    is_valid
        For each stored row whether it may stay if it is equal; None if all may.
    """
    nothing = np.zeros(0, dtype=np.int64)
    if stored.num_rows == 0:
        return RecordDiff(np.arange(new.num_rows), nothing, nothing, nothing, nothing)
    keys = list(key)
    left = new.select(keys).append_column("new_row", pa.array(np.arange(new.num_rows)))
    right = stored.select(keys).append_column("old_row", pa.array(np.arange(stored.num_rows)))
    pairs = left.join(right, keys, join_type="full outer")
    new_row, old_row = pairs.column("new_row"), pairs.column("old_row")
    both = pc.and_(new_row.is_valid(), old_row.is_valid())
    in_both = np.flatnonzero(both.to_numpy())
    ours = new_row.take(pa.array(in_both)).to_numpy().astype(np.int64)
    theirs = old_row.take(pa.array(in_both)).to_numpy().astype(np.int64)
    order = np.lexsort((theirs, ours))
    ours, first, times = np.unique(ours[order], return_index=True, return_counts=True)
    theirs = theirs[order][first]
    changed = times > 1
    if is_valid is not None:
        changed |= ~is_valid.to_numpy(zero_copy_only=False)[theirs]
    for name in compared:
        changed |= differing(
            new.column(name).take(pa.array(ours)), stored.column(name).take(pa.array(theirs))
        )
    return RecordDiff(
        inserted=_positions(new_row, old_row),
        updated=ours[changed],
        unchanged=ours[~changed],
        replaced=theirs[changed],
        deleted=_positions(old_row, new_row),
    )


def count_by_date(dates: pa.ChunkedArray, at: np.ndarray) -> Counter[date]:
    """Count the rows at the given positions by their date."""
    counted = pc.value_counts(dates.take(pa.array(at)))
    return Counter({item["values"].as_py(): item["counts"].as_py() for item in counted})


def _positions(of: pa.ChunkedArray, without: pa.ChunkedArray) -> np.ndarray:
    alone = pc.and_(of.is_valid(), without.is_null())
    return np.sort(of.filter(alone).to_numpy().astype(np.int64))


def differing(ours: pa.ChunkedArray, theirs: pa.ChunkedArray) -> np.ndarray:
    """Return for each row of two columns whether its values differ; two NULLs do not."""
    same = pc.fill_null(pc.equal(ours, theirs.cast(ours.type)), False)  # noqa: FBT003 Arrow's own signature
    both_null = pc.and_(ours.is_null(), theirs.is_null())
    differs: np.ndarray = ~pc.or_(same, both_null).to_numpy()
    return differs
