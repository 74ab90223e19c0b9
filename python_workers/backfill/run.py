"""``backcourt backfill``: stage by stage over the whole range, never date by date."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta

from python_workers.accounting.commits import Commit
from python_workers.accounting.input_builds import InputBuilds, lacking_inputs
from python_workers.accounting.known_gaps import KnownGap, read_known_gaps, store_known_gaps
from python_workers.accounting.ledger import Ledger, no_mark
from python_workers.accounting.processed_dates import count_current
from python_workers.accounting.record_changes import forget_old_changes
from python_workers.accounting.run_records import Counts, Run
from python_workers.accounting.schedule import Schedule, check_seasons
from python_workers.accounting.seasons import read_seasons
from python_workers.accounting.stored_columns import restore_columns
from python_workers.backfill.checked_builds import read_checked_builds
from python_workers.backfill.coverage_tests import run_coverage_tests
from python_workers.backfill.dbt_project import DbtProject
from python_workers.backfill.exchange_stage import run_exchange_stage
from python_workers.backfill.outcome import (
    BackfillOptions,
    BackfillResult,
    Reporter,
    describe,
    new_run,
)
from python_workers.backfill.pool_stage import (
    Guard,
    check_pool,
    prepare_pool,
    run_pool_stage,
)
from python_workers.backfill.sql_stage import EarlyRows, record_hashes, register_sql_dates
from python_workers.errors import BackcourtError, ExitCode
from python_workers.processors.base import PoolWork, Processor, SqlWork, waves
from python_workers.processors.catalogue import PROCESSORS
from python_workers.raw.schema import CHANGED_GAMES
from python_workers.runtime import injected_faults as faults
from python_workers.warehouse.base import ExchangesFiles, Warehouse
from python_workers.warehouse.job_labels import labelling
from python_workers.wording import counted

INPUTS = ("tag:stage_inputs",)
INPUTS_BY_DATE = ("tag:stage_inputs,config.materialized:date_range",)
STATEMENT_DATES = 700
"""Largest number of game dates that one statement builds.

