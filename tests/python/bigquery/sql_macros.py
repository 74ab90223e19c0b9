"""The project's SQL macros for either engine, without dbt."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from jinja2 import Environment

from tests.python.support.folders import REPOSITORY

FILES = ("dialect.sql", "domain.sql", "rounding.sql")


def macros_for(engine: str) -> Any:
    """Return the macros as attributes.

    Parameters
    ----------
    engine
        ``duckdb`` or ``bigquery``: the prefix of what `adapter.dispatch` finds.
    """
    environment = Environment(autoescape=False, extensions=["jinja2.ext.do"])  # noqa: S701 -- SQL
    macros: list[Any] = []

    def dispatch(name: str) -> Any:
        return getattr(macros[0], f"{engine}__{name}")

    environment.globals["adapter"] = SimpleNamespace(dispatch=dispatch)
    texts = [(REPOSITORY / "macros" / name).read_text(encoding="utf-8") for name in FILES]
    macros.append(environment.from_string("\n".join(texts)).module)
    return macros[0]
