"""Options, progress reporter and result of a run."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from python_workers.accounting.commits import Commit
from python_workers.accounting.run_records import Counts, Run
from python_workers.backfill.dbt_project import NodeOutcome
from python_workers.backfill.pool_stage import PoolOptions
from python_workers.choices import Reprocess
from python_workers.processors.base import Processor


class Reporter(Protocol):
    """Receives the progress of a run."""

    def stage(self, name: str, detail: str) -> None:
        """Report the start of a stage."""
        ...

    def advance(self, processor: Processor, dates: int, rows: int) -> None:
        """Report that dates are committed."""
        ...

    def stage_done(self, name: str, seconds: float, detail: str) -> None:
        """Report the end of a stage."""
        ...

    def committed(self, run: Run, processor: Processor, commit: Commit) -> None:
        """Log the contents of a commit."""
        ...


@dataclass(frozen=True)
class BackfillOptions:
    """What to compute, and how.

    Parameters
    ----------
    processors
        The processors, in order.
    reprocess
        Which dates are due.
    pool
        How the pool runs.
    run_tests
        Whether to run dbt's coverage tests at the end.
    mode
        Name of the kind of run, as in ``processor_runs.mode``.
    record_changes_days
        How long the log of restated rows is kept; None leaves it as it is.
    """

    processors: tuple[Processor, ...]
    reprocess: Reprocess = "missing"
    pool: PoolOptions = field(default_factory=PoolOptions)
    run_tests: bool = True
    mode: str = "backfill"
    record_changes_days: int | None = None


@dataclass
class BackfillResult:
    """The result of a run."""

    run: Run
    counts: dict[str, Counts] = field(default_factory=dict)
    dates: dict[str, int] = field(default_factory=dict)
    tests: list[NodeOutcome] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    inputs_rebuilt: bool = False
    jobs: dict[str, int] = field(default_factory=dict)

    @property
    def failed_tests(self) -> list[NodeOutcome]:
        """Tests that failed or could not run."""
        return [test for test in self.tests if test.status in ("fail", "error")]

    @property
    def written(self) -> int:
        """Rows inserted, updated or deleted."""
        return sum(
            counts.inserted + counts.updated + counts.deleted for counts in self.counts.values()
        )


def new_run(mode: str) -> Run:
    """Create a run with a unique id that contains its start time."""
    now = datetime.now(UTC)
    return Run(f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}", mode, now)


def describe(counts: Counts) -> str:
    """Describe counts in one line."""
    parts = [
        f"{number:,} {name}"
        for name, number in (
            ("inserted", counts.inserted),
            ("updated", counts.updated),
            ("unchanged", counts.unchanged),
            ("deleted", counts.deleted),
            ("failures", counts.failed),
        )
        if number
    ]
    return ", ".join(parts) or "no rows"
