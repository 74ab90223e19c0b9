from __future__ import annotations

import datetime as dt
import hashlib
import pickle
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_workers.columnar.columns import InputTableError
from python_workers.columnar.record_hash import SharedValues, data_hashes
from python_workers.columnar.value_texts import encode, hash_text
from python_workers.hashing import HASH_FIELDS, data_hash
from python_workers.processors import composite_factors, daily_cache, shot_zones
from tests.python.support.factories import (
    box_score,
    daily_cache_tables,
    matchup,
    regular,
    shooter,
    zone_game,
)
from tests.python.support.factories import composite_tables as pcf_tables
from tests.python.support.factories import shot_zone_tables as psza_tables

VALUES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "x": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "x_1": (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "x_10": (
        pa.float64(),
        st.sampled_from([0.0, -0.0, 45.2, 1e-9, 1e22, 1e16, 5e-324, 0.1 + 0.2])
        | st.floats(1e-5, 1e11)
        | st.integers(-(10**11), 10**11).map(lambda number: number / 10**4)
        | st.floats(allow_nan=False, allow_infinity=False),
    ),
    "x_2": (pa.string(), st.text() | st.sampled_from([" a ", "\x1fb\x85", "|", "c:d", "NULL"])),
    "name": (pa.large_string(), st.text(alphabet="Dončić' ;\u3000\t", max_size=5)),
    "name_x": (pa.bool_(), st.booleans()),
    "is_flag": (pa.date32(), st.dates()),
    "at": (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(dt.UTC))),
    "several": (pa.list_(pa.int64()), st.lists(st.integers(0, 9), max_size=3)),
    "none": (pa.null(), st.none()),
}
records = st.lists(
    st.fixed_dictionaries({name: st.none() | values for name, (_, values) in VALUES.items()}),
    max_size=8,
)
SCHEMA = pa.schema([(name, kind) for name, (kind, _) in VALUES.items()])


@given(records, st.permutations(list(VALUES)), st.integers(1, len(VALUES)))
def test_the_hashes_of_a_table_are_those_of_its_records(
    rows: list[dict[str, Any]], names: list[str], count: int
) -> None:
    table = pa.Table.from_pylist(rows, SCHEMA)
    stored = table.to_pylist()
    expected = [data_hash(row, names[:count]) for row in stored]
    assert data_hashes(table, names[:count]).to_pylist() == expected


@given(
    st.lists(
        st.floats(1e-5, 1e11)
        | st.floats(-1e11, -1e-5)
        | st.integers(-(10**14), 10**14).map(lambda number: number / 10**4)
        | st.integers(-(10**12), 10**12).map(lambda number: number / 10**9)
        | st.floats(),
        min_size=20,
    )
)
def test_a_float_is_written_as_python_writes_it(numbers: list[float]) -> None:
    texts = encode(pa.array(numbers)).texts(hash_text).distinct
    assert set(texts.to_pylist()) == {repr(number) for number in numbers}


@given(records, st.data())
def test_how_a_table_is_stored_does_not_change_its_hashes(
    rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    table = pa.Table.from_pylist(rows, SCHEMA)
    expected = data_hashes(table, list(VALUES))
    cut = data.draw(st.integers(0, len(rows)))
    pieces = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    for name in ("x", "x_2", "is_flag"):
        encoded = pa.chunked_array(
            [piece.dictionary_encode() for piece in pieces.column(name).chunks],
            pa.dictionary(pa.int32(), pieces.schema.field(name).type),
        )
        pieces = pieces.set_column(pieces.column_names.index(name), name, encoded)
    assert data_hashes(pieces, list(VALUES)).equals(expected)


def test_a_dictionary_may_hold_null_itself() -> None:
    for values in ([None, 1], [None, "a"]):
        column = pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array(values))
        hashes = data_hashes(pa.table({"x": column}), ["x"])
        assert hashes.to_pylist() == [data_hash({"x": x}, ["x"]) for x in (*values, None)]


names = st.text(alphabet="abz_019", min_size=1, max_size=6)


@given(st.dictionaries(names, st.text(alphabet="!0:z|~ \u00e9", max_size=4), min_size=1))
def test_fields_sorted_once_by_name_are_sorted_by_whole_text(record: dict[str, str]) -> None:
    by_name = [f"{name}:{record[name]}" for name in sorted(record, key=lambda name: f"{name}:")]
    assert by_name == sorted(f"{name}:{text}" for name, text in record.items())


