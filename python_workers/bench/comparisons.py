"""Compares the compute stage with frames per player, and with one SQL statement."""

from __future__ import annotations

import time

from python_workers import table_names
from python_workers.bench.baseline import (
    Baseline,
    PoolKind,
    equal_hashes,
    measure_baseline,
    sample_dates,
)
from python_workers.bench.results import at_least, at_most, exactly
from python_workers.bench.sql_aggregate import AGGREGATE_TABLE, STATEMENT
from python_workers.bench.stages import SCRATCH, WHOLE, Bench, median
from python_workers.processors.catalogue import POOL_PROCESSORS
from python_workers.warehouse.base import Warehouse

SAMPLED_DATES, SAMPLED_DATES_QUICK = 12, 1

FASTER_THAN_FRAMES = at_least(50, "x")
TIMES_OF_SQL = at_most(2, "x")


def measure_frames(bench: Bench) -> None:
    """Time a pandas frame per player on a sample of dates, and extrapolate."""
    results = bench.results
    results.section("b", "Compute stage against one pandas frame per player")
    ours = bench.compute_seconds(bench.jobs)
    bench.workspace.copy(WHOLE, SCRATCH)
    dates = bench.dates(WHOLE)
    sample = sample_dates(dates, SAMPLED_DATES_QUICK if bench.is_quick else SAMPLED_DATES)
    with bench.workspace.open(SCRATCH) as warehouse:
        player_dates = _player_dates(warehouse)
        total = sum(player_dates.values())
        results.add(
            f"the engine, {bench.jobs} processes",
            ours,
            "s",
            note=f"{total:,} player-dates, {len(dates):,} dates, all computed",
        )
        kinds: tuple[PoolKind, ...] = ("threads", "processes")
        for kind in kinds:
            bench.say(f"frames per player: {len(sample)} of {len(dates)} dates, in {kind}")
            baseline = measure_baseline(warehouse, sample, kind, bench.jobs)
            _add(bench, baseline, player_dates, ours)
        equal, compared = equal_hashes(warehouse, sample)
    results.add(
        "rows whose hash differs from the engine's",
        compared - equal,
        "rows",
        exactly(0, "rows"),
        f"of {compared:,} compared",
    )
    sampled = sum(sample.player_dates for sample in baseline.sampled.values())
    results.note(
        f"Extrapolated: the frames were timed on {len(sample)} of {len(dates):,} dates, spread "
        f"evenly ({sampled:,} of {total:,} player-dates), and each processor's time per "
        "player-date was multiplied by its number of player-dates."
    )


def _add(bench: Bench, baseline: Baseline, player_dates: dict[str, int], ours: float) -> None:
    name = f"frames, {baseline.jobs} {baseline.pool}"
    seconds = baseline.seconds_for(player_dates)
    times = ", ".join(
        f"{key} {1000 * sampled.seconds_per_player_date:.2f}"
        for key, sampled in baseline.sampled.items()
    )
    bench.results.add(f"{name}, extrapolated", seconds, "s", note=f"ms per player-date: {times}")
    bar = FASTER_THAN_FRAMES if baseline.pool == "processes" else None
    bench.results.add(f"{name}, times the engine's time", seconds / ours, "x", bar)


def _player_dates(warehouse: Warehouse) -> dict[str, int]:
    counts = {}
    for processor in POOL_PROCESSORS:
        found = warehouse.query(
            f"select sum(expected) as player_dates from {table_names.PROCESSOR_RUNS} "  # noqa: S608 our own names
            "where processor_name = @name",
            {"name": processor.name},
        )
        counts[processor.key] = int(found.to_pylist()[0]["player_dates"])
    return counts


def measure_sql(bench: Bench) -> None:
    """Time one SQL statement over the same inputs."""
    results = bench.results
    results.section("c", "Compute stage against one SQL statement over the same inputs, unhashed")
    ours = bench.compute_seconds(bench.jobs)
    rows, seconds = 0, []
    for _ in range(bench.repeat):
        bench.say("aggregating with one SQL statement")
        bench.use_inputs()
        with bench.workspace.open(SCRATCH) as warehouse:
            taken, rows = run_statement(warehouse, bench.jobs)
            seconds.append(taken)
    statement = median(seconds)
    results.add(f"one SQL statement, {bench.jobs} threads", statement, "s", note=f"{rows:,} rows")
    results.add(f"the engine, {bench.jobs} processes", ours, "s", note="hashed, with failures")
    results.add("the engine's time, times the statement's", ours / statement, "x", TIMES_OF_SQL)


def run_statement(warehouse: Warehouse, threads: int) -> tuple[float, int]:
    """Run the statement with `threads` threads; return its seconds and number of rows."""
    schema, _, _ = AGGREGATE_TABLE.partition(".")
    warehouse.execute(f"create schema if not exists {schema}")
    warehouse.execute(f"set threads = {int(threads)}")
    began = time.perf_counter()
    warehouse.execute(STATEMENT)
    seconds = time.perf_counter() - began
    counted = warehouse.query(f"select count(*) as written from {AGGREGATE_TABLE}")  # noqa: S608 our own names
    return seconds, int(counted.to_pylist()[0]["written"])
