"""The log of restated rows: which stored rows a run updated or deleted, and in which columns.

Python writes the entries of the pool's processors in the transaction that writes the rows; dbt does
so for its own (macros/record_changes.sql). First inserts have no entry.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from python_workers import table_names
from python_workers.accounting.record_diff import RecordDiff, diff_records, differing
from python_workers.accounting.run_records import Run
from python_workers.processors.base import Processor
from python_workers.warehouse.base import TableChange, Warehouse

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("processor_name", "run_id", "change", "entity_id")),
        ("player_id", pa.int64()),
        *((name, pa.string()) for name in ("old_hash", "new_hash", "changed_columns")),
        ("analysis_date", pa.date32()),
        ("changed_at", pa.timestamp("us", tz="UTC")),
    ]
)
"""The entries of the log."""

_KEY = ("analysis_date", "player_id")


def record_changes(
    warehouse: Warehouse,
    processor: Processor,
    run: Run,
    rows: pa.Table,
    touched: set[date],
    now: datetime,
) -> list[TableChange]:
    """Return the log entries for the stored rows that new rows update or delete.

    Parameters
    ----------
    warehouse
        Still holds the rows from before the commit.
    processor, run
        Whose rows they are, and the run that writes them.
    rows
        All new rows of the commit's dates, without bookkeeping columns.
    touched
        Dates on which a stored row is updated or deleted.
    now
        The time of the commit.
    """
    if not touched or not warehouse.has_table(table_names.RECORD_CHANGES):
        return []
    days = sorted(touched)
    stored = warehouse.query(
        f"select {', '.join(rows.column_names)} from {processor.table} "  # noqa: S608 our own names
        "where analysis_date between @first and @last and analysis_date in unnest(@days)",
        {"first": days[0], "last": days[-1], "days": days},
    )
    of_days = pa.array(days, pa.date32())
    new = rows.filter(pc.is_in(rows.column("analysis_date"), of_days))
    values = [name for name in rows.column_names if name not in _KEY]
    diff = diff_records(stored, new, _KEY, values)
    entries = pa.concat_tables(
        [
            _entries(
                processor,
                stored.take(pa.array(diff.replaced)),
                new.take(pa.array(diff.updated)),
                _changed_columns(stored, new, diff, values),
                "updated",
            ),
            _entries(processor, stored.take(pa.array(diff.deleted)), None, None, "deleted"),
        ]
    )
    if not entries.num_rows:
        return []
    entries = _first_of_each(entries)
    entries = entries.append_column("run_id", pa.repeat(run.run_id, entries.num_rows))
    instants = pa.repeat(pa.scalar(now, SCHEMA.field("changed_at").type), entries.num_rows)
    entries = entries.append_column("changed_at", instants)
    return [
        TableChange(
            table_names.RECORD_CHANGES,
            table_names.RECORD_KEYS[table_names.RECORD_CHANGES],
            entries.select(SCHEMA.names),
        )
    ]


def forget_old_changes(warehouse: Warehouse, keep_days: int, now: datetime) -> None:
    """Delete the entries that are older than a number of days."""
    if warehouse.has_table(table_names.RECORD_CHANGES):
        warehouse.execute(
            f"delete from {table_names.RECORD_CHANGES} where changed_at < @before",  # noqa: S608 our own name
            {"before": now - timedelta(days=keep_days)},
        )


def _entries(
    processor: Processor,
    old: pa.Table,
    new: pa.Table | None,
    columns: pa.Array | None,
    change: str,
) -> pa.Table:
    count = old.num_rows
    nothing = pa.nulls(count, pa.string())
    return pa.table(
        {
            "processor_name": pa.repeat(processor.name, count),
            "change": pa.repeat(change, count),
            # A damaged row may lack its name, or have that of another row.
            "entity_id": pc.coalesce(
                (old if new is None else new).column(processor.entity_name),
                old.column("player_id").cast(pa.string()),
                "?",
            ),
            "player_id": old.column("player_id"),
            "old_hash": old.column("data_hash"),
            "new_hash": nothing if new is None else new.column("data_hash"),
            "changed_columns": nothing if columns is None else columns,
            "analysis_date": old.column("analysis_date"),
        },
        schema=pa.schema([field for field in SCHEMA if field.name not in ("run_id", "changed_at")]),
    )


def _first_of_each(entries: pa.Table) -> pa.Table:
    """Return one entry for each entity of a date: damaged rows may share a name."""
    key = ["analysis_date", "entity_id"]
    numbered = entries.select(key).append_column("nth", pa.array(np.arange(entries.num_rows)))
    first = numbered.group_by(key).aggregate([("nth", "min")]).column("nth_min")
    return entries if len(first) == entries.num_rows else entries.take(first.sort())


def _changed_columns(
    stored: pa.Table, new: pa.Table, diff: RecordDiff, values: list[str]
) -> pa.Array:
    """Return for each updated row the names of its changed columns, in the order of the table."""
    ours, theirs = pa.array(diff.updated), pa.array(diff.replaced)
    masks = {
        name: differing(new.column(name).take(ours), stored.column(name).take(theirs))
        for name in values
    }
    changed = {name: mask for name, mask in masks.items() if mask.any() and name != "data_hash"}
    if not changed:  # all that changes is a key that was stored twice
        return pa.repeat("", len(ours))
    # Most rows of a restatement change in the same few columns: name each set of columns once.
    patterns = np.array(list(changed.values()), np.bool_).reshape(len(changed), len(ours)).T
    sets, codes = np.unique(patterns, axis=0, return_inverse=True)
    names = np.array(list(changed), np.str_)
    texts = pa.array([", ".join(names[members].tolist()) for members in sets], pa.string())
    return texts.take(pa.array(codes.reshape(-1)))
