"""Google's own engine as a third one: queries over small tables, and dbt's unit tests on it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.python.bigquery.analyzer import run_program

Row = list[Any]
REFERENCE = re.compile(r"(?:ref\(|source\('\w+', ?)'(\w+)'\)")
# A table's name hides a column of the same name; no column has this one.
EXPECTED = "expected_rows"


@dataclass(frozen=True)
class Table:
    """A small table: its (column, type) pairs and its rows."""

    columns: Sequence[tuple[str, str]]
    rows: Sequence[Row]


@dataclass(frozen=True)
class Query:
    sql: str
    tables: Mapping[str, Table]


@dataclass(frozen=True)
class Answer:
    """What a query returned, or why Google's engine did not run it."""

    columns: Sequence[str] = ()
    rows: Sequence[Row] = ()
    problem: str | None = None


def evaluate(queries: Mapping[str, Query]) -> dict[str, Answer]:
    """Run queries on Google's engine: one process for all of them, since it starts slowly."""
    given = json.dumps({name: asdict(query) for name, query in queries.items()})
    answers = json.loads(run_program("googlesql_run", [], given))
    return {name: Answer(**answer) for name, answer in answers.items()}


def unit_test_queries(target: Path) -> dict[str, tuple[Query, Query]]:
    """Return, per unit test of a compiled project, the queries of what is found and expected.

    The compiled model reads the rows that the test gives, typed by the contracts of the models that
    they stand for; columns that the test leaves out are NULL, as in dbt. Tests that replace macros
    are left out.
    """
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    nodes = {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "seed")
    } | {node["name"]: node for node in manifest["sources"].values()}
    queries = {}
    for test in manifest["unit_tests"].values():
        # The compiled project has the project's own macros; dbt alone compiles a test's.
        if (test.get("overrides") or {}).get("macros"):
            continue
        model = nodes[test["model"]]
        # Inputs that the test does not give are empty.
        parents = [manifest["nodes"].get(key) for key in model["depends_on"]["nodes"]]
        tables = {_full_name(node): Table(_columns(node), []) for node in parents if node}
        for given in test["given"]:
            (name,) = REFERENCE.findall(given["input"])
            tables[_full_name(nodes[name])] = _table(_columns(nodes[name]), given["rows"])
        types = dict(_columns(model))
        rows = test["expect"]["rows"]
        names = list(rows[0])
        expected = _table([(name, types[name]) for name in names], rows)
        columns = ", ".join(names)
        queries[test["name"]] = (
            Query(f"select {columns} from (\n{model['compiled_code']}\n)", tables),
            Query(f"select {columns} from {EXPECTED}", {EXPECTED: expected}),
        )
    return queries


def _full_name(node: Mapping[str, Any]) -> str:
    return f"{node['database']}.{node['schema']}.{node.get('alias') or node['identifier']}"


def _columns(node: Mapping[str, Any]) -> list[tuple[str, str]]:
    if node["resource_type"] == "seed":
        return list(node["config"]["column_types"].items())
    columns = node["columns"].values()
    return [(column["name"], column["data_type"]) for column in columns]


def _table(columns: Sequence[tuple[str, str]], rows: Sequence[Mapping[str, Any]]) -> Table:
    return Table(columns, [[row.get(name) for name, _ in columns] for row in rows])
