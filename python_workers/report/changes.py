"""What the last run changed: restated rows, from the log of restatements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from python_workers import table_names
from python_workers.report.rows import RangeRows, Row

SHOWN_CHANGES = 100

_CHANGES = f"""
select
    processor_name, analysis_date, entity_id, change, changed_columns,
    count(*) over () as entries
from {table_names.RECORD_CHANGES}
where {{analysis_date}}
    and run_id = @run_id
order by analysis_date desc, processor_name, entity_id
limit @limit
"""  # noqa: S608 our own names

_BY_PROCESSOR = f"""
select
    processor_name, change, changed_columns, count(*) as entries,
    min(analysis_date) as first_date, max(analysis_date) as last_date
from {table_names.RECORD_CHANGES}
where {{analysis_date}}
    and run_id = @run_id
group by processor_name, change, changed_columns
"""  # noqa: S608 our own names


@dataclass(frozen=True)
class Restated:
    """The restated rows of a processor: their number, dates, and columns, most changed first."""

    processor_name: str
    updated: int
    deleted: int
    first_date: date
    last_date: date
    columns: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Changes:
    """Restated rows of a run: by processor, and up to `SHOWN_CHANGES` of them one by one."""

    by_processor: Sequence[Restated]
    entries: Sequence[Row]
    count: int


def read_changes(reader: RangeRows, run_id: str) -> Changes:
    """Return what a run restated in the range; nothing if there is no log yet."""
    needs = table_names.RECORD_CHANGES
    entries = reader.rows(_CHANGES, needs=needs, run_id=run_id, limit=SHOWN_CHANGES)
    groups: dict[str, list[Row]] = {}
    for row in reader.rows(_BY_PROCESSOR, needs=needs, run_id=run_id):
        groups.setdefault(row["processor_name"], []).append(row)
    return Changes(
        [_restated(name, rows) for name, rows in sorted(groups.items())],
        entries,
        entries[0]["entries"] if entries else 0,
    )


def _restated(name: str, rows: Sequence[Row]) -> Restated:
    columns: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for row in rows:
        kinds[row["change"]] += row["entries"]
        for column in filter(None, (row["changed_columns"] or "").split(",")):
            columns[column.strip()] += row["entries"]
    return Restated(
        name,
        kinds["updated"],
        kinds["deleted"],
        min(row["first_date"] for row in rows),
        max(row["last_date"] for row in rows),
        columns.most_common(),
    )
