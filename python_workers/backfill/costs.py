"""Estimates the bytes that a backfill's statements would read on BigQuery, and their price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from python_workers.accounting.schedule import Schedule
from python_workers.backfill.coverage_tests import COVERAGE_TESTS
from python_workers.backfill.dbt_project import CompiledNode, DbtProject
from python_workers.backfill.pool_stage import dates_as_parameters, input_statements
from python_workers.backfill.run import INPUTS
from python_workers.processors.base import Processor
from python_workers.warehouse.bigquery.warehouse import BigQueryWarehouse

BYTES_PER_TIB = 1 << 40

# The other materialisations read nothing: views, ephemeral models, tables that workers fill.
READING = ("table", "date_range", "test")


@dataclass(frozen=True)
class Estimate:
    """A statement and the bytes it would read; None if one of its tables does not exist yet."""

    statement: str
    bytes: int | None


def price(size: int, usd_per_tib: float) -> float:
    """Return the price of reading so many bytes, in US dollars."""
    return size / BYTES_PER_TIB * usd_per_tib


def estimates(
    warehouse: BigQueryWarehouse,
    project: DbtProject,
    schedule: Schedule,
    processors: Sequence[Processor],
) -> list[Estimate]:
    """Dry-run every large statement of a backfill, which is free of charge.

    Parameters
    ----------
    warehouse, project
        The warehouse estimates statements; the project compiles the models.
    schedule, processors
        The dates and processors of the backfill. The estimate does not include commits, which
        rewrite the partitions of their dates.
    """
    models = [processor.model for processor in processors if processor.engine == "sql"]
    nodes = project.compiled([*INPUTS, *models, *COVERAGE_TESTS], schedule.start, schedule.end)
    found = [
        Estimate(node.name, warehouse.dry_run(_statement(warehouse, node, schedule)))
        for node in sorted(nodes, key=lambda node: node.materialized == "test")
        if node.materialized in READING
    ]
    return [*found, *_pool_reads(warehouse, schedule, processors)]


def _statement(warehouse: BigQueryWarehouse, model: CompiledNode, schedule: Schedule) -> str:
    """Return the statement that dbt would send: a MERGE over the range if the table exists."""
    if model.materialized != "date_range" or not warehouse.has_table(model.name):
        return model.sql
    columns = ", ".join(model.columns)
    days = f"date '{schedule.start}' and date '{schedule.end}'"
    return (
        f"merge into `{model.name}` as old_rows "  # noqa: S608 our own names
        f"using (select {columns} from (\n{model.sql}\n)) "
        f"as new_rows on false when not matched by source and old_rows.{model.date_column} "
        f"between {days} then delete "
        f"when not matched then insert ({columns}) values ({columns})"
    )


def _pool_reads(
    warehouse: BigQueryWarehouse, schedule: Schedule, processors: Sequence[Processor]
) -> Iterator[Estimate]:
    for processor in processors:
        if processor.engine != "pool":
            continue
        for name, sql in input_statements(processor).items():
            size = warehouse.dry_run(sql, dates_as_parameters(schedule.dates))
            yield Estimate(f"{processor.key} reads {name}", size)
