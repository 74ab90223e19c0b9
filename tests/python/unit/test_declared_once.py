"""The code names tables and failure categories only in one module each."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import yaml

from python_workers import table_names
from python_workers.processors.dbt_macro import RUNBOOK_FILE, runbook_text
from python_workers.processors.failures import CATEGORIES
from python_workers.raw.schema import CHANGED_GAMES, LOADS, PLAYER_REGISTRY, RAW_TABLES
from tests.python.support.folders import REPOSITORY

PACKAGE = REPOSITORY / "python_workers"
TABLE = re.compile(rf"\b({'|'.join(table_names.DATASETS)})\.\w")


def literals(tree: ast.AST) -> Iterator[ast.Constant]:
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node


def places(pattern: re.Pattern[str]) -> list[str]:
    """Return where literals of the package, other than docstrings, match a pattern."""
    return [
        f"{file.relative_to(PACKAGE)}:{literal.lineno}"
        for file in sorted(PACKAGE.rglob("*.py"))
        for literal in literals(ast.parse(file.read_text()))
        if pattern.search(str(literal.value))
    ]


def test_code_takes_the_names_of_tables_from_one_module() -> None:
    assert places(TABLE) == []


def test_code_takes_failure_categories_from_one_module() -> None:
    names = "|".join([*CATEGORIES, *(category.column for category in CATEGORIES.values())])
    found = {place.split(":")[0] for place in places(re.compile(rf"\b({names})\b"))}
    # This module knows which columns came later; no declaration says it.
    assert found == {"processors/failures.py", "warehouse/former_tables.py"}


def test_every_category_has_its_columns_colour_and_line_in_the_runbook() -> None:
    runbook = (REPOSITORY / RUNBOOK_FILE).read_text()
    assert runbook == runbook_text(runbook), "run `make generate`"
    style = (PACKAGE / "report" / "assets" / "style.css").read_text()
    columns = {
        model["name"]: {column["name"] for column in model["columns"]}
        for path in REPOSITORY.glob("models/**/*.yml")
        for model in yaml.safe_load(path.read_text()).get("models", ())
    }
    for category in CATEGORIES.values():
        assert f"| `{category.name}` |" in runbook
        assert f"--{category.colour}:" in style
        for model in ("backfill_coverage", "processor_runs"):
            assert category.column in columns[model], model


def test_every_table_that_is_named_is_one_of_the_project() -> None:
    ours = {spec.name for spec in (CHANGED_GAMES, LOADS, PLAYER_REGISTRY)}
    ours |= {table.spec.name for table in RAW_TABLES}
    files = [*REPOSITORY.glob("models/**/*.sql"), *REPOSITORY.glob("seeds/*.csv")]
    built = {file.stem for file in files}
    named = {
        value for value in vars(table_names).values() if isinstance(value, str) and "." in value
    }
    tables = {name for name in named if TABLE.match(name)}
    assert {
        name for name in tables if name not in ours and name.split(".")[1] not in built
    } == set()
    assert ours <= tables
