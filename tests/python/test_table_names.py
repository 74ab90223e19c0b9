"""Names of tables stand once, and are those of the project."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from python_workers import table_names
from python_workers.raw.schema import CHANGED_GAMES, LOADS, PLAYER_REGISTRY, RAW_TABLES

REPOSITORY = Path(__file__).parents[2]
TABLE = re.compile(rf"\b({'|'.join(table_names.DATASETS)})\.\w")


def literals(tree: ast.AST) -> Iterator[ast.Constant]:
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node


def test_code_takes_the_names_of_tables_from_one_module() -> None:
    found = [
        f"{file.relative_to(REPOSITORY)}:{literal.lineno}"
        for file in sorted((REPOSITORY / "python_workers").rglob("*.py"))
        for literal in literals(ast.parse(file.read_text()))
        if TABLE.search(str(literal.value))
    ]
    assert found == []


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
