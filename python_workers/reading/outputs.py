"""The tables for readers, by the names that commands and the Python interface use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from python_workers import table_names
from python_workers.processors.base import PoolWork, Processor
from python_workers.processors.catalogue import BY_KEY, PROCESSORS
from python_workers.processors.feature_store import FEATURE_STORE
from python_workers.reading.scope import Scope
from python_workers.warehouse.base import Warehouse, checked_identifier


@dataclass(frozen=True)
class Output:
    """A table for readers.

    Parameters
    ----------
    name
        Name in commands.
    table
        Schema and table.
    date_column
        The column with the date of a row.
    order
        Columns that order the rows of a date; with the date they identify a row.
    processor
        The processor whose rows they are or come from; None for those of all.
    """

    name: str
    table: str
    date_column: str
    order: tuple[str, ...]
    processor: Processor | None

    @property
    def processors(self) -> tuple[Processor, ...]:
        """Processors whose gaps are gaps of this table: its own, and those that it reads."""
        return PROCESSORS if self.processor is None else _with_upstream(self.processor)

    @property
    def versions_column(self) -> str | None:
        """The column with the version of a row's calculation; None if the table has none."""
        if self.processor is FEATURE_STORE:
            return "feature_version"
        is_pool = self.processor is not None and isinstance(self.processor.work, PoolWork)
        return "calculation_version" if is_pool else None


def _with_upstream(processor: Processor) -> tuple[Processor, ...]:
    keys = {processor.key}
    while True:
        more = keys | {key for each in keys for key in BY_KEY[each].upstream}
        if more == keys:
            return tuple(each for each in PROCESSORS if each.key in keys)
        keys = more


TRAINING_EXAMPLES = Output(
    "training_examples",
    table_names.TRAINING_EXAMPLES,
    "game_date",
    ("player_id",),
    FEATURE_STORE,
)
FAILURES = Output(
    "failures",
    table_names.PRECOMPUTE_FAILURES,
    "analysis_date",
    ("processor_name", "entity_id"),
    None,
)
OUTPUTS: Mapping[str, Output] = {
    output.name: output
    for output in (
        TRAINING_EXAMPLES,
        *(
            Output(each.key, each.table, each.date_column, (each.entity,), each)
            for each in PROCESSORS
        ),
        FAILURES,
    )
}
"""All of them, by name."""


def read_output(
    warehouse: Warehouse,
    output: Output,
    scope: Scope,
    *,
    where: Iterable[str] = (),
    columns: Sequence[str] | None = None,
    **parameters: object,
) -> pa.Table:
    """Return rows of a table in the order of dates and entities.

    Parameters
    ----------
    warehouse, output
        What to read.
    scope
        The dates.
    where
        More conditions, in portable SQL.
    columns
        Names of the columns; None takes all.
    **parameters
        Parameters of the conditions.
    """
    chosen = "*" if columns is None else ", ".join(map(checked_identifier, columns))
    conditions = " and ".join([scope.condition(output.date_column), *where])
    order = ", ".join((output.date_column, *output.order))
    return warehouse.query(
        f"select {chosen} from {output.table} where {conditions} order by {order}",  # noqa: S608
        scope.parameters(**parameters),
    )
