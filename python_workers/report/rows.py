"""Runs the report's statements on its range, with SQL for both engines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from python_workers.reading.scope import Scope
from python_workers.warehouse.base import Warehouse

Row = Mapping[str, Any]


@dataclass(frozen=True)
class RangeRows:
    """Runs statements on the range: ``{column}`` becomes the condition on a date column."""

    warehouse: Warehouse
    scope: Scope

    def rows(self, sql: str, *, needs: str | None = None, **parameters: object) -> list[Row]:
        """Return the rows of a statement; none if the table that it `needs` does not exist."""
        if needs is not None and not self.warehouse.has_table(needs):
            return []
        found: list[Row] = self.warehouse.query(
            ranged(sql, self.scope), self._parameters(sql, parameters)
        ).to_pylist()
        return found

    def _parameters(self, sql: str, others: Mapping[str, object]) -> Mapping[str, object]:
        return self.scope.parameters(**others) if "{" in sql else others


def ranged(sql: str, scope: Scope) -> str:
    """Insert the condition on the date column into a statement.

    Parameters
    ----------
    sql
        A statement of this room; ``{column}`` stands for the condition on a date column.
    scope
        The dates to select.
    """
    return re.sub(r"\{([\w.]+)\}", lambda found: scope.condition(found[1]), sql)
