"""Run queries on Google's own engine, in this process; needs the emulator's environment.

Reads `{name: {"sql": text, "tables": {name: TABLE, ...}}, ...}` from standard input; a TABLE is
`{"columns": [[column, type], ...], "rows": [[value, ...], ...]}`. A value is JSON or the text that
dbt's CSV fixtures have for it; a date is ISO text. Prints, by the name of each query,
`{"columns": [...], "rows": [...]}` or `{"problem": text}`.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Callable
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from zetasql.api import CatalogBuilder, PreparedQuery, TableBuilder
from zetasql.types import AnalyzerOptions, TableContent, TableData, TypeKind, Value

from tests.python.bigquery.googlesql import FUNCTIONS, LANGUAGE, QUOTED_PARTS, first_line, sql_type

EPOCH = dt.date(1970, 1, 1)
BOOLEANS = {"true": True, "false": False}


def instant(text: str) -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(dt.datetime.fromisoformat(text))
    return moment


def unreadable(moment: object) -> str:
    """Refuse: the wheel returns an instant without its value."""
    message = f"{moment!r} cannot be read; select unix_micros() of it"
    raise TypeError(message)


# Per type: the field of a value, how to write and how to read it.
Conversion = tuple[str, Callable[[Any], Any], Callable[[Any], Any]]
CONVERSIONS: dict[Any, Conversion] = {
    TypeKind.TYPE_INT64: ("int64_value", int, int),
    TypeKind.TYPE_DOUBLE: ("double_value", float, float),
    TypeKind.TYPE_STRING: ("string_value", str, str),
    TypeKind.TYPE_BOOL: ("bool_value", lambda value: BOOLEANS[str(value).lower()], bool),
    TypeKind.TYPE_DATE: (
        "date_value",
        lambda text: (dt.date.fromisoformat(text) - EPOCH).days,
        lambda days: str(EPOCH + dt.timedelta(days=days)),
    ),
    TypeKind.TYPE_TIMESTAMP: ("timestamp_value", instant, unreadable),
}


def cell(kind: Any, value: Any) -> Value:
    if value is None:
        return Value()
    field, written, _ = CONVERSIONS[kind]
    return Value(**{field: written(value)})


def value_of(kind: Any, one: Value) -> Any:
    field, _, read = CONVERSIONS[kind]
    value = getattr(one, field)
    return None if value is None else read(value)


def evaluate(sql: str, tables: dict[str, Any]) -> dict[str, Any]:
    catalog = CatalogBuilder("catalog")
    contents = {}
    for name, table in tables.items():
        builder = TableBuilder(name)
        types = [sql_type(kind) for _, kind in table["columns"]]
        for (column, _), column_type in zip(table["columns"], types, strict=True):
            builder.add_column(column, column_type)
        catalog.add_table(builder.build())
        rows = [
            TableData.Row(
                cell=[cell(one.type_kind, value) for one, value in zip(types, row, strict=True)]
            )
            for row in table["rows"]
        ]
        contents[name] = TableContent(table_data=TableData(row=rows))
    query = (
        PreparedQuery.builder()
        .set_sql(QUOTED_PARTS.sub(r"`\1.\2.\3`", sql))
        .set_analyzer_options(AnalyzerOptions(language_options=LANGUAGE))
        .set_catalog(catalog.with_builtin_functions(FUNCTIONS).build())
        .set_table_content(contents)
        .prepare()
    )
    with query:
        found = query.execute().content.table_data.row
    kinds = [column.type.type_kind for column in query.columns]
    return {
        "columns": [column.name for column in query.columns],
        "rows": [
            [value_of(kind, one) for kind, one in zip(kinds, row.cell, strict=True)]
            for row in found
        ],
    }


def main() -> None:
    answers: dict[str, Any] = {}
    for name, query in json.load(sys.stdin).items():
        try:
            answers[name] = evaluate(query["sql"], query["tables"])
        except Exception as error:  # noqa: BLE001 (whatever it is, it is the answer)
            answers[name] = {"problem": first_line(error)}
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
