"""Evaluates the formulas of output columns with exact fractions, and fills in their numbers.

A formula is a Python expression of names, numbers, texts, ``+ - * /``, comparisons, ``and``,
``or``, ``not``, ``a if b else c``, and the functions `FUNCTIONS`. As in SQL, arithmetic with a
missing value is missing, and so is a quotient whose divisor is 0.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

Value = Any
"""None, a bool, a text, a date, or a number, which is a Fraction."""

# More digits than any exact root of the inputs has.
_ROOT = Context(prec=80)


def _rounded(number: Value, decimals: Value = Fraction(0)) -> Value:
    return None if number is None else Fraction(round(number, int(decimals)))


def _root(number: Value) -> Value:
    if number is None:
        return None
    quotient = _ROOT.divide(Decimal(number.numerator), Decimal(number.denominator))
    return Fraction(_ROOT.sqrt(quotient))


def _least(*numbers: Value) -> Value:
    return None if None in numbers else min(numbers)


def _greatest(*numbers: Value) -> Value:
    return None if None in numbers else max(numbers)


FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "round": _rounded,
    "sqrt": _root,
    "min": _least,
    "max": _greatest,
    "abs": lambda number: None if number is None else abs(number),
}
"""The functions of a formula; ``round`` sends halves to the even neighbour."""

_ARITHMETIC: Mapping[type[ast.operator], Callable[[Value, Value], Value]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: None if b == 0 else a / b,
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Value, Value], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def exact(value: object) -> Value:
    """Return a value with numbers as fractions; a float is the decimal that its text shows.

    Examples
    --------
    >>> exact(0.1), exact(3), exact(None), exact("paint")
    (Fraction(1, 10), Fraction(3, 1), None, 'paint')
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)


def plain(value: Value) -> object:
    """Return a value as it is stored: a fraction as an int where it is whole, else as a float.

    Examples
    --------
    >>> plain(Fraction(3)), plain(Fraction(1, 10)), plain(None)
    (3, 0.1, None)
    """
    if not isinstance(value, Fraction):
        return value
    return int(value) if value.denominator == 1 else float(value)


def evaluate(formula: str, values: Mapping[str, object]) -> Value:
    """Evaluate a formula.

    Parameters
    ----------
    formula
        The formula.
    values
        The values of its names; ``psza.paint_rate_last_10`` is one name.

    Raises
    ------
    KeyError
        If a name has no value.

    Examples
    --------
    >>> evaluate("round(makes / attempts, 3)", {"makes": 43, "attempts": 73})
    Fraction(589, 1000)
    >>> evaluate("'paint' if rate >= 40 else None", {"rate": 47.01})
    'paint'
    >>> evaluate("makes / attempts", {"makes": 0, "attempts": 0}) is None
    True
    """
    return _value(ast.parse(formula, mode="eval").body, values)


def filled(formula: str, values: Mapping[str, object]) -> str:
    """Return a formula with values in the place of its names.

    Examples
    --------
    >>> filled("round(makes / attempts, 3)", {"makes": 43, "attempts": 73})
    'round(43 / 73, 3)'
    """

    class Fill(ast.NodeTransformer):
        def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
            return ast.Name(_shown(values[ast.unparse(node)]))

        def visit_Name(self, node: ast.Name) -> ast.AST:
            return node if node.id in FUNCTIONS else ast.Name(_shown(values[node.id]))

    return ast.unparse(Fill().visit(ast.parse(formula, mode="eval")))


def names(formula: str) -> list[str]:
    """Return the names of a formula, each once, in the order of their first place.

    Examples
    --------
    >>> names("round(100 * makes / (makes + misses), psza.decimals)")
    ['makes', 'misses', 'psza.decimals']
    """
    tree = ast.parse(formula, mode="eval")
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    found = [
        (node.col_offset, ast.unparse(node))
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        or (isinstance(node, ast.Name) and node.id not in FUNCTIONS and id(node) not in inner)
    ]
    return list(dict.fromkeys(name for _, name in sorted(found)))


def _shown(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    number = plain(exact(value))
    return f"({number})" if isinstance(number, int | float) and number < 0 else repr(number)


def _value(node: ast.expr, values: Mapping[str, object]) -> Value:  # noqa: PLR0911 -- one per kind of node
    match node:
        case ast.Constant(value=value):
            return exact(value)
        case ast.Name() | ast.Attribute():
            return exact(values[ast.unparse(node)])
        case ast.BinOp(left=left, op=op, right=right):
            one, other = _value(left, values), _value(right, values)
            if one is None or other is None:
                return None
            return _ARITHMETIC[type(op)](Fraction(one), Fraction(other))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            number = _value(operand, values)
            return None if number is None else -number
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, values)
        case ast.BoolOp(op=op, values=parts):
            truths = (bool(_value(part, values)) for part in parts)
            return all(truths) if isinstance(op, ast.And) else any(truths)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _value(test, values) else orelse, values)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _compared(op, _value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return FUNCTIONS[name](*_all(arguments, values))
    raise ValueError(f"a formula has no {type(node).__name__}: {ast.unparse(node)}")


def _all(nodes: Sequence[ast.expr], values: Mapping[str, object]) -> list[Value]:
    return [_value(node, values) for node in nodes]


def _compared(op: ast.cmpop, one: Value, other: Value) -> bool:
    if isinstance(op, ast.Is | ast.IsNot):
        return (one is other) == isinstance(op, ast.Is)
    if one is None or other is None:
        return False
    return _COMPARISONS[type(op)](one, other)