With more seasons, a statement would need ever more memory on DuckDB, and modify more partitions
than BigQuery allows in one job.
"""
SQL_PROCESSORS = tuple(processor for processor in PROCESSORS if isinstance(processor.work, SqlWork))
VIEWS = "tag:stage_coverage"
LASTING = ("view", "worker_table")
"""Materialisations whose relations change only with the project: dbt writes no rows into them."""


class Backfill:
    """One run over a range.

    Parameters
    ----------
    warehouse, project
        They share the DuckDB file: the run closes the warehouse before dbt runs. Without a project,
        the run computes from inputs that `dbt run` has built, and registers the rows that dbt has
        built for the SQL processors.
    schedule
        The dates.
    options, reporter
        What to compute, and where to report progress.
    guard_of
        Creates daily mode's guard after the inputs are built.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        project: DbtProject | None,
        schedule: Schedule,
        options: BackfillOptions,
        reporter: Reporter,
        guard_of: Callable[[Warehouse, Ledger, Run], Guard] | None = None,
    ) -> None:
        self.warehouse = warehouse
        self.project = project
        self.schedule = schedule
        self._computed = schedule
        pool = options.pool.for_dates(len(schedule.dates))
        self.options = replace(options, pool=pool)
        self.reporter = reporter
        self.result = BackfillResult(new_run(options.mode))
        self.ledger = Ledger()
        self._guard_of = guard_of
        self._guard: Guard | None = None
        self._known_gaps: Sequence[KnownGap] = ()
        self._early = EarlyRows()

    def run(self) -> BackfillResult:
        """Run every stage that has work to do."""
        if self._of_the_pool():
            check_pool(self.options.pool)
        restore_columns(self.warehouse)
        if self.project is None:
            self._check_inputs_are_built()
            self._prepare_pool()
        else:
            self._known_gaps = read_known_gaps(self.project.known_gaps_file)
            seasons = [season.season for season in read_seasons(self.project.seasons_file)]
            check_seasons(self.warehouse, self.schedule, seasons)
            self._prepare_pool()
            self.build_inputs(self.project)
        check_seasons(self.warehouse, self.schedule)
        self.ledger = Ledger.read(self.warehouse, self.schedule.start, self.schedule.end)
        self.ledger.trusts_records = self.options.reprocess != "all"
        self._check_upstream()
        # The schedule itself lacks called-off dates: they have no expected entities any more.
        self._computed = self.schedule.with_called_off(self.ledger.computed_dates)
        if self._guard_of is not None:
            self._guard = self._guard_of(self.warehouse, self.ledger, self.result.run)
        if any(map(self._due, self._of_the_pool())):
            prepare_pool(self.options.pool)
        for wave in waves(PROCESSORS):
            for processor in wave:
                if isinstance(processor.work, SqlWork):
                    self._sql(processor)
            self._pool([processor for processor in wave if isinstance(processor.work, PoolWork)])
        self._forget_old_changes()
        if self.options.run_tests and self.project is not None:
            self.test_coverage(self.project)
        self.result.jobs = job_counts(self.warehouse, self.project)
        return self.result

    def _of_the_pool(self) -> list[Processor]:
        return [each for each in self.options.processors if isinstance(each.work, PoolWork)]

    def _prepare_pool(self) -> None:
        """Start the workers while dbt builds inputs, if dates are due whatever dbt builds."""
        pool, dates = self._of_the_pool(), self.schedule.dates
        if not pool or not dates:
            return
        is_due = self.options.reprocess == "all" or len(pool) * len(dates) > count_current(
            self.warehouse, pool, self.schedule.start, self.schedule.end
        )
        if is_due:
            prepare_pool(self.options.pool)

    def _forget_old_changes(self) -> None:
        """Shorten the log of restated rows, if this run has restated any."""
        keep_days = self.options.record_changes_days
        counts = self.result.counts.values()
        if keep_days is not None and any(each.updated or each.deleted for each in counts):
            forget_old_changes(self.warehouse, keep_days, self.result.run.started_at)

    def build_inputs(self, project: DbtProject) -> None:
        """Build the inputs of the range's seasons that have changed since the last build.

        If all dates are reprocessed, build all inputs and the views anyway.

        Raises
        ------
        BackcourtError
            If rows below an adopted view have changed and are wrong; nothing is then built. If dbt
            reports success but game dates lack inputs; the build is then not recorded.
        """
        with self._stage("inputs", f"{self.schedule.start} to {self.schedule.end}") as done:
            self.warehouse.ensure_tables([CHANGED_GAMES])
            store_known_gaps(self.warehouse, self._known_gaps)
            project.store_seasons(self.warehouse)
            force = self.options.reprocess == "all"
            builds = read_checked_builds(
                self.warehouse, project.state(), self.schedule, force=force
            )
            stale = builds.stale_range(self.schedule, force=force)
            if stale is None:
                builds.confirm(self.warehouse)
                done("unchanged since the last build")
                return
            start, end = stale
            builds.forget(self.warehouse, start, end)
            lasting = self._lasting(project, builds)
            faults.crash_point("before-inputs")
            seasons = builds.season_years(builds.stale_seasons(start, end))
            early = EarlyRows.read(self.warehouse, self._built_with_inputs(start, end), start, end)
            # Create the other outputs empty, so that coverage can be queried.
            created = [
                processor.model
                for processor in SQL_PROCESSORS
                if processor.model not in early.models
                and not self.warehouse.has_table(processor.table)
            ]
            self.warehouse.close()
            select = (*INPUTS, *early.models, *created, VIEWS)
            for first, last in split_range(start, end, self.schedule.dates):
                project.build(
                    select,
                    first,
                    last,
                    seasons=seasons,
                    exclude=lasting,
                    without_rows=created,
                )
                select = (*INPUTS_BY_DATE, *early.models)
            faults.crash_point("after-inputs")
            check_seasons(self.warehouse, self.schedule)
            self._check_inputs()
            builds.note(self.warehouse, self.result.run.run_id, start, end)
            self._early = early
            self.result.inputs_rebuilt = True
            done(f"built by dbt, {start} to {end}")

    def _lasting(self, project: DbtProject, builds: InputBuilds) -> list[str]:
        """Return the selectors of what need not be built again: views and workers' tables.

        They stand as the project says if a build of the same project is recorded and nobody has
        changed or dropped any of them.
        """
        if self.options.reprocess == "all" or not builds.has_views_of_project:
            return []
        if not all(map(self.warehouse.has_table, project.relations(LASTING))):
            return []
        return [f"config.materialized:{each}" for each in LASTING]

    def _built_with_inputs(self, start: date, end: date) -> list[Processor]:
        """Return the processors that dbt builds along with the inputs of a range.

        They read nothing but inputs. This run registers each date of the range that is due.
        """
        asked = self.schedule
        if not asked.is_whole_range or start < asked.start or asked.end < end:
            return []
        chosen = self.options.processors
        return [each for each in SQL_PROCESSORS if each in chosen and not each.upstream]

    def _check_inputs(self) -> None:
        lacking = lacking_inputs(self.warehouse, self.schedule.dates)
        if lacking:
            raise BackcourtError(
                f"dbt has run, but {len(lacking)} of {len(self.schedule.dates)} game dates have "
                f"no inputs, the first of them {lacking[0]}",
                [
                    "Nothing was computed, and the stored rows are unchanged.",
                    "Compare the project (dbt_project.yml, models, macros) with Backcourt's own,",
                    "then run the same command again.",
                ],
                ExitCode.ENVIRONMENT,
            )

    def test_coverage(self, project: DbtProject) -> None:
        """Run dbt's tests of coverage and records over the range.

        Do not run them again if they have passed and the warehouse tells that nothing has been
        written since, by whomever, and no file of the project has changed.
        """
        only_dates = self._computed.only_dates
        keys = [processor.key for processor in self.options.processors]
        range_ = (self.schedule.start, self.schedule.end, only_dates, keys)
        with self._stage("coverage tests", "dbt test") as done:
            self.warehouse.close()
            passed = project.passed_tests()
            what = (*range_, project.digest())
            version = self.warehouse.version()
            at = passed.passed_at(version, what) if version else None
            if at is not None and self.options.reprocess != "all":
                done(f"passed on {at:%Y-%m-%d at %H:%M} UTC, and nothing has changed since")
                return
            self.result.tests = run_coverage_tests(project, *range_)
            version = self.warehouse.version()
            if version and not self.result.failed_tests:
                passed.note(version, what)
            tests, failed = self.result.tests, self.result.failed_tests
            done(f"{counted(len(tests), 'test')}, {len(failed)} failed")

    def _check_inputs_are_built(self) -> None:
        lacking = lacking_inputs(self.warehouse, self.schedule.dates)
        if lacking:
            check_seasons(self.warehouse, self.schedule)
            raise BackcourtError(
                f"the inputs of {lacking[0]} have not been built",
                [
                    (
                        f"{len(lacking)} of {len(self.schedule.dates)} game dates lack them. "
                        "Build them with:"
                    ),
                    (
                        "dbt run --profiles-dir profiles --vars "
                        f"'{{start_date: {self.schedule.start}, end_date: {self.schedule.end}}}'"
                    ),
                ],
                ExitCode.ENVIRONMENT,
            )

    def _check_upstream(self) -> None:
        """Refuse to start if a date lacks the upstream rows that a processor reads."""
        chosen = {processor.key for processor in self.options.processors}
        if self.project is None:
            chosen |= {processor.key for processor in SQL_PROCESSORS}
        for processor in self.options.processors:
            for day in self.schedule.dates:
                missing = [
                    key for key in self.ledger.missing_upstream(processor, day) if key not in chosen
                ]
                if missing:
                    raise BackcourtError(
                        f"{processor.key} needs {' and '.join(missing)} of {day}, "
                        "which has not been computed",
                        [
                            "Compute it first: omit --start-from and --processors,",
                            (
                                f"or run: backcourt backfill --start {self.schedule.start} "
                                f"--end {self.schedule.end}"
                            ),
                        ],
                        ExitCode.ENVIRONMENT,
                    )

    def _due(self, processor: Processor) -> list[date]:
        if processor not in self.options.processors:
            return []
        mark = self._guard.mark if self._guard else no_mark
        return self.ledger.due_dates(processor, self._computed.dates, self.options.reprocess, mark)

    def _sql(self, processor: Processor) -> None:
        if self.project is None:
            self._register(processor)
        elif processor in self.options.processors:
            self._build_and_register(self.project, processor)

    def _register(self, processor: Processor) -> None:
        """Register the rows that dbt has built for a processor."""
        days = self._computed.dates
        with self._stage(stage_name([processor]), _dates(days)) as done:
            with labelling(processor=processor.key):
                counts = register_sql_dates(
                    self.warehouse,
                    self.ledger,
                    processor,
                    self.result.run,
                    days,
                    is_verified=False,
                )
            self.result.counts[processor.key] = counts
            self.result.dates[processor.key] = len(days) if counts.expected else 0
            done(describe(counts))

    def _build_and_register(self, project: DbtProject, processor: Processor) -> None:
        days = self._due(processor)
        with self._stage(stage_name([processor]), _dates(days)) as done:
            self.result.dates[processor.key] = len(days)
            self.result.counts[processor.key] = Counts()
            if not days:
                done("nothing due")
                return
            began = time.perf_counter()
            with labelling(processor=processor.key):
                before = self._early.before(processor, days)
                if before is None:
                    before = record_hashes(self.warehouse, processor, days)
                    self._build(project, (processor.model,), days)
                faults.crash_point(f"after-{processor.key}")
                counts = register_sql_dates(
                    self.warehouse,
                    self.ledger,
                    processor,
                    self.result.run,
                    days,
                    before,
                    time.perf_counter() - began,
                )
            self.result.counts[processor.key] = counts
            done(describe(counts))

    def _pool(self, processors: Sequence[Processor]) -> None:
        chosen = [
            (processor, self._due(processor))
            for processor in processors
            if processor in self.options.processors
        ]
        if not chosen:
            return
        name = stage_name([processor for processor, _ in chosen])
        with self._stage(name, ", ".join(f"{p.key}: {_dates(days)}" for p, days in chosen)) as done:
            for processor, days in chosen:
                self.result.dates[processor.key] = len(days)
                self.result.counts[processor.key] = Counts()
            counts = self._computed_rows(chosen)
            self.result.counts.update(counts)
            done(
                "; ".join(f"{key} {describe(found)}" for key, found in counts.items())
                or "nothing due"
            )

    def _computed_rows(self, work: Sequence[tuple[Processor, Sequence[date]]]) -> dict[str, Counts]:
        ledger, run, pool = self.ledger, self.result.run, self.options.pool
        if pool.exchange_dir is not None and isinstance(self.warehouse, ExchangesFiles):
            return run_exchange_stage(
                self.warehouse, ledger, run, work, pool, pool.exchange_dir, self._on_commit
            )
        return run_pool_stage(self.warehouse, ledger, run, work, pool, self._on_commit, self._guard)

    def _on_commit(self, processor: Processor, commit: Commit) -> None:
        rows = sum(counts.records for counts in commit.counts.values())
        self.reporter.advance(processor, len(commit.records), rows)
        self.reporter.committed(self.result.run, processor, commit)

    def _build(self, project: DbtProject, select: Sequence[str], days: Sequence[date]) -> None:
        self.warehouse.close()
        whole = len(days) == len(self._computed.dates)
        only = self._computed.only_dates if whole else days
        for first, last in split_range(self.schedule.start, self.schedule.end, days):
            within = None if only is None else [day for day in only if first <= day <= last]
            project.build(select, first, last, within)

    @contextmanager
    def _stage(self, name: str, detail: str) -> Iterator[Callable[[str], None]]:
        began = time.perf_counter()
        outcome: list[str] = []
        self.reporter.stage(name, detail)
        with labelling(run_id=self.result.run.run_id, stage=name):
            yield outcome.append
        seconds = time.perf_counter() - began
        self.result.seconds[name] = seconds
        self.reporter.stage_done(name, seconds, outcome[-1] if outcome else "")


