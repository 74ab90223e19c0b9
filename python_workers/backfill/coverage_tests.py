"""The dbt tests that end a backfill."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from python_workers.backfill.dbt_project import DbtProject, NodeOutcome

COVERAGE_TESTS = ("tag:coverage",)

_GENERIC = "tag:coverage,test_type:generic"
_GENERIC_AT_ONCE = "generic_coverage_tests_pass"
_SINGULAR = "tag:coverage,test_type:singular"


def run_coverage_tests(
    project: DbtProject,
    start: date,
    end: date,
    only_dates: Sequence[date] | None = None,
    processors: Sequence[str] | None = None,
) -> list[NodeOutcome]:
    """Run the tests over a date range and return the outcome of each.

    On a local warehouse dbt needs longer for a generic test than the warehouse. There one node
    runs them all, and they run one by one only if it does not pass. BigQuery runs them side by
    side.

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
    found = project.test((_SINGULAR, _GENERIC_AT_ONCE), *range_)
    (at_once,) = (test for test in found if test.name == _GENERIC_AT_ONCE)
    found.remove(at_once)
    if at_once.status == "pass":
        return found + [
            NodeOutcome(name, at_once.status, "", 0, at_once.seconds)
            for name in project.generic_tests("coverage")
        ]
    return found + project.test((_GENERIC,), *range_)
