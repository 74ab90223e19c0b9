"""Profiles the parent of a whole backfill, and the compute stage in one thread."""

from __future__ import annotations

import pstats
from pathlib import Path

from python_workers.bench.stages import RAW, SCRATCH, Bench

FUNCTIONS_SHOWN = 12


def profile(bench: Bench, folder: Path) -> None:
    """Profile a whole backfill and the compute stage, and add the slowest functions.

    Parameters
    ----------
    bench
        The benchmark.
    folder
        Folder for ``backfill.pstats`` and ``compute.pstats``, for ``python -m pstats``.
    """
    results, workspace = bench.results, bench.workspace
    folder.mkdir(parents=True, exist_ok=True)
    results.section("p", "Profile: functions by their own time")

    bench.say("profiling the parent of a whole backfill")
    workspace.copy(RAW, SCRATCH)
    parent = (folder / "backfill.pstats").absolute()
    workspace.run(SCRATCH, "backfill", "--all", profile=parent)
    _add(bench, parent, "parent")

    bench.say("profiling the compute stage in one thread")
    compute = (folder / "compute.pstats").absolute()
    bench.use_inputs()
    workspace.run(SCRATCH, "compute", "--all", "--backend", "threading", profile=compute, jobs=1)
    _add(bench, compute, "compute")
    results.note(
        "The profiler sees only the main thread of the parent; work of dbt's threads, the reading "
        "thread and the workers shows as waiting. The compute stage is profiled in one thread, "
        "without a pool. To profile all processes and threads, install py-spy and run: "
        "`py-spy record --subprocesses --native -o backfill.svg -- backcourt backfill --all`."
    )


def _add(bench: Bench, file: Path, name: str) -> None:
    for where, own, calls in top_functions(file, FUNCTIONS_SHOWN):
        bench.results.add(f"{name}: {where}", own, "s", note=f"{calls:,} calls")


def top_functions(file: Path, count: int) -> list[tuple[str, float, int]]:
    """Return the functions of a profile with the most own time.

    Parameters
    ----------
    file
        A dump of cProfile.
    count
        Number of functions.

    Returns
    -------
    list
        For each function: module and name, own seconds, number of calls.
    """
    stats = pstats.Stats(str(file)).get_stats_profile().func_profiles
    ranked = sorted(stats.items(), key=lambda item: item[1].tottime, reverse=True)
    return [
        (
            _described(profile.file_name, name),
            profile.tottime,
            int(str(profile.ncalls).partition("/")[0]),
        )
        for name, profile in ranked[:count]
    ]


def _described(file_name: str, function: str) -> str:
    """Name a function by the last two parts of its file, which do not identify the machine."""
    if file_name in ("~", ""):
        return function
    return f"{'/'.join(Path(file_name).parts[-2:])} {function}"
