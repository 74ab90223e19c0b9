"""Check BigQuery's SQL with Google's own analyser and sqlglot; needs the emulator's environment.

`googlesql compiled TARGET_DIR` checks each model and test that `dbt compile` left in a target
folder, feeding the column types of each model to those that read it, and compares them with the
model's contract. `googlesql statements` reads `{"tables": {name: [[column, type], ...]},
"partitioned": {name: column}, "statements": [text, ...]}` from standard input; a statement may be a
script. Both name whatever reads a partitioned table without bounds on its dates.

Prints `{"checked": number, "findings": [{"name": ..., "problem": ...}, ...]}`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import sqlglot
import wasmtime
from google.protobuf.message import DecodeError

from tests.python.bigquery.partition_filters import unbounded


class CachingConfig(wasmtime.Config):  # type: ignore[misc]
    """Keep the machine code of the analyser, which takes half a minute to compile."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = True


wasmtime.Config = CachingConfig

from zetasql.api import (  # noqa: E402 (after its engine's settings)
    Analyzer,
    CatalogBuilder,
    TableBuilder,
    TypeFactory,
)
from zetasql.types import (  # noqa: E402
    AnalyzerOptions,
    LanguageOptions,
    ProductMode,
    TypeKind,
    ZetaSQLBuiltinFunctionOptions,
)

TYPE_KINDS = {
    "int64": TypeKind.TYPE_INT64,
    "integer": TypeKind.TYPE_INT64,
    "float": TypeKind.TYPE_DOUBLE,
    "string": TypeKind.TYPE_STRING,
    "float64": TypeKind.TYPE_DOUBLE,
    "bool": TypeKind.TYPE_BOOL,
    "boolean": TypeKind.TYPE_BOOL,
    "numeric": TypeKind.TYPE_NUMERIC,
    "bignumeric": TypeKind.TYPE_BIGNUMERIC,
    "date": TypeKind.TYPE_DATE,
    "timestamp": TypeKind.TYPE_TIMESTAMP,
    "datetime": TypeKind.TYPE_DATETIME,
    "time": TypeKind.TYPE_TIME,
    "bytes": TypeKind.TYPE_BYTES,
    "json": TypeKind.TYPE_JSON,
}
ARRAY = re.compile(r"array<(.+)>")
STRUCT = re.compile(r"struct<(.+)>")
QUOTED_PARTS = re.compile(r"`([^`.]+)`\.`([^`]+)`\.`([^`]+)`")
DATE_OF_VIEWS = "analysis_date"
STATEMENT_END = re.compile(r";\s*(?:\n|$)")

Columns = Sequence[tuple[str, Any]]


def language_options() -> LanguageOptions:
    """Return the language of BigQuery: its types only, and QUALIFY without WHERE."""
    language = LanguageOptions.maximum_features()
    language.product_mode = ProductMode.PRODUCT_EXTERNAL
    language.reserved_keywords = ["QUALIFY"]
    return language


LANGUAGE = language_options()
OPTIONS = AnalyzerOptions(language_options=LANGUAGE, allow_undeclared_parameters=True)
FUNCTIONS = ZetaSQLBuiltinFunctionOptions(language_options=LANGUAGE)


def sql_type(text: str) -> Any:
    """Return the analyser's type of a column's `data_type`."""
    name = text.strip().lower()
    array = ARRAY.fullmatch(name)
    if array is not None:
        return TypeFactory.create_array_type(sql_type(array[1]))
    struct = STRUCT.fullmatch(name)
    if struct is not None:
        fields = [field.split() for field in struct[1].split(",")]
        return TypeFactory.create_struct_type([(field, sql_type(kind)) for field, kind in fields])
    return TypeFactory.create_simple_type(TYPE_KINDS[name])


class Tables:
    """The tables that statements may name."""

    def __init__(self) -> None:
        self._tables: dict[str, Any] = {}

    def add(self, name: str, columns: Columns) -> None:
        builder = TableBuilder(name)
        for column, column_type in columns:
            builder.add_column(column, column_type)
        self._tables[name] = builder.build()

    def analyze(self, sql: str) -> Any:
        """Return the resolved statement; the analyser raises what BigQuery would."""
        sqlglot.parse_one(sql, read="bigquery", error_level=sqlglot.ErrorLevel.RAISE)
        flat = QUOTED_PARTS.sub(r"`\1.\2.\3`", sql)
        catalog = CatalogBuilder("catalog")
        for name, table in self._tables.items():
            # Each statement sends the whole catalog to the analyser and back.
            if f"`{name}`" in flat:
                catalog.add_table(table)
        return Analyzer(
            OPTIONS, catalog.with_builtin_functions(FUNCTIONS).build()
        ).analyze_statement(flat)


