"""The current record of each processor and date, and its stored rows.

`PROCESSED_DATES` has one record per (processor, date), which the transaction that writes the rows
replaces. The record and the rows themselves, not a clock, decide which dates a backfill skips.
``processor_runs`` is the history.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa

from python_workers import table_names
from python_workers.accounting.run_explanations import unexplained_selects
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import BY_NAME, PROCESSORS
from python_workers.warehouse.base import Statement, TableChange, Warehouse

UNVERIFIED = "unverified"
"""Upstream digests of a date whose rows `dbt run` built at an unknown time."""

BUILT_BY_HAND = "built by dbt run, perhaps before what it reads"

NO_ROWS = "0"

BOOKKEEPING = ("run_id", "created_at", "processed_at")
"""Columns of rows and failures that do not depend on the computation."""

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
                "failures_fingerprint",
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
    rows_fingerprint, failures_fingerprint
        The rows and failures as `read_stored` finds them: their number and a hash of them.
    """

    calculation_version: str
    read: WhatIsRead
    output_digest: str
    records: int = 0
    failures: int = 0
    investigate: int = 0
    rows_fingerprint: str = NO_ROWS
    failures_fingerprint: str = NO_ROWS

    @property
    def is_verified(self) -> bool:
        """Whether the rows are known to be of the upstream rows, not built by `dbt run`."""
        return self.read.upstream_digests != UNVERIFIED


@dataclass(frozen=True)
class Stored:
    """Fingerprints of the stored rows and failures of a (processor, date).

    A fingerprint is ``number:exclusive or:sum`` of the hashes of all columns but `BOOKKEEPING`.
    `unexplained` says what no record of a run explains; it is empty if the records explain all.
    """

    rows_fingerprint: str = NO_ROWS
    failures_fingerprint: str = NO_ROWS
    unexplained: str = ""

    @property
    def records(self) -> int:
        """Number of its rows."""
        return int(self.rows_fingerprint.partition(":")[0])

    @property
    def failures(self) -> int:
        """Number of its failures."""
        return int(self.failures_fingerprint.partition(":")[0])

    def lacks_rows(self, current: Processed) -> bool:
        """Tell whether rows or failures of the current record are gone."""
        return self.records < current.records or self.failures < current.failures

    def difference(self, current: Processed) -> str:
        """Describe how the stored rows differ from the records; empty if they do not.

        All commands judge a date by this.
        """
        if self.records != current.records or self.failures != current.failures:
            return (
                f"{self.records:,} of {current.records:,} rows and {self.failures:,} of "
                f"{current.failures:,} failures are there"
            )
        for what, stored, recorded in (
            ("rows", self.rows_fingerprint, current.rows_fingerprint),
            ("failures", self.failures_fingerprint, current.failures_fingerprint),
        ):
            if recorded == NO_ROWS != stored:
                return f"an earlier version recorded no fingerprint of its {what}"
            if stored != recorded:
                return f"its {what} differ from those recorded"
        return self.unexplained


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
            WhatIsRead(row["input_fingerprint"], row["upstream_digests"] or "", row["daily_mark"]),
            row["output_digest"],
            row["records"],
            row["failures"],
            row["investigate"],
            row["rows_fingerprint"] or NO_ROWS,
            row["failures_fingerprint"] or NO_ROWS,
        )
        for row in records
        # Compute a date again whose record stands twice: the commit leaves one.
        if times[row["processor_name"], row["analysis_date"]] == 1
    }


def count_current(
    warehouse: Warehouse, processors: Iterable[Processor], start: date, end: date
) -> int:
    """Count the current records of some processors in a range, both ends included."""
    if not warehouse.has_table(table_names.PROCESSED_DATES):
        return 0
    found = warehouse.query(
        f"select count(*) as records from {table_names.PROCESSED_DATES} "  # noqa: S608 our own name
        "where analysis_date between @start and @end and processor_name in unnest(@names)",
        {"start": start, "end": end, "names": [processor.name for processor in processors]},
    )
    return int(found.column("records")[0].as_py())


