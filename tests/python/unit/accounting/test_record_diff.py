"""What a comparison of stored and new records finds."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from python_workers.accounting.record_diff import count_by_date, diff_records
from tests.python.support.factories import (
    DAY,
)

records = st.dictionaries(st.tuples(st.integers(0, 2), st.integers(0, 5)), st.integers(0, 2))


def records_table(found: dict[tuple[int, int], int]) -> pa.Table:
    days = pa.array([DAY + dt.timedelta(days=day) for day, _ in found], pa.date32())
    players = pa.array([player for _, player in found], pa.int64())
    values = pa.array([value or None for value in found.values()], pa.int64())
    return pa.table({"analysis_date": days, "player_id": players, "value": values})


@given(records, records)
def test_a_comparison_says_what_happens_to_each_row(
    old: dict[tuple[int, int], int], new: dict[tuple[int, int], int]
) -> None:
    diff = diff_records(
        records_table(old), records_table(new), ("analysis_date", "player_id"), ["value"]
    )
    old_keys, new_keys = list(old), list(new)
    both = old.keys() & new.keys()

    def keys(positions: Any, of: list[tuple[int, int]]) -> list[tuple[int, int]]:
        return [of[position] for position in positions]

    assert set(keys(diff.inserted, new_keys)) == new.keys() - old.keys()
    assert set(keys(diff.deleted, old_keys)) == old.keys() - new.keys()
    assert set(keys(diff.updated, new_keys)) == {key for key in both if old[key] != new[key]}
    assert set(keys(diff.unchanged, new_keys)) == {key for key in both if old[key] == new[key]}
    assert keys(diff.replaced, old_keys) == keys(diff.updated, new_keys)
    days = records_table(new).column("analysis_date")
    assert sum(count_by_date(days, diff.inserted).values()) == len(diff.inserted)
