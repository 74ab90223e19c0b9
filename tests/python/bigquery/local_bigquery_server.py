"""Start local-bigquery with what it lacks of BigQuery; takes its starter's path and arguments.

Runs in the emulator's own environment. The starter stands beside the clone and has other repairs.
"""

from __future__ import annotations

import re
import runpy
import sys
import threading
from typing import Any

import duckdb
from local_bigquery.jobs import merge  # type: ignore[import-not-found]
from local_bigquery.jobs import query as _query  # noqa: F401 -- it holds the function, too
from local_bigquery.sql import script  # type: ignore[import-not-found]

BOUNDARY = re.compile(r"^\s*(begin|commit|rollback)\b", re.IGNORECASE)

apply_merge = merge.run
run_script = script.Interpreter.run
run_statement = script.Interpreter.sql
state = threading.local()


class InTransaction:
    """A cursor inside a transaction: another BEGIN is refused and does not abort the first."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def execute(self, sql: str, *bound: Any) -> Any:
        if sql == "BEGIN":
            raise duckdb.TransactionException("a transaction has begun")
        return self._cursor.execute(sql, *bound)


def run_outside(self: Any, statements: Any) -> Any:
    state.is_open = False
    try:
        return run_script(self, statements)
    finally:
        state.is_open = False


def run_noting_boundaries(self: Any, statement: Any) -> Any:
    result = run_statement(self, statement)
    boundary = BOUNDARY.match(statement.text)
    if boundary is not None:
        state.is_open = boundary[1].lower() == "begin"
    return result


def merge_in_transaction(cursor: Any, tree: Any, context: Any) -> Any:
    """Run a MERGE, also inside a transaction."""
    inside = InTransaction(cursor) if getattr(state, "is_open", False) else cursor
    return apply_merge(inside, tree, context)


script.Interpreter.run = run_outside
script.Interpreter.sql = run_noting_boundaries
for module in [each for name, each in sys.modules.items() if name.startswith("local_bigquery")]:
    for name, value in list(vars(module).items()):
        if value is apply_merge:
            setattr(module, name, merge_in_transaction)

if __name__ == "__main__":
    starter = sys.argv.pop(1)
    runpy.run_path(starter, run_name="__main__")
