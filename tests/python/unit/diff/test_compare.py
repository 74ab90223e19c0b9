from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from python_workers import table_names
from python_workers.diff import compare as module
from python_workers.diff.compare import Range, compare
from python_workers.diff.findings import Example, TableDiff
from python_workers.processors.shot_zones import SHOT_ZONES
from python_workers.processors.team_defense import TEAM_DEFENSE
from python_workers.warehouse.base import Column, TableChange, TableSpec
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse

DAY = dt.date(2022, 1, 15)
NEXT_DAY = DAY + dt.timedelta(days=1)

COLUMNS = (
    Column("analysis_date", "date"),
    Column("player_id", "int64"),
    Column("player_lookup", "string"),
    Column("paint_rate_last_10", "float64"),
    Column("total_shots_last_10", "int64"),
    Column("primary_scoring_zone", "string"),
    Column("run_id", "string"),
)
FAILURE_COLUMNS = (
    Column("processor_name", "string"),
    Column("analysis_date", "date"),
    Column("entity_id", "string"),
    Column("failure_reason", "string"),
)


def row(player: int, day: dt.date = DAY, **changed: Any) -> dict[str, Any]:
    return {
        "analysis_date": day,
        "player_id": player,
        "player_lookup": f"player{player}",
        "paint_rate_last_10": 40.0,
        "total_shots_last_10": 100,
        "primary_scoring_zone": "paint",
        "run_id": "one",
        **changed,
    }


def failure(entity: str, reason: str, name: str = SHOT_ZONES.name) -> dict[str, Any]:
    return {
        "processor_name": name,
        "analysis_date": DAY,
        "entity_id": entity,
        "failure_reason": reason,
    }


def fill(
    warehouse: DuckDBWarehouse,
    table: str,
    columns: Sequence[Column],
    rows: Sequence[dict[str, Any]],
) -> None:
    spec = TableSpec(table, tuple(columns), key=("analysis_date",))
    warehouse.ensure_tables([spec])
    if rows:
        warehouse.commit([TableChange(table, ("analysis_date",), pa.Table.from_pylist(list(rows)))])


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[DuckDBWarehouse, DuckDBWarehouse]]:
    with (
        DuckDBWarehouse(tmp_path / "here.duckdb") as here,
        DuckDBWarehouse(tmp_path / "there.duckdb") as there,
    ):
        yield here, there


Sides = tuple[DuckDBWarehouse, DuckDBWarehouse]


def rows_differ(
    sides: Sides, here: Sequence[dict[str, Any]], there: Sequence[dict[str, Any]], **options: Any
) -> TableDiff:
    for side, rows in zip(sides, (here, there), strict=True):
        fill(side, SHOT_ZONES.table, COLUMNS, rows)
    (found,) = compare(*sides, [SHOT_ZONES], **options)
    return found


