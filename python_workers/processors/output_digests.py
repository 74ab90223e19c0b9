"""Digests of what a processor's dates hold: row hashes and failures."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_DIGITS = 16

NOTHING_DIGEST = hashlib.sha256().hexdigest()[:_DIGITS]
"""The digest of a date without rows and failures."""


def output_digests(
    days: Sequence[date], dates: pa.ChunkedArray, hashes: pa.ChunkedArray, failures: pa.Table
) -> dict[date, str]:
    """Return a digest per date of the sorted row hashes and the sorted failures.

    Parameters
    ----------
    days
        The dates, those without rows and failures among them.
    dates, hashes
        Date and hash of each row.
    failures
        Failure rows of the dates.
    """
    digests = {day: hashlib.sha256() for day in days}
    lines = pc.binary_join_element_wise(
        *(failures.column(name) for name in ("entity_id", "failure_category", "failure_reason")),
        ":",
    )
    for part_dates, texts in ((dates, hashes), (failures.column("analysis_date"), lines)):
        for day, of_day in _texts_by_date(part_dates, texts):
            digests[day].update("\n".join(["", *sorted(of_day)]).encode())
    return {day: digest.hexdigest()[:_DIGITS] for day, digest in digests.items()}


def _texts_by_date(
    dates: pa.ChunkedArray, texts: pa.ChunkedArray
) -> Iterator[tuple[date, list[str]]]:
    """Group texts by date, in ascending order of dates."""
    order = pc.sort_indices(dates)
    numbers = dates.cast(pa.int32()).take(order).to_numpy()
    # A damaged row has no key, and so no text.
    ordered: list[str] = pc.fill_null(texts.take(order), "").to_pylist()
    bounds = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(ordered)]
    for first, last in itertools.pairwise(bounds):
        if first < last:
            yield pa.scalar(int(numbers[first]), pa.date32()).as_py(), ordered[first:last]
