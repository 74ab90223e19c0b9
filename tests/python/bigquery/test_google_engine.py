"""Google's own engine computes what DuckDB does: dbt's unit tests, and the macros of both."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import duckdb
import pytest

from tests.python.bigquery.analyzer import compile_project
from tests.python.bigquery.google_engine import (
    Answer,
    Query,
    Row,
    Table,
    evaluate,
    unit_test_queries,
)
from tests.python.bigquery.sql_macros import macros_for
from tests.python.support.slow_reference import sqrt_rounded

pytestmark = pytest.mark.slow

# The prefix of an engine's macros.
ENGINES = {"google": "bigquery", "duckdb": "duckdb"}
DECIMALS = 4
UNITS = 10**DECIMALS

Integer = int | None
# Ties and their neighbours on both sides of zero, denominators of 0, large numbers, and NULL.
RATIOS: list[tuple[Integer, Integer]] = [
    *itertools.product(range(-33, 34), (0, 1, 3, 7, 16, 32, 160_000)),
    *((2 * half + 1, 20_000) for half in (-4, -3, -1, 0, 1, 2, 7_499)),
    *[(2 * 10**11, 3), (-(2 * 10**11), 7), (5, 10**15), (None, 1), (1, None), (None, None)],
]
# Squares of decimals that end in half a unit, and what is just beside them.
ROOTS: list[tuple[Integer, Integer]] = [
    *itertools.product((0, 1, 2, 3, 99, 100, 101, 4_409), (0, 1, 2, 90)),
    *(((2 * half + 1) ** 2 + off, 4 * UNITS**2) for half in (0, 1, 9_205) for off in (-1, 0, 1)),
    *[(None, 1), (1, None)],
]
DECIMALS_STORED = [0.0, 0.29, 47.01, 16.24, 99.99, 100.0, 33.33, None]
BIRTHS = [dt.date(1984, 12, 30), dt.date(2000, 2, 29), dt.date(1996, 7, 1)]
DAYS = [dt.date(2021, 2, 28), dt.date(2021, 12, 30), dt.date(2024, 2, 29), dt.date(2024, 7, 1)]
TEXTS = ["0022100001", "x0022100001", "0022100001\n", "00221", "", None]
PATTERN = "[0-9]{10}"


@dataclass(frozen=True)
class Case:
    """Macros called on the columns a and b, and the rows that they are to return."""

    calls: Sequence[tuple[Any, ...]]
    kind: str
    values: Sequence[Row]
    expected: Sequence[Row]

    def query(self, engine: str) -> Query:
        macros = macros_for(ENGINES[engine])
        called = ", ".join(getattr(macros, name)(*given) for name, *given in self.calls)
        columns = [("n", "int64"), ("a", self.kind), ("b", self.kind)]
        rows = [[n, *values] for n, values in enumerate(self.values)]
        return Query(f"select {called} from given order by n", {"given": Table(columns, rows)})


def rounded(num: Integer, den: Integer) -> Integer:
    return None if num is None or not den else round(Fraction(num, den) * UNITS)


def root(num: Integer, den: Integer) -> Integer:
    if num is None or not den:
        return None
    units: int = round(sqrt_rounded(Fraction(num, den), DECIMALS) * UNITS)
    return units


def ratio_rows(pairs: Iterable[tuple[Integer, Integer]]) -> list[Row]:
    units = [rounded(*pair) for pair in pairs]
    return [[unit, None if unit is None else unit / UNITS] for unit in units]


def age(birth: dt.date, day: dt.date) -> int:
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


BORN = list(itertools.product(BIRTHS, DAYS))
CASES = {
    "ratios are rounded half-even on their exact value": Case(
        [("half_even", "a", "b", DECIMALS), ("ratio", "a", "b", DECIMALS)],
        "int64",
        [list(pair) for pair in RATIOS],
        ratio_rows(RATIOS),
    ),
    "square roots are rounded half-even on their exact value": Case(
        [("sqrt_half_even", "a", "b", DECIMALS)],
        "int64",
        [list(pair) for pair in ROOTS],
        [[root(*pair)] for pair in ROOTS],
    ),
    "stored decimals are read back as the integers that they were": Case(
        [("fixed_point", "a", 2), ("percent_as_fraction", "a")],
        "float64",
        [[stored, None] for stored in DECIMALS_STORED],
        [
            [None, None] if stored is None else [round(stored * 100), round(stored * 100) / UNITS]
            for stored in DECIMALS_STORED
        ],
    ),
    "days are counted and ages are whole years": Case(
        [
            ("add_days", "a", 30),
            ("add_days", "b", -7),
            ("days_between", "a", "b"),
            ("age_on", "a", "b"),
        ],
        "date",
        [[str(birth), str(day)] for birth, day in BORN],
        [
            [
                str(birth + dt.timedelta(days=30)),
                str(day - dt.timedelta(days=7)),
                (day - birth).days,
                age(birth, day),
            ]
            for birth, day in BORN
        ],
    ),
    "a pattern matches a text as a whole": Case(
        [("full_match", "a", PATTERN)],
        "string",
        [[text, None] for text in TEXTS],
        [[None if text is None else bool(re.fullmatch(PATTERN, text))] for text in TEXTS],
    ),
}


def in_duckdb(query: Query) -> list[Row]:
    with duckdb.connect() as connection:
        for name, table in query.tables.items():
            columns = ", ".join(f"{column} {kind}" for column, kind in table.columns)
            connection.execute(f"create table {name} ({columns.replace('float64', 'double')})")
            places = ", ".join("?" for _ in table.columns)
            connection.executemany(f"insert into {name} values ({places})", list(table.rows))
        rows = connection.execute(query.sql).fetchall()
    return [[str(v) if isinstance(v, dt.date) else v for v in row] for row in rows]


@pytest.fixture(scope="module")
def unit_tests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Query, Query]]:
    """Return the found and expected rows of each dbt unit test, compiled for BigQuery."""
    target = tmp_path_factory.mktemp("compiled")
    compile_project(target)
    return unit_test_queries(target)


@pytest.fixture(scope="module")
def on_google(unit_tests: dict[str, tuple[Query, Query]]) -> dict[str, Answer]:
    """Return Google's answers to all queries from one start of its slow engine."""
    queries = {name: case.query("google") for name, case in CASES.items()}
    for name, (found, expected) in unit_tests.items():
        queries |= {f"{name}, found": found, f"{name}, expected": expected}
    return evaluate(queries)


def test_every_unit_test_holds_on_google_s_engine(
    unit_tests: dict[str, tuple[Query, Query]], on_google: dict[str, Answer]
) -> None:
    assert len(unit_tests) > 30
    for name in unit_tests:
        found, expected = on_google[f"{name}, found"], on_google[f"{name}, expected"]
        assert (found.problem, expected.problem) == (None, None), name
        assert in_any_order(found.rows) == in_any_order(expected.rows), name


def in_any_order(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: [(value is not None, str(value)) for value in row])


@pytest.mark.parametrize("name", CASES)
def test_macros_on_google_s_engine(name: str, on_google: dict[str, Answer]) -> None:
    assert on_google[name] == Answer(on_google[name].columns, CASES[name].expected)


@pytest.mark.parametrize("name", CASES)
def test_macros_on_duckdb(name: str) -> None:
    assert in_duckdb(CASES[name].query("duckdb")) == CASES[name].expected
