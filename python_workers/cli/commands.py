"""The table of the commands; the module that declares a command is imported when it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup

from python_workers.runtime.tuning import collector_paused_for_imports

NO_MARKUP: Mapping[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
}


class Entry(NamedTuple):
    """A command before its module is imported.

    Parameters
    ----------
    module
        Module of `python_workers.cli` whose ``register(app)`` adds the command.
    summary
        The first sentence of the command's help, for the list of commands.
    """

    module: str
    summary: str


COMMANDS: Mapping[str, Entry] = {
    "load": Entry(
        "raw", "Load raw files into nba_raw: check all files, then upsert their rows by key."
    ),
    "adopt": Entry(
        "raw", "Use tables that are already in the warehouse as raw tables, through views."
    ),
    "remove": Entry("raw", "Remove wrong games from nba_raw, with their box scores and shots."),
    "simulate": Entry(
        "raw", "Write a made-up but realistic league in the raw format, labelled as simulated."
    ),
    "convert": Entry("feeds", "Convert the files of a public source into raw files."),
    "fetch": Entry(
        "feeds",
        "Fetch a season's answers from stats.nba.com: only what is missing, paced, resumable.",
    ),
    "feeds": Entry("feeds", "List the feeds, what each reads and which raw tables it can fill."),
    "backfill": Entry(
        "backfill", "Backfill a range: build inputs, compute, build outputs, test the coverage."
    ),
    "compute": Entry(
        "backfill", "Compute only the pool's processors, from inputs that dbt has built."
    ),
    "plan": Entry(
        "plan", "Show the state of each date of each processor, and what a backfill would do."
    ),
    "coverage": Entry(
        "coverage", "Reconcile the expected players and teams with rows and failures."
    ),
    "explain": Entry(
        "explain",
        "Explain the stored row or failure of a player or team: formulas, games, hash, repair.",
    ),
    "diff": Entry(
        "diff", "Compare the features and failures of this warehouse with those of another one."
    ),
    "doctor": Entry(
        "health",
        "Check the installation, the warehouse and some of its rows; say what to mend.",
    ),
    "verify": Entry("health", "Recompute all hashes and the accounting from the stored rows."),
    "daily": Entry("daily", "Compute one date with the guards of a live pipeline."),
    "status": Entry(
        "daily", "Show the state of the pipeline: runs, freshness, breakers, failures, due dates."
    ),
    "report": Entry(
        "report", "Write one self-contained page: coverage, failures, run times, shot zones."
    ),
    "export": Entry(
        "export", "Write the training examples, or any output table, as Parquet or CSV files."
    ),
    "costs": Entry(
        "costs", "Show the bytes, slot time and jobs of a run on BigQuery, by stage and processor."
    ),
    "docs": Entry("docs", "Write the data dictionary and dbt's documentation, a page each."),
    "bench": Entry(
        "bench", "Measure the engine and its alternatives, and compare the figures with their bars."
    ),
    "breaker": Entry("daily", "List or release the locks of daily mode's circuit breaker."),
}


class LazyCommands(Mapping[str, Any]):
    """The commands by name; looking one up imports its module."""

    def __init__(self) -> None:
        self._imported: dict[str, Any] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 -- typer's own click
        if name not in self._imported:
            module = COMMANDS[name].module
            app = typer.Typer(**NO_MARKUP)
            with collector_paused_for_imports():
                import_module(f"python_workers.cli.{module}").register(app)
            self._imported |= typer.main.get_group(app).commands
        return self._imported[name]


class CommandGroup(TyperGroup):
    """The commands of `COMMANDS`; its ``--help`` imports no module of a command."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 -- of typer
        commands: Any = LazyCommands()
        super().__init__(commands=commands, rich_markup_mode=None, **options)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 -- typer's own click
        """Return the names of the commands, in the order of the table."""
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002 -- as above
        """Write the list of commands for ``--help``."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])