def split_range(start: date, end: date, days: Sequence[date]) -> list[tuple[date, date]]:
    """Split a range, without gaps, so that each part has at most `STATEMENT_DATES` of the dates.

    Examples
    --------
    >>> split_range(date(2022, 1, 1), date(2022, 1, 31), [date(2022, 1, 2), date(2022, 1, 5)])
    [(datetime.date(2022, 1, 1), datetime.date(2022, 1, 31))]
    """
    inside = sorted(day for day in days if start <= day <= end)
    firsts = [start, *inside[STATEMENT_DATES::STATEMENT_DATES]]
    lasts = [*(first - timedelta(days=1) for first in firsts[1:]), end]
    return list(zip(firsts, lasts, strict=True))


def job_counts(warehouse: Warehouse, project: DbtProject | None = None) -> dict[str, int]:
    """Return the numbers of a run's jobs by kind; empty if the warehouse has no jobs."""
    jobs = warehouse.jobs_by_kind()
    return {**jobs, "dbt_nodes": project.nodes_run if project else 0} if jobs else {}


def stage_name(processors: Sequence[Processor]) -> str:
    """Return the name of the stage that computes some processors side by side."""
    return " and ".join(processor.key for processor in processors)


def _dates(days: Sequence[date]) -> str:
    if not days:
        return "no date due"
    if len(days) == 1:
        return str(days[0])
    return f"{len(days)} dates, {days[0]} to {days[-1]}"
