"""The figures as a table for the terminal and as a page for the docs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from python_workers.bench.results import Figure, Results, Section

_ABOUT = {
    "a": "The command is timed from outside: interpreter start, imports, dbt's start-up and the "
    "coverage tests are in it. dbt has parsed the project before, as `backcourt load` makes it do, "
    "and Python's byte code is cached. The peak is the high-water mark of the process itself.",
    "b": "The baseline reads a date, gives each worker some of its players, filters a pandas frame "
    "per player, takes its head, sums and averages, rounds, and hashes with the scalar reference; "
    "then the date is written. Its pool is warm before the clock starts, it checks none of its "
    "inputs, and it compares nothing with stored rows: it does less than the engine.",
    "c": "One `create table as` over the three inputs tables and the team defences: windows of "
    "five, ten and twenty games, rates, means, deviations, scores. It rounds in floats, hashes "
    "nothing, explains no failure and writes no context.",
    "d": "The pool's start-up is in it, and so are reading the inputs, hashing, and committing.",
    "e": "Each run starts from an empty warehouse with raw tables loaded.",
    "f": "Nothing is due, so only fingerprints are read; dbt's coverage tests run all the same.",
    "g": "The corrected file is loaded by `backcourt load`, then everything is backfilled again.",
    "h": "`backcourt daily --date D`.",
}

PAGE_BEGINS = "# Benchmarks\n"

_INTRODUCTION = f"""{PAGE_BEGINS}
What `backcourt bench` measured in one run. This page is written by the command; to repeat it, on a
machine that does nothing else:

    backcourt bench --docs docs/benchmarks.md --out benchmarks.json

`--only a,c` measures some of the sections, `--quick` is a smoke test on a few weeks, `--raw DIR`
names other raw data, `--repeat 3` times each command three times and takes the fastest, and
`--profile DIR` adds a profile of what is left. A bar is what the project has set itself; beside it
stands whether this run met it.
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
        parts.append("**This is a smoke test on a few weeks: it says nothing about the bars.**\n")
    if results.data["source"] != "real":
        parts.append("**The raw data are simulated: this is about no real season.**\n")
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
