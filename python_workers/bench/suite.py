"""Runs ``backcourt bench``: prepares raw data, measures sections, returns results."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from python_workers import table_names
from python_workers.accounting.schedule import game_dates
from python_workers.bench.comparisons import measure_frames, measure_sql
from python_workers.bench.correction import measure_correction
from python_workers.bench.machine import machine_facts
from python_workers.bench.profiles import profile
from python_workers.bench.raw_data import cut_to_weeks, is_simulated, simulate_seasons
from python_workers.bench.results import Results
from python_workers.bench.seasons import measure_seasons, seasons_of
from python_workers.bench.stages import (
    RAW,
    SCRATCH,
    Bench,
    measure_jobs,
    measure_one_date,
    measure_stages,
    measure_unchanged,
)
from python_workers.bench.workspace import Memory, Workspace, state_key
from python_workers.bench.yardstick import measure_yardstick
from python_workers.warehouse.base import Warehouse

SECTIONS: Mapping[str, Callable[[Bench], None]] = {
    "a": measure_stages,
    "b": measure_frames,
    "c": measure_sql,
    "d": measure_jobs,
    "e": measure_seasons,
    "f": measure_unchanged,
    "g": measure_correction,
    "h": measure_one_date,
    "i": measure_yardstick,
}


@dataclass(frozen=True)
class Options:
    """Options of a benchmark.

    Parameters
    ----------
    project
        The dbt project.
    raw
        Folder of raw data; None simulates some.
    folder
        Folder of the warehouses; up-to-date ones in it are reused.
    keys
        The sections.
    jobs
        Size of the pool.
    is_quick
        Whether to run a smoke test on a few weeks.
    repeat
        Number of times to run a command.
    profiles
        Folder for profiles; None writes none.
    """

    project: Path
    raw: Path | None
    folder: Path
    keys: Sequence[str]
    jobs: int
    is_quick: bool = False
    repeat: int = 1
    profiles: Path | None = None


def run_benchmark(
    options: Options,
    say: Callable[[str], None] = lambda _: None,
    show: Callable[[Results], None] = lambda _: None,
) -> Results:
    """Measure the chosen sections.

    Parameters
    ----------
    options
        Options of the benchmark.
    say
        Receives a line of text for each step.
    show
        Receives the results so far after each section, so that an interruption loses none.
    """
    options.folder.mkdir(parents=True, exist_ok=True)
    workspace = Workspace(options.folder, options.project, options.jobs)
    facts = machine_facts(options.project)
    raw = _raw_data(options, say)
    source = options.raw or raw
    key = state_key(source, options.project, {"quick": options.is_quick})
    memory = Memory.read(options.folder, key)
    if RAW not in memory.made or not workspace.file(RAW).exists():
        _load(workspace, raw, options, say)
        memory.note(RAW)
    with workspace.open(RAW) as warehouse:
        data = data_facts(warehouse, simulated=is_simulated(source))
    results = Results(
        datetime.now(UTC).isoformat(timespec="seconds"), facts, data, options.is_quick
    )
    bench = Bench(workspace, memory, results, options.is_quick, options.repeat, say)
    for letter in options.keys:
        SECTIONS[letter](bench)
        show(results)
    if options.profiles is not None:
        profile(bench, options.profiles)
        show(results)
    workspace.drop(SCRATCH)
    return results


def _raw_data(options: Options, say: Callable[[str], None]) -> Path:
    if options.raw is not None:
        return options.raw
    simulated = options.folder / "simulated"
    if not simulated.exists():
        say("no raw data here: simulating some")
        simulate_seasons(simulated, is_quick=options.is_quick)
    return simulated


def _load(workspace: Workspace, raw: Path, options: Options, say: Callable[[str], None]) -> None:
    workspace.drop(RAW)
    cut = options.folder / "raw_cut"
    if options.is_quick:
        cut_to_weeks(raw, cut)
    say("loading raw data")
    workspace.run(RAW, "load", str(cut if options.is_quick else raw))
    shutil.rmtree(cut, ignore_errors=True)


def data_facts(warehouse: Warehouse, *, simulated: bool) -> dict[str, Any]:
    """Return facts about the raw tables."""
    counts = {
        name: warehouse.query(f"select count(*) as n from {table}").to_pylist()[0]["n"]  # noqa: S608 our own names
        for name, table in (
            ("box_score_lines", table_names.PLAYER_BOX_SCORES),
            ("shots", table_names.SHOTS),
        )
    }
    seasons = seasons_of(warehouse)
    return {
        "source": "simulated by backcourt simulate" if simulated else "real",
        "first_season": seasons[0],
        "last_season": seasons[-1],
        "seasons": len(seasons),
        "game_dates": len(game_dates(warehouse)),
        **counts,
    }