def test_differences_are_counted_by_kind_date_and_column(
    sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK_DATES", 1)
    found = rows_differ(
        sides,
        [row(1), row(2), row(3, paint_rate_last_10=None), row(4), row(5, NEXT_DAY)],
        [
            row(1, run_id="another"),
            row(2, paint_rate_last_10=43.5, primary_scoring_zone=None),
            row(3, paint_rate_last_10=39.0),
            row(5, NEXT_DAY, paint_rate_last_10=39.5, total_shots_last_10=90),
            row(6, NEXT_DAY),
        ],
    )
    assert {day: dict(+counts) for day, counts in found.dates.items()} == {
        DAY: {"same": 1, "changed": 2, "only_here": 1},
        NEXT_DAY: {"changed": 1, "only_there": 1},
    }
    assert found.differing_dates == [DAY, NEXT_DAY]
    rate = found.columns["paint_rate_last_10"]
    assert (rate.rows, rate.numbers, rate.largest, rate.mean) == (3, 2, 3.5, 2.0)
    assert rate.examples == [
        Example(DAY, "player2", 40.0, 43.5),
        Example(DAY, "player3", None, 39.0),
        Example(NEXT_DAY, "player5", 40.0, 39.5),
    ]
    assert found.columns["total_shots_last_10"].largest == 10
    zone = found.columns["primary_scoring_zone"]
    assert (zone.rows, zone.mean) == (1, None)
    assert set(found.columns) == {
        "paint_rate_last_10",
        "total_shots_last_10",
        "primary_scoring_zone",
    }
    assert found.examples_only_here == [Example(DAY, "player4")]
    assert found.examples_only_there == [Example(NEXT_DAY, "player6")]


@pytest.mark.parametrize("times", [1, 2])
def test_rows_that_one_side_repeats_are_only_on_that_side(sides: Sides, times: int) -> None:
    once = [row(1), row(2), row(3, NEXT_DAY)]
    repeated = [*once, *[row(2)] * times, row(3, NEXT_DAY, total_shots_last_10=101)]
    counts = {DAY: {"same": 2, "only_there": times}, NEXT_DAY: {"same": 1, "only_there": 1}}
    found = rows_differ(sides, once, repeated)
    assert {day: dict(+each) for day, each in found.dates.items()} == counts
    assert found.examples_only_there[-1] == Example(NEXT_DAY, "player3")
    (swapped,) = compare(sides[1], sides[0], [SHOT_ZONES])
    assert [dict(+each) for each in swapped.dates.values()] == [
        {"same": 2, "only_here": times},
        {"same": 1, "only_here": 1},
    ]


def test_the_size_of_a_difference_needs_two_numbers(sides: Sides) -> None:
    found = rows_differ(
        sides,
        [row(1), row(2)],
        [row(1, paint_rate_last_10=float("nan")), row(2, paint_rate_last_10=41.0)],
    )
    rate = found.columns["paint_rate_last_10"]
    assert (rate.rows, rate.numbers, rate.largest, rate.mean) == (2, 1, 1.0, 1.0)


def test_two_warehouses_that_differ_only_in_their_runs_are_the_same(sides: Sides) -> None:
    found = rows_differ(sides, [row(1), row(2)], [row(2, run_id="another"), row(1)])
    assert not found.differs
    assert found.count("same") == 2


def test_only_dates_of_the_range_are_compared(sides: Sides) -> None:
    rows = [row(1), row(1, NEXT_DAY)]
    found = rows_differ(sides, rows, [], within=Range(DAY, NEXT_DAY, ((NEXT_DAY, NEXT_DAY),)))
    assert found.differing_dates == [NEXT_DAY]
    assert not compare(*sides, [SHOT_ZONES], Range(NEXT_DAY + dt.timedelta(days=1)))[0].differs


def test_a_column_that_one_side_lacks_is_a_difference(sides: Sides) -> None:
    here, there = sides
    fill(here, SHOT_ZONES.table, COLUMNS, [row(1)])
    fill(there, SHOT_ZONES.table, [*COLUMNS, Column("fouls", "int64")], [row(1)])
    (found,) = compare(here, there, [SHOT_ZONES])
    assert (found.count("same"), found.columns_only_there, found.differs) == (1, ("fouls",), True)


def test_rows_of_a_table_that_one_side_lacks_are_all_on_the_other(sides: Sides) -> None:
    here, there = sides
    fill(there, SHOT_ZONES.table, COLUMNS, [row(1), row(2)])
    (found,) = compare(here, there, [SHOT_ZONES])
    assert (found.count("only_there"), found.count("only_here"), found.differs) == (2, 0, True)
    assert not compare(here, there, [TEAM_DEFENSE])


def test_failures_of_the_chosen_processors_are_compared(sides: Sides) -> None:
    here, there = sides
    fill(
        here,
        table_names.PRECOMPUTE_FAILURES,
        FAILURE_COLUMNS,
        [failure("one", "9 games"), failure("LAL", "4 games", TEAM_DEFENSE.name)],
    )
    fill(there, table_names.PRECOMPUTE_FAILURES, FAILURE_COLUMNS, [failure("one", "8 games")])
    (found,) = compare(here, there, [SHOT_ZONES])
    assert (found.name, found.count("changed"), found.count("only_here")) == ("failures", 1, 0)
    assert found.columns["failure_reason"].examples == [
        Example(DAY, f"{SHOT_ZONES.name} one", "9 games", "8 games")
    ]
