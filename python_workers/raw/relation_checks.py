"""Checks raw rows that stand in a database: what a feed gave, or tables that are to be adopted.

Values meet the parsers of the raw files, and rows their rules (`python_workers.raw.rules`). The
extremes of a numeric column stand for all its values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from python_workers.raw.distinct import UnusableTypeError, distinct
from python_workers.raw.rules import problem_of_another_team, rows_of_another_team, rules_of
from python_workers.raw.schema import RawColumn, RawTable
from python_workers.raw.tables import ROWS_SHOWN, shorten
from python_workers.raw.values import Unusable, is_missing


class Query(Protocol):
    """Runs a SELECT; parameters are written as ``@name``."""

    def __call__(self, sql: str, params: Mapping[str, object] | None = None) -> pa.Table:
        """Return its rows."""


@dataclass(frozen=True)
class Wrong:
    """Rows that a load would refuse.

    Parameters
    ----------
    problem
        What is wrong, for example ``column fgm is above fga``.
    rows
        The first of them.
    columns
        Columns whose values to show.
    advice
        What to do.
    """

    problem: str
    rows: Sequence[Mapping[str, Any]]
    columns: Sequence[str]
    advice: str

    def lines(self) -> list[str]:
        """Return the first rows and the advice, for messages."""
        shown = [
            ", ".join(f"{name} = {shorten(row[name])}" for name in dict.fromkeys(self.columns))
            for row in self.rows[:ROWS_SHOWN]
        ]
        return [*shown, *(["and more rows"] if len(self.rows) > ROWS_SHOWN else []), self.advice]


@dataclass(frozen=True)
class Relation:
    """Rows of a raw table in a database.

    Parameters
    ----------
    query
        Runs a SELECT there.
    schema
        The table.
    given
        What a SELECT reads, a name or a SELECT in brackets: all columns of the table, with the
        values that the parsers judge.
    typed
        The same rows in the types of the raw table.
    is_stored
        Whether the typed rows are used as they are. A load would write missing values and other
        spellings in its own way.
    also
        A column beside those of the table that shown rows have, too.
    """

    query: Query
    schema: RawTable
    given: str
    typed: str
    is_stored: bool = False
    also: str | None = None

    def rows(
        self,
        condition: str,
        columns: Sequence[str],
        params: Mapping[str, object] | None = None,
        relation: str | None = None,
    ) -> list[Mapping[str, Any]]:
        """Return some columns of the first rows that satisfy a condition."""
        names = ", ".join(dict.fromkeys((*columns, *([self.also] if self.also else []))))
        order = ", ".join(self.schema.key)
        found: list[Mapping[str, Any]] = self.query(
            f"select {names} from {relation or self.typed} as rows_given "  # noqa: S608 the caller's own
            f"where {condition} order by {order} limit {ROWS_SHOWN + 1}",
            params,
        ).to_pylist()
        return found


def first_wrong(relation: Relation) -> Wrong | None:
    """Return what a load would refuse first in a relation, with rows; None if it takes them all."""
    for check in (_unusable, _empty, _twice, _against_a_rule):
        wrong = check(relation)
        if wrong is not None:
            return wrong
    return None


def wrong_teams(lines: Relation, games: str) -> Wrong | None:
    """Return rows whose team does not play in their game; None if there are none."""
    columns = [*lines.schema.key, "team_abbr", *([lines.also] if lines.also else [])]
    select = rows_of_another_team(lines.typed, games, columns)
    found = lines.query(f"{select} limit {ROWS_SHOWN + 1}").to_pylist()
    if not found:
        return None
    return Wrong(
        problem_of_another_team(found[0]["teams"]),
        found,
        [*lines.schema.key, "team_abbr"],
        "Use the abbreviations of the games table.",
    )


def _empty(relation: Relation) -> Wrong | None:
    needed = {
        column.name: f"{column.name} is null"
        + (f" and not coalesce({column.zero_where}, false)" if column.zero_where else "")
        for column in relation.schema.columns
        if not column.is_nullable
    }
    name = _first_true(relation, needed)
    if name is None:
        return None
    columns = [*relation.schema.key, name]
    problem = f"column {name} must not be empty"
    return Wrong(problem, relation.rows(needed[name], columns), columns, "Give a value.")


def _against_a_rule(relation: Relation) -> Wrong | None:
    rules = {str(number): rule for number, rule in enumerate(rules_of(relation.schema))}
    broken = _first_true(relation, {number: rule.condition for number, rule in rules.items()})
    if broken is None:
        return None
    rule = rules[broken]
    rows = relation.rows(rule.condition, rule.columns)
    return Wrong(rule.problem, rows, rule.columns, rule.advice)


def _first_true(relation: Relation, conditions: Mapping[str, str]) -> str | None:
    """Return the name of the first condition that a row satisfies, by one SELECT."""
    if not conditions:
        return None
    counts = ", ".join(
        f"countif({condition}) as count_{number}"
        for number, condition in enumerate(conditions.values())
    )
    (found,) = relation.query(
        f"select {counts} from {relation.typed} as rows_given"  # noqa: S608 our own names
    ).to_pylist()
    return next((name for name, n in zip(conditions, found.values(), strict=True) if n), None)


def _twice(relation: Relation) -> Wrong | None:
    key = relation.schema.key
    names = ", ".join(key)
    also = f", max({relation.also}) as {relation.also}" if relation.also else ""
    found = relation.query(
        f"select {names}{also} from {relation.typed} as rows_given "  # noqa: S608 as above
        f"group by {names} having count(*) > 1 order by {names} limit {ROWS_SHOWN + 1}"
    ).to_pylist()
    problem = f"rows share their key ({names})"
    return Wrong(problem, found, key, "Give one row for each key.") if found else None


def _unusable(relation: Relation) -> Wrong | None:
    """Return the rows with the first value that the parser of its column refuses."""
    types = relation.query(f"select * from {relation.given} as rows_given limit 0").schema  # noqa: S608 as above
    columns = relation.schema.columns
    numeric = [column.name for column in columns if _is_number(types.field(column.name).type)]
    extremes = _extremes(relation, numeric)
    for column in columns:
        name = column.name
        given = extremes.get(name) or [
            relation.query(
                f"select distinct {name} from {relation.given} as rows_given "  # noqa: S608 as above
                f"where {name} is not null order by {name}"
            ).column(name)
        ]
        refused = (each for values in given for each in _refused(relation, column, values))
        for value, shown, reason in refused:
            # Python has no date after the year 9999 to look for.
            rows = (
                []
                if value is None
                else relation.rows(
                    f"{name} = @value",
                    [*relation.schema.key, name],
                    {"value": value},
                    relation.given,
                )
            )
            return Wrong(
                f"column {name} has an unusable value",
                rows,
                [*relation.schema.key, name],
                f"{shorten(shown)} {reason}.",
            )
    return None


def _extremes(relation: Relation, names: Sequence[str]) -> dict[str, list[pa.ChunkedArray]]:
    """Return the least and the greatest value of each numeric column, and one with a fraction."""
    if not names:
        return {}
    wanted = (
        "min({0}) as least_{0}",
        "max({0}) as greatest_{0}",
        "min(case when {0} != floor({0}) then {0} end) as fraction_{0}",
    )
    selected = ", ".join(part.format(name) for name in names for part in wanted)
    found = relation.query(f"select {selected} from {relation.given} as rows_given")  # noqa: S608 as above
    kinds = ("least", "greatest", "fraction")
    return {
        # A number beyond int64 has another type than the others.
        name: [found.column(f"{kind}_{name}").drop_null() for kind in kinds]
        for name in names
    }


def _refused(
    relation: Relation, column: RawColumn, values: pa.ChunkedArray
) -> Iterator[tuple[object, object, str]]:
    """Yield each value that the column does not take: as given, for messages, and the reason."""
    try:
        found = distinct(values.combine_chunks())
    except UnusableTypeError as error:
        yield values[0].as_py(), str(error.kind), f"is an unusable type: {str(error).rstrip('.')}"
        return
    for position, value in enumerate(found.values):
        reason = _reason(relation, column, value)
        if reason is not None:
            yield _in_python(values[found.codes.index(position).as_py()]), value, reason


def _in_python(value: pa.Scalar) -> object:
    """Return a value; None for one that Python does not have."""
    try:
        return value.as_py()
    except (OverflowError, ValueError):
        return None


def _reason(relation: Relation, column: RawColumn, value: object) -> str | None:
    if isinstance(value, Unusable):
        return value.reason
    if is_missing(value):
        if relation.is_stored and str(value).strip():
            return "stands for no value; give NULL"
        is_needed = not column.is_nullable and column.zero_where is None
        return "is no value" if is_needed else None
    try:
        parsed = column.parse(value)
    except ValueError as error:
        return str(error)
    if relation.is_stored and isinstance(parsed, str) and parsed != str(value).strip():
        return f"is to be written as {parsed!r}"
    return None


def _is_number(type_: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(test(type_) for test in tests)
