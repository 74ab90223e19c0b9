"""``backcourt bench``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import joblib
import typer

from python_workers.cli import options
from python_workers.cli.console import err, out
from python_workers.errors import BackcourtError, ExitCode
from python_workers.runtime.scratch import scratch_folder
from python_workers.runtime.writing import check_writable, write_text
from python_workers.settings import load_settings, resolve_project_dir

KEYS = "abcdefghi"
HELP = """Measure the engine and its alternatives, and compare the figures with their bars.

\b
  a  each stage of a whole backfill
  b  the compute stage against one pandas frame per player
  c  the compute stage against one SQL statement
  d  the compute stage with 1, 2, 4, ... jobs
  e  1, 4, 12 and 30 seasons: time per date, memory
  f  a re-run where nothing has changed
  g  one corrected box score
  h  one date (daily)
  i  the whole backfill against a bare DuckDB; bytes of the inputs
"""
REAL_DATA = Path("shared") / "data" / "nba"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench", help=HELP)(bench)


def bench(
    raw: Annotated[
        Path | None,
        typer.Option(
            "--raw",
            metavar="DIR",
            help="Raw data.  [default: BACKCOURT_RAW_DIR, ../shared/data/nba, or simulated]",
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="a,b,...", help="Only these sections."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Smoke test on a few weeks; judge no bar.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.json", help="Write the results there.")
    ] = None,
    docs: Annotated[
        Path | None, typer.Option("--docs", metavar="FILE.md", help="Write the page there.")
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(
            "--work",
            metavar="DIR",
            help="Keep the warehouses there, and reuse those that are up to date.",
        ),
    ] = None,
    repeat: Annotated[
        int, typer.Option("--repeat", min=1, help="Times to run each command; the median counts.")
    ] = 1,
    profile: Annotated[
        Path | None,
        typer.Option("--profile", metavar="DIR", help="Write profiles of the backfill there."),
    ] = None,
    n_jobs: options.JobsOption = None,
) -> int:
    """Measure the engine and its alternatives, and compare the figures with their bars."""
    from python_workers.bench.page import (  # noqa: PLC0415 -- with pandas
        PAGE_BEGINS,
        docs_page,
        results_table,
    )
    from python_workers.bench.results import JSON_BEGINS, Results  # noqa: PLC0415
    from python_workers.bench.suite import Options, run_benchmark  # noqa: PLC0415

    for path, begins, suffix in ((output, JSON_BEGINS, ".json"), (docs, PAGE_BEGINS, ".md")):
        if path is not None:
            check_writable(path, begins, (suffix,))
    settings = load_settings(n_jobs=n_jobs)
    project = resolve_project_dir()

    def write(results: Results) -> None:
        if output is not None:
            write_text(output, results.to_json() + "\n")
        if docs is not None:
            write_text(docs, docs_page(results))

    source = raw or settings.raw_dir or _real_data(project)
    began = time.perf_counter()
    with _folder(work) as folder:
        results = run_benchmark(
            Options(
                project,
                source.resolve() if source else None,  # commands run in another folder
                folder,
                chosen_sections(only),
                joblib.cpu_count() if settings.n_jobs == -1 else settings.n_jobs,
                is_quick=quick,
                repeat=repeat,
                profiles=profile,
            ),
            lambda text: err.print(f"{time.perf_counter() - began:7.1f} s  {text}", markup=False),
            write,
        )
    out.print(results_table(results))
    for section in results.sections:
        for note in section.notes:
            out.print(f"{section.key}  {note}", markup=False)
    if results.data["source"] != "real":
        out.print("The data are simulated; the figures do not describe real seasons.", markup=False)
    for figure in results.missed:
        out.print(f"not met: {figure.name}: {figure.shown} {figure.unit}, {figure.bar}")
    return ExitCode.ATTENTION if results.missed else ExitCode.OK


def chosen_sections(only: str | None) -> list[str]:
    """Return the sections that an option names, in order."""
    if only is None:
        return list(KEYS)
    given = {key.strip().lower() for key in only.split(",") if key.strip()}
    unknown = sorted(given - set(KEYS))
    if unknown or not given:
        raise BackcourtError(
            f"{', '.join(unknown) or 'nothing'} is no section of the benchmark",
            f"Choose from {', '.join(KEYS)}, separated by commas.",
            ExitCode.USAGE,
        )
    return [key for key in KEYS if key in given]


def _real_data(project: Path) -> Path | None:
    beside = project.parent / REAL_DATA
    return beside if (beside / "games").is_dir() else None


@contextmanager
def _folder(work: Path | None) -> Iterator[Path]:
    if work is not None:
        yield work.expanduser().absolute()
        return
    with scratch_folder() as folder:
        yield folder