def full_name(node: dict[str, Any]) -> str:
    table = node.get("alias") or node.get("identifier")
    return f"{node['database']}.{node['schema']}.{table}"


def declared(node: dict[str, Any]) -> list[tuple[str, Any]]:
    columns = node["columns"].values()
    return [(c["name"], sql_type(c["data_type"])) for c in columns if c.get("data_type")]


def contract_breaches(node: dict[str, Any], found: Columns) -> Iterable[str]:
    """Name the columns whose type is not the one that the contract promises."""
    promised = dict(declared(node))
    actual = dict(found)
    if set(promised) != set(actual):
        yield f"columns differ from the contract: {sorted(set(promised) ^ set(actual))}"
    for name in promised.keys() & actual.keys():
        if str(promised[name]) != str(actual[name]):
            yield f"{name} is {actual[name]}, the contract says {promised[name]}"


def first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:400]


def check_compiled(target: Path) -> dict[str, Any]:
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    tables = Tables()
    for source in manifest["sources"].values():
        tables.add(full_name(source), declared(source))
    kinds = {"model", "seed", "test", "snapshot"}
    nodes = {k: n for k, n in manifest["nodes"].items() if n["resource_type"] in kinds}
    parents = {
        key: [parent for parent in node["depends_on"].get("nodes", []) if parent in nodes]
        for key, node in nodes.items()
    }
    findings: list[dict[str, str]] = []
    checked = 0

    def report(node: dict[str, Any], problem: str) -> None:
        findings.append({"name": node["name"], "problem": problem})

    for key in TopologicalSorter(parents).static_order():
        node = nodes[key]
        if node["resource_type"] == "seed":
            types = node["config"]["column_types"].items()
            tables.add(full_name(node), [(name, sql_type(kind)) for name, kind in types])
            continue
        if not node.get("compiled_code"):
            report(node, "not compiled")
            continue
        checked += 1
        columns = declared(node)
        try:
            statement = tables.analyze(node["compiled_code"])
        except DecodeError:
            # Accepted, but its resolved form is nested too deeply for Python to read.
            pass
        except Exception as error:  # noqa: BLE001 (whatever it is, it is the finding)
            report(node, first_line(error))
        else:
            columns = [(c.name, c.column.type) for c in statement.output_column_list]
            if node["config"].get("contract", {}).get("enforced"):
                for breach in contract_breaches(node, columns):
                    report(node, breach)
        if node["resource_type"] == "model" and columns:
            tables.add(full_name(node), columns)
    findings += unbounded_reads(nodes[key] for key in TopologicalSorter(parents).static_order())
    return {"checked": checked, "findings": findings}


def unbounded_reads(nodes: Iterable[dict[str, Any]]) -> Iterable[dict[str, str]]:
    """Name the models and tests that read every date of a table, directly or through a view."""
    partitioned: dict[str, str] = {}
    for node in nodes:
        name, config = f"{node['schema']}.{node['alias']}", node["config"]
        if config.get("partition_by"):
            partitioned[name] = config["partition_by"]["field"]
        found = unbounded(node.get("compiled_code") or "", partitioned)
        for table in found:
            if config["materialized"] == "view":
                has_own = DATE_OF_VIEWS in node["columns"]
                partitioned[name] = DATE_OF_VIEWS if has_own else partitioned[table]
            else:
                yield {"name": node["name"], "problem": f"reads every date of {table}"}


def in_backticks(statement: str, names: Iterable[str]) -> str:
    """Quote the names of tables: the analyser's catalog has no datasets."""
    for name in names:
        statement = re.sub(rf"(?<![\w`.]){re.escape(name)}(?![\w`])", f"`{name}`", statement)
    return statement


def check_statements(given: dict[str, Any]) -> dict[str, Any]:
    tables = Tables()
    for name, columns in given["tables"].items():
        tables.add(name, [(column, sql_type(kind)) for column, kind in columns])
    findings, checked = [], 0
    for text in given["statements"]:
        for statement in filter(str.strip, STATEMENT_END.split(text)):
            checked += 1
            try:
                tables.analyze(in_backticks(statement, given["tables"]))
            except DecodeError:
                pass
            except Exception as error:  # noqa: BLE001 (whatever it is, it is the finding)
                findings.append({"name": statement, "problem": first_line(error)})
        if given["partitioned"]:
            findings += [
                {"name": text, "problem": f"reads every date of {table}"}
                for table in unbounded(text, given["partitioned"])
            ]
    return {"checked": checked, "findings": findings}


def main(arguments: Sequence[str]) -> None:
    if arguments[0] == "compiled":
        result = check_compiled(Path(arguments[1]))
    else:
        result = check_statements(json.load(sys.stdin))
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
