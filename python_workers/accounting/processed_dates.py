"""The current record of each processor and date, and its stored rows.

`PROCESSED_DATES` has one record per (processor, date), which the transaction that writes the rows
replaces. The record and the rows themselves, not a clock, decide which dates a backfill skips.
``processor_runs`` is the history.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa

from python_workers import table_names
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import BY_NAME, PROCESSORS
from python_workers.warehouse.base import TableChange, Warehouse

UNVERIFIED = "unverified"
"""Upstream digests of a date whose rows `dbt run` built at an unknown time."""

NO_ROWS = "0"

# The sum of remainders modulo this prime fits an INT64.
_PRIME = 2**31 - 1

_KEY = ("processor_name", "analysis_date")
_SCHEMA = pa.schema(
    [
        *(
            (name, pa.string())
            for name in (
                "processor_name",
                "run_id",
                "calculation_version",
                "input_fingerprint",
                "daily_mark",
                "upstream_digests",
                "output_digest",
                "rows_fingerprint",
            )
        ),
        *((name, pa.int64()) for name in ("records", "failures", "investigate")),
        ("analysis_date", pa.date32()),
        ("finished_at", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True)
class WhatIsRead:
    """The fingerprints of what the computation of a date reads.

    Parameters
    ----------
    input_fingerprint
        Fingerprint of the processor's input rows.
    upstream_digests
        Output digests of the upstream processors, as in ``tdza:1f…|psza:9c…``; empty without
        upstream.
    daily_mark
        Decisions of daily mode; empty in a backfill.
    """

    input_fingerprint: str
    upstream_digests: str = ""
    daily_mark: str = ""

    @property
    def fingerprint(self) -> str:
        """All three as one text, as in ``processor_runs.input_fingerprint``."""
        upstream = hashlib.sha256(self.upstream_digests.encode()).hexdigest()[:16]
        return f"{self.input_fingerprint}{self.daily_mark}/{upstream}"


@dataclass(frozen=True)
class Processed:
    """The current record of a (processor, date).

    Parameters
    ----------
    calculation_version, read
        The version of the calculation, and the fingerprints of what it read.
    output_digest
        Digest of the rows and failures.
    records, failures, investigate
        Numbers of rows, of failures, and of failures to investigate.
    rows_fingerprint
        The result of `read_stored`: the number of rows and, if dbt writes them, their hash.
    """

    calculation_version: str
    read: WhatIsRead
    output_digest: str
    records: int = 0
    failures: int = 0
    investigate: int = 0
    rows_fingerprint: str = NO_ROWS

    @property
    def is_verified(self) -> bool:
        """Whether the rows are known to be of the upstream rows, not built by `dbt run`."""
        return self.read.upstream_digests != UNVERIFIED


@dataclass(frozen=True)
class Stored:
    """The stored rows and failures of a (processor, date)."""

    rows_fingerprint: str = NO_ROWS
    failures: int = 0

    @property
    def records(self) -> int:
        """Number of its rows."""
        return int(self.rows_fingerprint.partition(":")[0])

    def difference(self, current: Processed) -> str:
        """Describe how the stored rows differ from the current record; empty if they do not."""
        if self.records != current.records or self.failures != current.failures:
            return (
                f"{self.records:,} of {current.records:,} rows and {self.failures:,} of "
                f"{current.failures:,} failures are there"
            )
        if self.rows_fingerprint != current.rows_fingerprint:
            return "its rows have changed since they were computed"
        return ""


ByDate = dict[tuple[str, date], Processed]
"""Current records by (processor key, date)."""


def read_current(warehouse: Warehouse, start: date, end: date) -> ByDate:
    """Read the current records of a range, both ends included."""
    if not warehouse.has_table(table_names.PROCESSED_DATES):
        return {}
    rows = warehouse.query(
        f"select {', '.join(_SCHEMA.names)} from {table_names.PROCESSED_DATES} "  # noqa: S608 our own names
        "where analysis_date between @start and @end",
        {"start": start, "end": end},
    )
    records = [row for row in rows.to_pylist() if row["processor_name"] in BY_NAME]
    times = Counter((row["processor_name"], row["analysis_date"]) for row in records)
    return {
        (BY_NAME[row["processor_name"]].key, row["analysis_date"]): Processed(
            row["calculation_version"],
            WhatIsRead(row["input_fingerprint"], row["upstream_digests"], row["daily_mark"]),
            row["output_digest"],
            row["records"],
            row["failures"],
            row["investigate"],
            row["rows_fingerprint"],
        )
        for row in records
        # Compute a date again whose record stands twice: the commit leaves one.
        if times[row["processor_name"], row["analysis_date"]] == 1
    }


def read_stored(
    warehouse: Warehouse, start: date, end: date, processors: Iterable[Processor] = PROCESSORS
) -> dict[tuple[str, date], Stored]:
    """Count the stored rows and failures of a range, both ends included, in one query.

    Also hash the rows that dbt writes: a user may have built them by hand.
    """
    found: dict[tuple[str, date], str] = {}
    failures: dict[tuple[str, date], int] = {}
    selects = [
        _count_rows(warehouse, processor)
        for processor in processors
        if warehouse.has_table(processor.table)
    ]
    if warehouse.has_table(table_names.PRECOMPUTE_FAILURES):
        selects.append(
            f"select 'failures' as kind, processor_name, analysis_date, count(*) as n, "  # noqa: S608 our own names
            "cast(null as int64) as hashes, cast(null as int64) as total "
            f"from {table_names.PRECOMPUTE_FAILURES} where analysis_date between @start and @end "
            "group by processor_name, analysis_date"
        )
    if not selects:
        return {}
    counted = warehouse.query(" union all ".join(selects), {"start": start, "end": end})
    for row in counted.to_pylist():
        if row["processor_name"] not in BY_NAME:
            continue
        key = BY_NAME[row["processor_name"]].key, row["analysis_date"]
        if row["kind"] == "failures":
            failures[key] = row["n"]
        elif row["hashes"] is None:
            found[key] = str(row["n"])
        else:
            found[key] = f"{row['n']}:{row['hashes']}:{row['total']}"
    return {
        key: Stored(found.get(key, NO_ROWS), failures.get(key, 0))
        for key in found.keys() | failures.keys()
    }


def current_change(
    processor: Processor, run_id: str, records: Mapping[date, Processed], now: datetime
) -> TableChange:
    """Return the change that replaces the current records of some dates; it is idempotent."""
    rows = pa.Table.from_pylist(
        [
            {
                "processor_name": processor.name,
                "run_id": run_id,
                "calculation_version": record.calculation_version,
                "input_fingerprint": record.read.input_fingerprint,
                "daily_mark": record.read.daily_mark,
                "upstream_digests": record.read.upstream_digests,
                "output_digest": record.output_digest,
                "rows_fingerprint": record.rows_fingerprint,
                "records": record.records,
                "failures": record.failures,
                "investigate": record.investigate,
                "analysis_date": day,
                "finished_at": now,
            }
            for day, record in sorted(records.items())
        ],
        schema=_SCHEMA,
    )
    return TableChange(table_names.PROCESSED_DATES, _KEY, rows)


def _count_rows(warehouse: Warehouse, processor: Processor) -> str:
    hashes, total = "cast(null as int64)", "cast(null as int64)"
    if processor.engine == "sql":
        hashes = f"bit_xor({warehouse.row_hash})"
        total = f"cast(sum(mod({warehouse.row_hash}, {_PRIME})) as int64)"
    day = processor.date_column
    return (
        f"select 'rows' as kind, '{processor.name}' as processor_name, {day} as analysis_date, "  # noqa: S608 our own names
        f"count(*) as n, {hashes} as hashes, {total} as total "
        f"from {processor.table} as t where {day} between @start and @end group by {day}"
    )
