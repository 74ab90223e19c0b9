"""Finds rows, failures and current records that the records of the runs do not explain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import pyarrow as pa

from python_workers import table_names
from python_workers.processors.base import Processor
from python_workers.processors.failures import CATEGORIES, CIRCUIT_BREAKER_ACTIVE
from python_workers.warehouse.base import Warehouse

NO_RUN_OF_ROWS = "no run record explains its rows"
NO_RUN_OF_FAILURES = "no run record explains its failures"
OTHER_RUN_RECORD = "the record of its run is missing or altered"

_ATTENTION = " + ".join(
    f"coalesce({category.column}, 0)"
    for category in CATEGORIES.values()
    if category.needs_attention
)
_ALL = " + ".join(f"coalesce({category.column}, 0)" for category in CATEGORIES.values())
# What `Counts.investigate` counts: a failure of no known category needs attention, too.
_INVESTIGATE = f"({_ATTENTION} + failures - ({_ALL}))"

_RUNS = f"""
select
    processor_name, analysis_date, run_id, calculation_version, output_digest, records, failures,
    case
        when status != (
            case
                when {_INVESTIGATE} > 0 then 'investigate'
                when failures > 0 then 'complete_with_expected_gaps'
                else 'complete'
            end
        ) then null
        else {_INVESTIGATE} - coalesce({CIRCUIT_BREAKER_ACTIVE.column}, 0)
    end as investigate
from {table_names.PROCESSOR_RUNS}
where analysis_date between @start and @end
"""  # noqa: S608 our own names


def unexplained_selects(warehouse: Warehouse, processors: Iterable[Processor]) -> list[str]:
    """Return the selects of what no run record explains, from ``@start`` to ``@end``.

    A row or failure needs a record of its run, processor and date. A current record needs the same
    digest, version and counts in the record of its run, and a status that fits them. Earlier runs,
    times and modes are not compared.

    Returns
    -------
    list
        Selects of ``kind``, ``processor_name``, ``analysis_date`` and ``fingerprint``, which holds
        the reason; none if nothing has been computed yet.
    """
    if not warehouse.has_table(table_names.PROCESSOR_RUNS):
        return []
    sources = [
        (f"'{processor.name}'", "analysis_date", processor.table, NO_RUN_OF_ROWS)
        for processor in processors
        if processor.engine == "pool"
    ]
    sources.append(
        ("processor_name", "analysis_date", table_names.PRECOMPUTE_FAILURES, NO_RUN_OF_FAILURES)
    )
    selects = [
        f"""
        select
            'unexplained' as kind, processor_name, analysis_date, '{reason}' as fingerprint
        from (
            select distinct written.processor_name, written.analysis_date
            from (
                select distinct {name} as processor_name, {day} as analysis_date, run_id
                from {table} where {day} between @start and @end
            ) as written
            left join ({_RUNS}) as runs
                on written.processor_name = runs.processor_name
                and written.analysis_date = runs.analysis_date
                and written.run_id = runs.run_id
            where runs.run_id is null
        ) as unexplained
        """  # noqa: S608 our own names
        for name, day, table, reason in sources
        if warehouse.has_table(table)
    ]
    if warehouse.has_table(table_names.PROCESSED_DATES):
        selects.append(
            f"""
            select
                'unexplained' as kind, processor_name, analysis_date,
                '{OTHER_RUN_RECORD}' as fingerprint
            from (
                select recorded.processor_name, recorded.analysis_date
                from {table_names.PROCESSED_DATES} as recorded
                left join ({_RUNS}) as runs
                    on recorded.processor_name = runs.processor_name
                    and recorded.analysis_date = runs.analysis_date
                    and recorded.run_id = runs.run_id
                    and recorded.calculation_version = runs.calculation_version
                    and recorded.output_digest = runs.output_digest
                    and recorded.records = runs.records
                    and recorded.failures = runs.failures
                    and recorded.investigate = runs.investigate
                where recorded.analysis_date between @start and @end
                group by recorded.processor_name, recorded.analysis_date
                having count(runs.run_id) = 0
            ) as unexplained
            """  # noqa: S608 our own names
        )
    return selects


def are_explained(
    warehouse: Warehouse, processor: Processor, days: Sequence[date], written: pa.Table
) -> pa.Array:
    """Return for each row of `written` whether a run record of its date explains its ``run_id``.

    Parameters
    ----------
    warehouse, processor, days
        Whose rows they are, and their dates.
    written
        Rows with ``analysis_date`` and ``run_id``.
    """
    runs = warehouse.query(
        f"select analysis_date, run_id from {table_names.PROCESSOR_RUNS} "  # noqa: S608 our own name
        "where processor_name = @processor and analysis_date between @first and @last",
        {"processor": processor.name, "first": min(days), "last": max(days)},
    )
    known = set(
        zip(
            runs.column("analysis_date").to_pylist(), runs.column("run_id").to_pylist(), strict=True
        )
    )
    given = zip(
        written.column("analysis_date").to_pylist(),
        written.column("run_id").to_pylist(),
        strict=True,
    )
    return pa.array([each in known for each in given], pa.bool_())