def test_the_whole_text_is_sorted_so_that_x_10_comes_before_x_1() -> None:
    expected = hashlib.sha256(b"x_10:1|x_1:2").hexdigest()[:16]
    assert data_hash({"x_1": 2, "x_10": 1}, ["x_1", "x_10"]) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NULL"),
        ("  Luka Dončić\n", "Luka Dončić"),
        (7, "7"),
        (2**70, str(2**70)),
        (45.2, "45.2"),
        (0.0, "0.0"),
        (1e-9, "1e-09"),
        (1e22, "1e+22"),
        (True, "True"),
        (False, "False"),
        (dt.date(2022, 1, 15), "2022-01-15"),
        (dt.datetime(2022, 1, 15, 12, tzinfo=dt.UTC), "2022-01-15T12:00:00+00:00"),
        ([1, "a", None], "[1, 'a', None]"),
        (np.int64(7), "7"),
        (np.float64(45.2), "45.2"),
        (np.bool_(True), "True"),
        (np.datetime64("2022-01-15"), "2022-01-15"),
        (np.str_(" a "), "a"),
    ],
)
def test_each_kind_of_value_has_one_text(value: object, text: str) -> None:
    assert hash_text(value) == text


def test_a_value_without_a_text_is_refused() -> None:
    with pytest.raises(TypeError, match="has no text in a record hash"):
        data_hash({"a": {1: 2}}, ["a"])


def test_a_missing_field_is_not_null() -> None:
    with pytest.raises(KeyError, match="lacks the hash field"):
        data_hash({"a": 1}, ["a", "b"])
    with pytest.raises(InputTableError, match=r"lacks the hash field\(s\) b"):
        data_hashes(pa.table({"a": [1]}), ["a", "b"])


def test_fields_that_are_not_named_do_not_matter() -> None:
    assert data_hash({"a": 1, "note": "x"}, ["a"]) == data_hash({"a": 1, "note": "y"}, ["a"])


def test_the_reference_can_be_sent_to_a_worker() -> None:
    sent = pickle.dumps(data_hash)
    assert pickle.loads(sent) is data_hash  # noqa: S301 -- pickled on the line above


def test_a_table_longer_than_a_block_is_hashed_row_by_row() -> None:
    numbers = list(range(20_000))
    hashes = data_hashes(pa.table({"n": numbers, "c": ["same"] * len(numbers)}), ["n", "c"])
    assert hashes.to_pylist() == [data_hash({"n": n, "c": "same"}, ["c", "n"]) for n in numbers]


def test_a_table_without_rows_has_no_hashes() -> None:
    assert data_hashes(SCHEMA.empty_table(), list(VALUES)).to_pylist() == []


def test_bookkeeping_and_text_for_people_stay_out_of_every_hash() -> None:
    kept_out = (
        *("data_hash", "calculation_version", "cache_version", "run_id", "created_at"),
        *("processed_at", "population_source", "missing_data_fields", "warning_details"),
        *("has_warnings", "all_windows_complete", "shot_zone_data_available"),
        *("is_bootstrap", "is_season_boundary", "data_completeness_pct"),
        "cache_quality_score",
    )
    for fields in HASH_FIELDS.values():
        assert not set(fields) & set(kept_out)
        assert not [
            field
            for field in fields
            if field.endswith(("_json", "_completeness_pct", "_is_complete", "_ready"))
        ]
        assert len(set(fields)) == len(fields)


def test_the_stored_hash_recomputes_from_the_stored_row() -> None:
    results = {
        "psza": shot_zones.compute(psza_tables([shooter([zone_game()] * 25)]), {}),
        "pdc": daily_cache.compute(daily_cache_tables([regular([box_score()] * 25)]), {}),
        "pcf": composite_factors.compute(pcf_tables([matchup(), matchup(2, days_rest=None)]), {}),
    }
    for processor, result in results.items():
        for row in result.rows.to_pylist():
            assert row["data_hash"] == data_hash(row, HASH_FIELDS[processor])


@given(st.lists(st.integers(0, 3), max_size=30), st.data())
def test_values_that_rows_share_give_the_hashes_of_whole_rows(
    of_row: list[int], data: st.DataObject
) -> None:
    rows = len(of_row)
    own = pa.table(
        {
            "a": pa.array([data.draw(st.integers(0, 2)) for _ in of_row], pa.int64()),
            # Columns that differ in some groups, and one that is always the same.
            "c": pa.array([None if group == 1 else str(group) for group in of_row], pa.string()),
            "e": pa.array([0.5] * rows, pa.float64()),
        }
    )
    groups = {
        "b": pa.array([1.5, None, 2.0, -0.0]),
        "d": pa.array(["x", "y", None, " x "]),
        "f": pa.array([1, 1, None, 7], pa.int64()),
    }
    spread = {name: values.take(pa.array(of_row, pa.int64())) for name, values in groups.items()}
    whole = pa.table({**{name: own.column(name) for name in own.column_names}, **spread})
    shared = SharedValues(groups, np.array(of_row, np.int64))
    fields = list("abcdef")
    assert data_hashes(own, fields, shared).equals(data_hashes(whole, fields))
    assert data_hashes(own, fields, shared).to_pylist() == [
        data_hash(row, fields) for row in whole.to_pylist()
    ]
