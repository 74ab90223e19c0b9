from __future__ import annotations

from fractions import Fraction

import pytest

from python_workers.explain.formulas import evaluate, filled, names
from python_workers.explain.select_list import FINAL, definition, expressions
from python_workers.processors.base import PoolWork
from python_workers.processors.catalogue import PROCESSORS

VALUES = {"a": 7, "b": 0, "c": None, "d": 0.125, "psza.rate": 40.5, "zone": "paint"}


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("a / 2", Fraction(7, 2)),
        ("a / b", None),
        ("a + c", None),
        ("-a * d", Fraction(-7, 8)),
        ("round(d, 2)", Fraction(12, 100)),  # ties go to the even neighbour
        ("round(3 * d, 2)", Fraction(38, 100)),
        ("round(sqrt(2), 4)", Fraction(14142, 10000)),
        ("sqrt(a / b)", None),
        ("min(a, 5)", 5),
        ("max(a, c)", None),
        ("abs(d - 1)", Fraction(7, 8)),
        ("psza.rate if zone == 'paint' else None", Fraction(81, 2)),
        ("'yes' if c > 3 else 'no'", "no"),
        ("c is None and a is not None", True),
        ("a < 7 or not b", True),
    ],
)
def test_a_formula_is_evaluated_exactly_and_missing_values_stay_missing(
    formula: str, value: object
) -> None:
    assert evaluate(formula, VALUES) == value


def test_syntax_outside_the_language_is_refused() -> None:
    for formula in ("a ** 2", "[a]", "a[0]", "lambda: 1"):
        with pytest.raises((ValueError, KeyError)):
            evaluate(formula, VALUES)


def test_names_are_replaced_by_their_values() -> None:
    formula = "round(a / (a - d), 2) if zone == 'paint' else psza.rate"
    assert names(formula) == ["a", "d", "zone", "psza.rate"]
    assert filled(formula, VALUES) == "round(7 / (7 - 0.125), 2) if 'paint' == 'paint' else 40.5"


def test_steps_are_declared_after_the_values_that_they_use() -> None:
    for processor in PROCESSORS:
        if isinstance(processor.work, PoolWork):
            steps = processor.work.output.steps
            for position, formula in enumerate(steps.values()):
                used = [name for name in names(formula) if name in steps]
                assert set(used) <= set(list(steps)[:position]), formula


SQL = """
with

inputs as (

    select * from nba_precompute.some_inputs

),

cache as (

    select * from nba_precompute.some_cache

),

-- A comment, with a comma
samples as (

    select
        *,
        case when games > 3 then 'many, really' else 'few' end as size,
        makes * 2 as points,
    from inputs

),

final as (

    select
        samples.player_id,
        samples.size as sample_size,
        coalesce(cache.points, samples.points) as points,
        cast(null as int64) as nothing,
    from samples
    left join cache on samples.player_id = cache.player_id

)

select * from final
"""


def test_the_formula_of_a_column_is_found_through_columns_that_pass_it_on() -> None:
    found = expressions(SQL)
    assert list(found) == ["inputs", "cache", "samples", "final"]
    assert [each.takes_all for each in found.values()][2:] == ["inputs", None]

    def formula(column: str) -> tuple[str, str] | None:
        each = definition(found, FINAL, column)
        return None if each is None else (each.expression, each.formula)

    assert formula("player_id") is None
    assert formula("sample_size") == (
        "samples",
        "case when games > 3 then 'many, really' else 'few' end",
    )
    assert formula("points") == ("final", "coalesce(cache.points, samples.points)")
    assert formula("nothing") == ("final", "cast(null as int64)")
