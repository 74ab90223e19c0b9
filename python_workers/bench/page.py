"""Formats the figures as a table for the terminal and as a page for the docs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from python_workers.bench.results import Figure, Results, Section

_ABOUT = {
    "a": "The time is measured from outside; it includes interpreter start, imports, dbt's start-up"
    " and the coverage tests. `backcourt load` has made dbt parse the project before, and Python's "
    "byte code is cached. The peak is the high-water mark of the parent process.",
    "b": "The baseline reads a date and gives each worker some of its players. Workers filter a "
    "pandas frame per player, take its head, sum, average, round, and hash with the scalar "
    "reference; then the baseline writes the date. Its pool is warm before the clock starts, it "
    "does not check its inputs, and it does not compare with stored rows: it does less than the "
    "engine.",
    "c": "One `create table as` over the three inputs tables and the team defences: windows of "
    "five, ten and twenty games, rates, means, deviations, scores. It rounds in floats, hashes "
    "nothing, explains no failure and writes no context.",
    "d": "The time includes the pool's start-up, reading the inputs, hashing and committing.",
    "e": "Each run starts from an empty warehouse with raw tables loaded.",
    "f": "No date is due, so the run only reads fingerprints. The first time runs dbt's coverage "
    "tests; they are left out afterwards, since they have passed and the file is unchanged.",
    "g": "`backcourt load` loads the corrected file; then everything is backfilled again.",
    "h": "`backcourt daily --date D`.",
    "i": "A bare DuckDB reads the raw tables into memory, runs the statement of section c over the "
    "inputs that the engine has built, and writes the rows of the five output tables into a new "
    "file. It checks, hashes, explains, compares and records nothing.",
}

PAGE_BEGINS = "# Benchmarks\n"

_INTRODUCTION = f"""{PAGE_BEGINS}
The results of one run of `backcourt bench`, which writes this page. To repeat it, on an otherwise
idle machine:

    backcourt bench --docs docs/benchmarks.md --out benchmarks.json

`--only a,c` measures some of the sections, `--quick` is a smoke test on a few weeks, `--raw DIR`
names other raw data, `--repeat 3` times each command three times and takes the median, and
`--profile DIR` adds a profile of the backfill. A bar is the project's own target; the next column
says whether this run met it.
"""


def results_table(results: Results) -> Table:
    """Return the figures as one table for the terminal."""
    table = Table(title="backcourt bench", title_justify="left", box=None, header_style="bold")
    for heading in _HEADINGS:
        table.add_column(heading, justify="right" if heading == "measured" else "left")
    for section in results.sections:
        table.add_row(Text(f"{section.key}  {section.title}", style="bold"))
        for figure in section.figures:
            style = {True: "green", False: "red", None: ""}[figure.met]
            measured, bar, verdict, note = _cells(figure)
            table.add_row(f"   {figure.name}", measured, bar, Text(verdict, style=style), note)
    return table


_HEADINGS = ("what", "measured", "bar", "", "remark")


def _cells(figure: Figure) -> list[str]:
    return [f"{figure.shown} {figure.unit}", figure.bar or "", figure.verdict, figure.note]


def docs_page(results: Results) -> str:
    """Return the page, in Markdown."""
    parts = [_INTRODUCTION]
    if results.is_smoke_test:
        parts.append("**This is a smoke test on a few weeks, which does not judge the bars.**\n")
    if results.data["source"] != "real":
        parts.append("**The raw data are simulated; the figures do not describe real seasons.**\n")
    parts += ["## Where\n", _markdown_table(("", ""), _facts(results))]
    barred = [
        (f"{section.key}. {figure.name}", *_cells(figure))
        for section in results.sections
        for figure in section.figures
        if figure.bar
    ]
    if barred:
        parts += ["## The bars\n", _markdown_table(_HEADINGS, barred, right=1)]
    for section in results.sections:
        parts.append(_section(section))
    return "\n".join(parts).rstrip() + "\n"


def _facts(results: Results) -> Iterable[tuple[str, str]]:
    machine, data = results.machine, results.data
    yield "measured at", results.created_at
    yield "processor", f"{machine['processor']}, {machine['cores']} cores"
    yield "memory", f"{machine['memory_gib']} GiB"
    yield "load before", f"{machine['load_before']} (1 minute)"
    yield "system", f"{machine['system']}, Python {machine['python']}"
    packages: dict[str, Any] = machine["packages"]
    yield "packages", ", ".join(f"{name} {version}" for name, version in packages.items())
    yield "revision", f"{machine['backcourt']}, {machine['revision']}"
    yield "raw data", str(data["source"])
    yield (
        "",
        (
            f"{data['first_season']} to {data['last_season']}, {data['game_dates']:,} game dates, "
            f"{data['box_score_lines']:,} box-score lines, {data['shots']:,} shots"
        ),
    )


def _section(section: Section) -> str:
    parts = [f"## {section.key}. {section.title}\n"]
    if section.key in _ABOUT:
        parts.append(_ABOUT[section.key] + "\n")
    if section.figures:
        parts.append(_figures_table(section.figures))
    parts += [f"{note}\n" for note in section.notes]
    return "\n".join(parts)


def _figures_table(figures: Iterable[Figure]) -> str:
    rows = [(figure.name, *_cells(figure)) for figure in figures]
    return _markdown_table(_HEADINGS, rows, right=1)


def _markdown_table(
    headings: tuple[str, ...], rows: Iterable[tuple[str, ...]], right: int | None = None
) -> str:
    rules = ["---:" if column == right else "---" for column in range(len(headings))]
    lines = [_line(headings), _line(rules), *(_line(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
