"""Renders the SQL of a model without dbt, which takes seconds to start.

dbt's templates are Jinja; this module gives the macros of the project what dbt gives them. It
renders a model in two ways: as the statement that dbt would run, and with the rounding macros in a
form that people read.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, NoReturn

import jinja2

from python_workers.processors.base import INPUTS_SCHEMA
from python_workers.processors.catalogue import PROCESSORS

Engine = Literal["duckdb", "bigquery"]

_MACRO = re.compile(r"\{%-?\s*macro\s+(\w+)\(.*?\{%-?\s*endmacro\s*-?%\}", re.DOTALL)


def _term(text: object) -> str:
    """Return a part of a quotient, in parentheses if it has an operator."""
    return str(text) if re.fullmatch(r"[\w.]+", str(text)) else f"({text})"


READABLE: Mapping[str, Callable[..., str]] = {
    "half_even": lambda num, den, decimals: f"round({10**decimals} * {_term(num)} / {_term(den)})",
    "ratio": lambda num, den, decimals: f"round({_term(num)} / {_term(den)}, {decimals})",
    "sqrt_half_even": lambda num, den, decimals: (
        f"round({10**decimals} * sqrt({_term(num)} / {_term(den)}))"
    ),
    "percent_as_fraction": lambda column: f"round({column} / 100, 4)",
    "at_most": lambda value, limit: f"least({value}, {limit})",
    "at_least": lambda value, limit: f"greatest({value}, {limit})",
    "int_div": lambda a, b: f"floor({_term(a)} / {_term(b)})",
}
"""The rounding and bounding macros, as people read them."""


# The text is SQL; nothing of it reaches a browser.
_ENVIRONMENT = jinja2.Environment(  # noqa: S701
    extensions=["jinja2.ext.do"], undefined=jinja2.StrictUndefined
)


@functools.cache
def _code(text: str) -> Any:  # noqa: ANN401 -- a code object of Jinja
    """Compile a template once, for both ways of rendering."""
    return _ENVIRONMENT.compile(text)


class _Return(Exception):  # noqa: N818 -- not an error: dbt's `return` ends a macro with a value
    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value


class _Macro:
    """A macro of the project, compiled when it is first called."""

    def __init__(self, names: Mapping[str, Any], name: str, text: str) -> None:
        self._names, self._name, self._text = names, name, text
        self._callable: Any = None

    def __call__(self, *positional: object, **named: object) -> object:
        if self._callable is None:
            self._callable = getattr(_template(self._text, self._names).module, self._name)
        try:
            return self._callable(*positional, **named)
        except _Return as returned:
            return returned.value


def _template(text: str, names: Mapping[str, Any]) -> jinja2.Template:
    given = _ENVIRONMENT.make_globals(dict(names))
    return jinja2.Template.from_code(_ENVIRONMENT, _code(text), given)


class Renderer:
    """Renders models of a dbt project for one engine and one date.

    Parameters
    ----------
    directory
        The folder of the project.
    engine
        Whose macros to use.
    day
        First and last date of the range.
    is_readable
        Whether to write the rounding macros in the form of `READABLE`, which no engine runs.
    """

    def __init__(
        self, directory: Path, engine: Engine, day: date, *, is_readable: bool = False
    ) -> None:
        self._directory = directory
        variables = {"start_date": day.isoformat(), "end_date": day.isoformat()}
        names: dict[str, Any] = {}
        for file in sorted((directory / "macros").rglob("*.sql")):
            for found in _MACRO.finditer(file.read_text(encoding="utf-8")):
                names[found[1]] = _Macro(names, found[1], found[0])
        if is_readable:
            names |= READABLE
        names |= {
            "ref": _relation,
            "config": lambda **_config: "",
            "var": lambda name, default=None: variables.get(name, default),
            "return": _return,
            "target": SimpleNamespace(type=engine),
            "adapter": SimpleNamespace(dispatch=lambda name: names[f"{engine}__{name}"]),
            "modules": SimpleNamespace(re=re, datetime=dt),
            "exceptions": SimpleNamespace(raise_compiler_error=_refuse),
        }
        self._names = names

    def model(self, name: str) -> str:
        """Return the select of a model."""
        (file,) = (self._directory / "models").rglob(f"{name}.sql")
        self._names["model"] = SimpleNamespace(name=name)
        return _template(file.read_text(encoding="utf-8"), self._names).render()


def _relation(model: str) -> str:
    """Return the schema and name of a model that a processor's model reads."""
    for processor in PROCESSORS:
        if processor.model == model:
            return processor.table
    return f"{INPUTS_SCHEMA}.{model}"


def _return(value: object) -> NoReturn:
    raise _Return(value)


def _refuse(message: str) -> NoReturn:
    raise ValueError(message)
