"""The dbt tests that end a backfill."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from python_workers.backfill.dbt_project import DbtProject, NodeOutcome

COVERAGE_TESTS = ("tag:coverage",)

_AT_ONCE = "coverage_tests_pass"


def run_coverage_tests(
    project: DbtProject,
    start: date,
    end: date,
    only_dates: Sequence[date] | None = None,
    processors: Sequence[str] | None = None,
) -> list[NodeOutcome]:
    """Run the tests over a date range and return the outcome of each.

    On a local warehouse dbt needs longer for a test than the warehouse. There one node runs them
    all, and only those that fail run by themselves. BigQuery runs them side by side.

    Parameters
    ----------
    project
        The dbt project.
    start, end, only_dates
        The range, both ends included, and optionally the only dates in it to look at.
    processors
        Processors that must have run; None requires all of them.
    """
    range_ = (start, end, only_dates, processors)
    if not project.is_local:
        return project.test(COVERAGE_TESTS, *range_)
    failures, seconds = project.test_at_once(_AT_ONCE, *range_)
    if failures is None:
        return project.test(COVERAGE_TESTS, *range_)
    severities = project.severities("coverage")
    failed = [name for name in failures if severities[name] != "warn"]
    found = project.test(failed, *range_) if failed else []
    for name in severities:
        count = failures.get(name, 0)
        if name not in failed:
            found.append(
                NodeOutcome(name, "warn" if count else "pass", _message(count), count, seconds)
            )
    return found


def _message(failures: int) -> str:
    """Return dbt's message of a warning."""
    if not failures:
        return ""
    return f"Got {failures} result{'s' if failures > 1 else ''}, configured to warn if != 0"
