"""Reads the common table expressions of a model, and the formula of each column in them.

The project's models have one form, which sqlfluff checks: ``with``, expressions of the form
``name as ( … )`` at the start of a line, the last of them called ``final``, and ``select * from
final``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_CTE = re.compile(r"^(\w+) as \(\n(.*?)^\)", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"--[^\n]*")
_ALIAS = re.compile(r"^(.*\S)\s+as\s+(\w+)$", re.DOTALL)
_COLUMN = re.compile(r"^(?:(\w+)\.)?(\w+)$")
_SOURCE = re.compile(r"\b(?:from|join)\s+([\w.]+)(?:\s+as\s+(\w+))?")
_TOKEN = re.compile(r"'(?:[^']|'')*'|[(),]|\b(?:case|end|from|select|distinct)\b", re.IGNORECASE)

FINAL = "final"


@dataclass(frozen=True)
class Expression:
    """A common table expression.

    Parameters
    ----------
    name
        Its name.
    columns
        The expression of each column that it names itself.
    sources
        What it reads, by alias: names of other expressions, or of tables.
    takes_all
        The source all of whose columns it has, too; None without ``*``.
    """

    name: str
    columns: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    takes_all: str | None = None


@dataclass(frozen=True)
class Definition:
    """Where a column gets its value: an expression, and the formula there."""

    expression: str
    column: str
    formula: str


def expressions(sql: str) -> dict[str, Expression]:
    """Return the common table expressions of a model by name, in order."""
    return {found[1]: _expression(found[1], found[2]) for found in _CTE.finditer(sql)}


def definition(models: dict[str, Expression], start: str, column: str) -> Definition | None:
    """Find the formula of a column, through expressions that only pass it on.

    Returns
    -------
    Definition or None
        None if the value comes as it is from a table.
    """
    within = models.get(start)
    if within is None:
        return None
    formula = within.columns.get(column)
    if formula is None:
        return definition(models, within.takes_all, column) if within.takes_all else None
    plain = _COLUMN.match(formula)
    if plain is None or plain[2] in ("true", "false", "null") or plain[2].isdigit():
        return Definition(start, column, formula)
    source = within.sources.get(plain[1]) if plain[1] else next(iter(within.sources.values()))
    return definition(models, source or "", plain[2])


def _expression(name: str, body: str) -> Expression:
    text = " ".join(_COMMENT.sub("", body).split()).replace("( ", "(").replace(" )", ")")
    listed, rest = _select_list(text)
    sources = {found[2] or found[1]: found[1] for found in _SOURCE.finditer(rest)}
    columns, takes_all = {}, None
    for item in listed:
        if item == "*":
            takes_all = next(iter(sources.values()), None)
            continue
        alias, plain = _ALIAS.match(item), _COLUMN.match(item)
        if alias is not None:
            columns[alias[2]] = alias[1]
        elif plain is not None:
            columns[plain[2]] = item
    return Expression(name, columns, sources, takes_all)


def _select_list(text: str) -> tuple[list[str], str]:
    """Split a select into the items of its list and the text from ``from`` on."""
    items, depth, begin = [], 0, 0
    for token in _TOKEN.finditer(text):
        word = token[0].lower()
        if word in ("select", "distinct") and depth == 0:
            begin = token.end()
        elif word in ("(", "case"):
            depth += 1
        elif word in (")", "end"):
            depth -= 1
        elif depth == 0 and word in (",", "from"):
            items.append(text[begin : token.start()].strip())
            begin = token.end()
            if word == "from":
                return [item for item in items if item], text[token.start() :]
    return items, ""


def names_in(formula: str) -> Iterator[tuple[str | None, str, tuple[int, int]]]:
    """Yield the columns that a formula names: qualifier, name, and where they stand."""
    quoted = [found.span() for found in re.finditer(r"'(?:[^']|'')*'", formula)]
    for found in re.finditer(r"(?<![\w.])(?:(\w+)\.)?([A-Za-z_]\w*)(?!\w|\s*\()", formula):
        if not any(first <= found.start() < last for first, last in quoted):
            yield found[1], found[2], found.span()
