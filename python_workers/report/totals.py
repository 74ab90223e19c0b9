"""Sums the coverage, and summarises it in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from python_workers.accounting.coverage import COUNTS, INVESTIGATE, Coverage
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import PROCESSORS
from python_workers.processors.failures import CATEGORIES

Level = Literal["good", "attention", "bad", "empty"]

EXPECTED_GAPS = tuple(
    category.column for category in CATEGORIES.values() if not category.needs_attention
)


@dataclass(frozen=True)
class Totals:
    """Outcomes of all expected entities; ``expected`` is the sum of the next five.

    Parameters
    ----------
    expected
        Entities (players and teams) of every processor and date.
    records
        Rows. Rows of duplicated and unexpected entities are also counted in `duplicated` and
        `unexpected`.
    expected_gaps, investigate
        Failures of expected categories, and the others.
    unaccounted
        Entities with neither row nor failure, on dates that have run.
    not_run
        Entities of processor-dates that have not run yet.
    duplicated, unexpected
        Entities with more than one row or failure; entities with either that were not expected.
    without_run
        Processor-dates that have rows or failures but no record of a run.
    stale
        Stale processor-dates.
    by_category
        Failures by category.
    processor_dates, processor_dates_run
        Pairs of a processor and a game date, and those of them that have run.
    raw_errors
        Wrong raw rows, which the models omit and somebody must correct.
    """

    expected: int
    records: int
    expected_gaps: int
    investigate: int
    unaccounted: int
    not_run: int
    duplicated: int
    unexpected: int
    without_run: int
    stale: int
    by_category: dict[str, int]
    processor_dates: int
    processor_dates_run: int
    raw_errors: int


def total(coverage: Coverage) -> Totals:
    """Sum a coverage over its processors and dates."""
    sums = dict.fromkeys(COUNTS, 0)
    not_run = pairs_run = without_run = 0
    for row in coverage.by_date:
        if row["coverage_status"] == "not_run":
            not_run += row["expected"]
            sums["expected"] += row["expected"]
            continue
        pairs_run += 1
        for name in COUNTS:
            sums[name] += row[name]
        wrong = row["unaccounted"] + row["duplicated"] + row["unexpected"]
        without_run += row["coverage_status"] == "incomplete" and not wrong
    return Totals(
        expected=sums["expected"],
        records=sums["records"],
        expected_gaps=sum(sums[name] for name in EXPECTED_GAPS),
        investigate=sum(sums[name] for name in INVESTIGATE),
        unaccounted=sums["unaccounted"],
        not_run=not_run,
        duplicated=sums["duplicated"],
        unexpected=sums["unexpected"],
        without_run=without_run,
        stale=sum(row["coverage_status"] == "stale" for row in coverage.by_date),
        by_category={name: sums[name] for name in (*EXPECTED_GAPS, *INVESTIGATE)},
        processor_dates=len(coverage.by_date),
        processor_dates_run=pairs_run,
        raw_errors=sum(error.found for error in coverage.raw_errors),
    )


def total_by_processor(coverage: Coverage) -> dict[Processor, Totals]:
    """Sum a coverage over the dates of each processor."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in coverage.by_date:
        rows.setdefault(row["processor_name"], []).append(row)
    return {
        processor: total(Coverage(coverage.start, coverage.end, rows[processor.name]))
        for processor in PROCESSORS
        if processor.name in rows
    }


@dataclass(frozen=True)
class Verdict:
    """A summary of the coverage: a level, a sentence, and what to do."""

    level: Level
    headline: str
    detail: str


def verdict(totals: Totals, start: object, end: object) -> Verdict:
    """Summarise the coverage of a range in plain words.

    Parameters
    ----------
    totals
        Totals of its coverage.
    start, end
        Ends of the range, as in commands.
    """
    dates = f"--start {start} --end {end}"
    if not totals.processor_dates_run:
        return Verdict(
            "empty",
            "Nothing has been computed in this range yet.",
            f"Run: backcourt backfill {dates}",
        )
    wrong = _wrong(totals)
    missing = totals.processor_dates - totals.processor_dates_run
    progress = (
        f"{missing:,} of {totals.processor_dates:,} processor-dates have not run yet; "
        f"run: backcourt backfill {dates}"
        if missing
        else ""
    )
    if wrong:
        return Verdict(
            "bad",
            f"Not everyone is accounted for: {', '.join(wrong)}.",
            progress or f"Run: backcourt backfill {dates}",
        )
    if totals.stale:
        return Verdict(
            "bad",
            f"{_count(totals.stale, 'processor-date is', 'processor-dates are')} stale: "
            "their inputs, or the raw data behind them, have changed since.",
            progress or f"Run: backcourt backfill {dates}",
        )
    so_far = " on the dates that have run" if missing else ""
    ran = totals.expected - totals.not_run
    if totals.investigate:
        share = 100 * totals.investigate / ran
        return Verdict(
            "attention",
            f"Everyone is accounted for{so_far}; {_count(totals.investigate, 'entry', 'entries')} "
            f"of {ran:,} ({_small_share(share)}) to investigate.",
            progress,
        )
    return Verdict(
        "attention" if missing else "good", f"Everyone is accounted for{so_far}.", progress
    )


def _wrong(totals: Totals) -> Sequence[str]:
    found = []
    if totals.unaccounted:
        found.append(f"{totals.unaccounted:,} have neither row nor failure")
    if totals.duplicated:
        found.append(f"{totals.duplicated:,} have more than one row or failure")
    if totals.unexpected:
        found.append(f"{totals.unexpected:,} were not expected")
    if totals.without_run:
        found.append(f"{totals.without_run:,} processor-dates have rows but no record of a run")
    if totals.raw_errors:
        found.append(f"{totals.raw_errors:,} raw rows are omitted until they are corrected")
    return found


def _count(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _small_share(percent: float) -> str:
    return f"{percent:.2f} %" if percent >= 0.01 else "under 0.01 %"


def counts_in_words(row: Mapping[str, Any]) -> str:
    """Return the counts of a processor and date, for a tooltip."""
    parts = [
        f"{row[name]:,} {name.replace('_', ' ')}"
        for name in (*EXPECTED_GAPS, *INVESTIGATE, "unaccounted", "duplicated", "unexpected")
        if row[name]
    ]
    return ", ".join([f"{row['expected']:,} expected: {row['records']:,} rows", *parts])