def read_stored(
    warehouse: Warehouse, start: date, end: date, processors: Iterable[Processor] = PROCESSORS
) -> dict[tuple[str, date], Stored]:
    """Fingerprint the stored rows and failures of a range, both ends included, in one query."""
    given = tuple(processors)
    selects = _fingerprints(warehouse, given)
    if not selects:
        return {}
    selects += unexplained_selects(warehouse, given)
    found: dict[tuple[str, date], dict[str, str]] = {}
    rows = warehouse.query(" union all ".join(selects), {"start": start, "end": end})
    for row in rows.to_pylist():
        if row["processor_name"] in BY_NAME:
            key = BY_NAME[row["processor_name"]].key, row["analysis_date"]
            found.setdefault(key, {})[row["kind"]] = row["fingerprint"]
    return {key: Stored(**fingerprints) for key, fingerprints in found.items()}


def record_stored(warehouse: Warehouse, processor: Processor, days: Sequence[date]) -> Statement:
    """Return the statement that records the fingerprints of what stands on some dates.

    It belongs into the transaction that writes the rows, the failures and their records.
    """
    selects = _fingerprints(warehouse, [processor], "analysis_date in unnest(@days)")
    sql = f"""
    update {table_names.PROCESSED_DATES} as recorded
    set
        rows_fingerprint = coalesce(stored.rows_fingerprint, '{NO_ROWS}'),
        failures_fingerprint = coalesce(stored.failures_fingerprint, '{NO_ROWS}')
    from (
        select
            analysis_date,
            max(case when kind = 'rows_fingerprint' then fingerprint end) as rows_fingerprint,
            max(case when kind = 'failures_fingerprint' then fingerprint end)
                as failures_fingerprint
        from ({" union all ".join(selects)}) as each_kind
        where processor_name = @processor
        group by analysis_date
    ) as stored
    where recorded.processor_name = @processor
        and recorded.analysis_date between @start and @end
        and recorded.analysis_date = stored.analysis_date
    """  # noqa: S608 our own names
    params = {"processor": processor.name, "start": min(days), "end": max(days)}
    return Statement(sql, {**params, "days": list(days)})


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
                "failures_fingerprint": record.failures_fingerprint,
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


def _fingerprints(
    warehouse: Warehouse, processors: Iterable[Processor], condition: str = "true"
) -> list[str]:
    """Return the selects of ``kind``, ``processor_name``, ``analysis_date``, ``fingerprint``.

    They read ``@start`` to ``@end``, and of these the dates that fulfil `condition`.
    """
    sources = [
        ("rows_fingerprint", f"'{processor.name}'", processor.date_column, processor.table)
        for processor in processors
    ]
    sources.append(
        (
            "failures_fingerprint",
            "processor_name",
            "analysis_date",
            table_names.PRECOMPUTE_FAILURES,
        )
    )
    selects = []
    for kind, name, day, table in sources:
        if not warehouse.has_table(table):
            continue
        names = [column.name for column in warehouse.columns(table)]
        hashed = warehouse.hash_of([each for each in names if each not in BOOKKEEPING])
        # Take a sum, too: the same change in two rows may leave the exclusive or unchanged.
        # Hash before the condition: DuckDB may keep what it joins to the dates, here whole rows.
        selects.append(
            f"""
            select
                '{kind}' as kind, processor_name, analysis_date,
                concat(
                    cast(count(*) as string), ':', cast(bit_xor(row_hash) as string), ':',
                    cast(sum(mod(row_hash, {_PRIME})) as string)
                ) as fingerprint
            from (
                select {name} as processor_name, {day} as analysis_date, {hashed} as row_hash
                from {table} where {day} between @start and @end
            ) as hashed
            where {condition}
            group by processor_name, analysis_date
            """  # noqa: S608 our own names
        )
    return selects
