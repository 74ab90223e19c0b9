"""Measures a whole backfill by stage, computing by jobs, an unchanged re-run, and one date."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

from python_workers import table_names
from python_workers.accounting.schedule import game_dates
from python_workers.backfill.run import stage_name
from python_workers.bench.results import Results, at_most, exactly
from python_workers.bench.workspace import Memory, Outcome, Workspace
from python_workers.processors.base import waves
from python_workers.processors.catalogue import POOL_PROCESSORS, PROCESSORS
from python_workers.warehouse.base import Warehouse

RAW, WHOLE, INPUTS, SCRATCH = "raw", "whole", "inputs", "scratch"
"""Names of the warehouses: only raw tables; everything computed; only inputs; scratch."""

OUTPUT_TABLES = (
    *(processor.table for processor in PROCESSORS),
    table_names.PRECOMPUTE_FAILURES,
    table_names.PROCESSOR_RUNS,
    table_names.PROCESSED_DATES,
)

WHOLE_BACKFILL = at_most(12, "s", " (aim 10 s)")
UNCHANGED_BACKFILL = at_most(3.5, "s")
ONE_DATE = at_most(5, "s", " (aim 4 s)")
PEAK_MEMORY = at_most(1, "GiB")


@dataclass
class Bench:
    """The state that the sections of a benchmark share.

    Parameters
    ----------
    workspace, memory
        The folder of warehouses, and the record of its finished ones.
    results
        Collects the figures.
    is_quick
        Whether it is a smoke test.
    repeat
        Number of times to run a command; the run with the median time counts.
    say
        Receives a line of text for each step.
    whole
        The measured whole backfill, if this run has measured it.
    computed
        Measured seconds of the compute stage by number of jobs.
    """

    workspace: Workspace
    memory: Memory
    results: Results
    is_quick: bool
    repeat: int
    say: Callable[[str], None]
    whole: Outcome | None = None
    computed: dict[int, float] = field(default_factory=dict)

    @property
    def jobs(self) -> int:
        """Size of the pool."""
        return self.workspace.jobs

    def measure_whole(self) -> Outcome:
        """Backfill everything in a warehouse with only raw tables, once per run."""
        if self.whole is None:
            self.whole = self.typical(self._backfill_raw)
            self.workspace.copy(SCRATCH, WHOLE)
            self.memory.note(WHOLE)
        return self.whole

    def need_whole(self) -> None:
        """Ensure that a warehouse with everything computed exists."""
        if WHOLE not in self.memory.made or not self.workspace.file(WHOLE).exists():
            self.measure_whole()

    def compute_seconds(self, jobs: int) -> float:
        """Return the time of the compute stage: read inputs, compute, hash, commit."""
        if jobs not in self.computed:
            outcomes = [self._compute(jobs) for _ in range(self.repeat)]
            self.computed[jobs] = median([pool_seconds(outcome) for outcome in outcomes])
        return self.computed[jobs]

    def typical(self, measure: Callable[[], Outcome]) -> Outcome:
        """Measure `repeat` times and return the outcome with the median time."""
        outcomes = [measure() for _ in range(self.repeat)]
        seconds = median([outcome.seconds for outcome in outcomes])
        return next(outcome for outcome in outcomes if outcome.seconds == seconds)

    def dates(self, name: str) -> list[date]:
        """Return the game dates of a warehouse."""
        with self.workspace.open(name) as warehouse:
            return [day for day, _ in game_dates(warehouse)]

    def _backfill_raw(self) -> Outcome:
        self.say("backfilling everything in an empty warehouse")
        self.workspace.copy(RAW, SCRATCH)
        return self.workspace.run(SCRATCH, "backfill", "--all")

    def use_inputs(self) -> None:
        """Create a scratch warehouse with inputs but without any rows of the pool."""
        self.need_whole()
        if INPUTS not in self.memory.made or not self.workspace.file(INPUTS).exists():
            self.workspace.copy(WHOLE, INPUTS)
            with self.workspace.open(INPUTS) as warehouse:
                forget_computed(warehouse)
            self.memory.note(INPUTS)
        self.workspace.copy(INPUTS, SCRATCH)

    def _compute(self, jobs: int) -> Outcome:
        self.use_inputs()
        self.say(f"computing with {jobs} job{'s' if jobs > 1 else ''}")
        return self.workspace.run(SCRATCH, "compute", "--all", jobs=jobs)


def pool_seconds(outcome: Outcome) -> float:
    """Return the time of the stages that the pool computes: one for each wave of processors."""
    pools = (
        [processor for processor in wave if processor.engine == "pool"]
        for wave in waves(PROCESSORS)
    )
    return sum(outcome.stages[stage_name(pool)] for pool in pools if pool)


def median(seconds: Sequence[float]) -> float:
    """Return the median of measured times; the lower one of two in the middle.

    Examples
    --------
    >>> median([3.0, 1.0, 2.0]), median([4.0, 1.0])
    (2.0, 1.0)
    """
    return sorted(seconds)[(len(seconds) - 1) // 2]


def forget_computed(warehouse: Warehouse) -> None:
    """Delete everything that the pool has written."""
    for processor in POOL_PROCESSORS:
        warehouse.execute(f"delete from {processor.table}")  # noqa: S608 our own name
        for table in (
            table_names.PRECOMPUTE_FAILURES,
            table_names.PROCESSOR_RUNS,
            table_names.PROCESSED_DATES,
        ):
            warehouse.execute(
                f"delete from {table} where processor_name = @name",  # noqa: S608 our own name
                {"name": processor.name},
            )


def measure_stages(bench: Bench) -> None:
    """Time the whole backfill, stage by stage."""
    results = bench.results
    results.section("a", "Whole backfill, empty warehouse with raw tables loaded")
    outcome = bench.measure_whole()
    for stage, seconds in outcome.stages.items():
        results.add(stage, seconds, "s")
    rest = outcome.seconds - sum(outcome.stages.values())
    results.add("start-up and the rest", rest, "s", note="interpreter, imports, reading the ledger")
    results.add(
        "whole backfill",
        outcome.seconds,
        "s",
        WHOLE_BACKFILL,
        f"{outcome.game_dates:,} game dates, {outcome.rows_written:,} rows written",
    )
    results.add("peak memory of the parent", outcome.peak_gib, "GiB", PEAK_MEMORY)
    results.add("processor time of the parent", outcome.cpu_seconds, "s", note="dbt included")


def measure_jobs(bench: Bench) -> None:
    """Time the compute stage with 1, 2, 4 and more jobs."""
    results = bench.results
    results.section("d", "Compute stage (shot zones, factors, cache) by number of jobs")
    counts = job_counts(bench.jobs, is_quick=bench.is_quick)
    for jobs in counts:
        seconds = bench.compute_seconds(jobs)
        speed_up = bench.compute_seconds(counts[0]) / seconds
        results.add(
            f"{jobs} job{'s' if jobs > 1 else ''}", seconds, "s", note=f"{speed_up:.2f} x of one"
        )
    cores = results.machine["cores"]
    results.note(
        f"The machine has {cores} cores. The parent needs them, too: it reads the next chunk and "
        "commits the last one while the workers compute."
    )


def job_counts(jobs: int, *, is_quick: bool) -> list[int]:
    """Return 1, 2, 4 and so on up to twice the pool's size, and the pool's size itself."""
    if is_quick:
        return sorted({1, jobs})
    doubled = [1]
    while doubled[-1] < 2 * jobs:
        doubled.append(2 * doubled[-1])
    return sorted({*doubled, jobs})


def measure_unchanged(bench: Bench) -> None:
    """Time a backfill of everything after which nothing has changed."""
    results = bench.results
    results.section("f", "Backfill again, nothing changed")
    bench.need_whole()
    bench.workspace.copy(WHOLE, SCRATCH)
    before = _content(bench.workspace, SCRATCH)
    bench.say("backfilling again, nothing changed")
    first = bench.workspace.run(SCRATCH, "backfill", "--all")
    results.add("the first time", first.seconds, "s", note="on a copied file: its tests run again")
    outcome = bench.typical(lambda: bench.workspace.run(SCRATCH, "backfill", "--all"))
    results.add("whole backfill again", outcome.seconds, "s", UNCHANGED_BACKFILL)
    results.add("rows written", outcome.rows_written, "rows", exactly(0, "rows"))
    changed = sum(
        state != before[table] for table, state in _content(bench.workspace, SCRATCH).items()
    )
    results.add(
        "tables that differ afterwards",
        changed,
        "tables",
        exactly(0, "tables"),
        "outputs, failures and run records, row by row",
    )


def _content(workspace: Workspace, name: str) -> dict[str, str]:
    with workspace.open(name) as warehouse:
        return {table: warehouse.content_state([table]) for table in OUTPUT_TABLES}


def measure_one_date(bench: Bench) -> None:
    """Time daily mode on the last date, in the state of its morning: no game played yet."""
    results = bench.results
    results.section("h", "One date (daily)")
    bench.need_whole()
    day = bench.dates(WHOLE)[-1]

    def once() -> Outcome:
        bench.workspace.copy(WHOLE, SCRATCH)
        with bench.workspace.open(SCRATCH) as warehouse:
            turn_back_to_the_morning_of(warehouse, day)
        bench.say(f"computing one date, {day}")
        return bench.workspace.run(SCRATCH, "daily", "--date", day.isoformat())

    outcome = bench.typical(once)
    for stage, seconds in outcome.stages.items():
        results.add(stage, seconds, "s")
    results.add(
        "one date", outcome.seconds, "s", ONE_DATE, f"{day}, {outcome.rows_written:,} rows written"
    )
    results.note(
        "The benchmark first deletes the date's results, which changes the raw data of its season. "
        "So the run rebuilds the season's analytics tables, and the date's inputs and features."
    )


def turn_back_to_the_morning_of(warehouse: Warehouse, day: date) -> None:
    """Delete the results of a date, and everything computed for it."""
    games = f"select game_id from {table_names.GAMES} where game_date = @day"  # noqa: S608 our own names
    for table in (table_names.PLAYER_BOX_SCORES, table_names.SHOTS):
        warehouse.execute(
            f"delete from {table} where game_id in ({games})",  # noqa: S608 our own names
            {"day": day},
        )
    warehouse.execute(
        f"update {table_names.GAMES} "  # noqa: S608 our own names
        "set status = 'scheduled', home_score = null, away_score = null where game_date = @day",
        {"day": day},
    )
    computed = [(processor.table, processor.date_column) for processor in PROCESSORS]
    for table, column in [
        *computed,
        (table_names.PRECOMPUTE_FAILURES, "analysis_date"),
        (table_names.PROCESSOR_RUNS, "analysis_date"),
        (table_names.PROCESSED_DATES, "analysis_date"),
    ]:
        warehouse.execute(
            f"delete from {table} where {column} = @day",  # noqa: S608 our own names
            {"day": day},
        )
