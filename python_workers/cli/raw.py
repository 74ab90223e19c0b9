"""``backcourt load``, ``backcourt remove`` and ``backcourt simulate``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from python_workers import table_names
from python_workers.accounting.stray_rows import delete_strays, find_strays
from python_workers.backfill.dbt_project import DbtProject
from python_workers.cli.console import err, out
from python_workers.cli.load_summary import (
    log_load,
    print_changed_games,
    print_findings,
    print_load,
    say_next,
    seasons_of_games,
)
from python_workers.cli.options import (
    LogFormat,
    LogFormatOption,
    TargetOption,
    WaitOption,
)
from python_workers.errors import BackcourtError, ExitCode
from python_workers.raw.adoption import adopt
from python_workers.raw.findings import (
    FINDINGS_MODEL,
    count_findings,
    list_findings,
    of_games,
)
from python_workers.raw.load import LoadReport, load_directory, raw_tables
from python_workers.raw.removal import remove_games
from python_workers.raw.schema import PLAYERS
from python_workers.raw.selects import read_selects
from python_workers.runtime.scratch import scratch_folder
from python_workers.settings import load_settings
from python_workers.warehouse.open import open_warehouse
from python_workers.wording import counted, shell


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("load")(load)
    app.command("adopt")(adopt_tables)
    app.command("remove")(remove)
    app.command("simulate")(simulate)


def load(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder with a folder per table.")
    ],
    feed: Annotated[
        str | None,
        typer.Option(metavar="FEED", help="DIR holds files of this feed: convert them first."),
    ] = None,
    tables: Annotated[
        str | None,
        typer.Option(metavar="games,shots", help="Only these tables, separated by commas."),
    ] = None,
    replace_games: Annotated[
        bool,
        typer.Option(
            "--replace-games",
            help="Delete stored rows of the files' games that the files lack.",
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="List every row, game and finding.")
    ] = False,
    target: TargetOption = None,
    wait: WaitOption = None,
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Load raw files into nba_raw: check all files, then upsert their rows by key."""
    settings = load_settings(target=target, wait_seconds=wait)
    began = time.perf_counter()
    with (
        _raw_folder(directory, feed, _names(tables)) as (folder, names),
        open_warehouse(settings, must_exist=False) as warehouse,
    ):
        report = load_directory(warehouse, folder, tables=names, replace_games=replace_games)
        is_missing = not all(
            map(warehouse.has_table, (table_names.SEASONS, table_names.RAW_FINDINGS))
        )
        if is_missing:
            # Store the seasons, so that `dbt run` works next, and build the views read below.
            project = DbtProject(settings)
            project.store_seasons(warehouse)
            warehouse.close()
            project.build(["path:models/staging", FINDINGS_MODEL])
        found = count_findings(warehouse, *_changed(report))
        details = list_findings(warehouse, *_changed(report)) if verbose else []
        seasons = seasons_of_games(warehouse)
    seconds = time.perf_counter() - began
    if log_format is LogFormat.JSON:
        log_load(report, found, seconds)
        return
    print_load(report, seconds, verbose=verbose)
    print_findings(found, details)
    if report.has_changes:
        say_next(report.changed_games, seasons)


def adopt_tables(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder with games.sql, player_box_scores.sql, …")
    ],
    target: TargetOption = None,
    wait: WaitOption = None,
) -> None:
    """Use tables that are already in the warehouse as raw tables, through views."""
    settings = load_settings(target=target, wait_seconds=wait)
    selects = read_selects(directory)
    with open_warehouse(settings, must_exist=False) as warehouse:
        adopted = adopt(warehouse, selects)
    for name, rows in adopted.rows.items():
        out.print(f"nba_raw.{name:<18}{rows:>12,} rows")
    out.print(f"players with a new lookup: {adopted.new_players}")
    for warning in adopted.warnings:
        out.print(f"warning: {warning}", markup=False)
    out.print("next: backcourt backfill --all")


def remove(
    game_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[GAME_ID...]", help="The games.")
    ] = None,
    strays: Annotated[
        bool,
        typer.Option(
            "--strays",
            help="Remove computed rows without a date or of an unknown processor, "
            "and repeated records, instead.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count the rows and remove nothing.")
    ] = False,
    target: TargetOption = None,
    wait: WaitOption = None,
) -> None:
    """Remove wrong games from nba_raw, with their box scores and shots."""
    settings = load_settings(target=target, wait_seconds=wait)
    if bool(game_ids) == strays:
        raise BackcourtError(
            "what is to be removed?",
            "Name games, or give --strays; not both.",
            ExitCode.USAGE,
        )
    if strays:
        with open_warehouse(settings) as warehouse:
            found = find_strays(warehouse) if dry_run else delete_strays(warehouse)
        out.print(
            f"{'would remove' if dry_run else 'removed'} "
            f"{', '.join(map(str, found)) or 'nothing: there are no stray rows'}",
            markup=False,
        )
        return
    with open_warehouse(settings) as warehouse:
        totals, changed = remove_games(warehouse, game_ids or [], dry_run=dry_run)
        seasons = seasons_of_games(warehouse)
    rows = ", ".join(f"{counted(count, 'row')} of {table}" for table, count in totals.items())
    out.print(f"{'would remove' if dry_run else 'removed'} {rows}", markup=False)
    if changed:
        print_changed_games(changed, verbose=True)
        say_next(changed, seasons)


def simulate(
    directory: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write.")],
    seasons: Annotated[str, typer.Option(help="Seasons, separated by commas.")] = "2021-22,2022-23",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
) -> None:
    """Write a made-up but realistic league in the raw format, labelled as simulated."""
    from python_workers.simulation.simulate import simulate as write_league  # noqa: PLC0415

    written = write_league(directory, _names(seasons) or [], seed)
    rows = ", ".join(f"{count:,} {table}" for table, count in written.rows.items())
    out.print(f"wrote a simulated league to {directory}: {rows}", markup=False)
    out.print(f"Load it with: {shell('backcourt', 'load', directory)}", markup=False)


@contextmanager
def _raw_folder(
    directory: Path, feed: str | None, tables: list[str] | None
) -> Iterator[tuple[Path, list[str] | None]]:
    """Yield the folder to load and its tables; convert the files of a feed first."""
    wanted = [schema.name for schema in raw_tables(tables)]
    if feed is None:
        yield directory, tables
        return
    from python_workers.cli.feeds import print_conversion  # noqa: PLC0415 -- only for --feed
    from python_workers.feeds.convert import convert  # noqa: PLC0415 -- as above
    from python_workers.feeds.feed import find_feed  # noqa: PLC0415 -- as above

    began = time.perf_counter()
    with scratch_folder() as scratch:
        conversion = convert(find_feed(feed), directory, scratch)
        print_conversion(conversion, time.perf_counter() - began, err)
        filled = [table.table for table in conversion.tables]
        without = [name for name in tables or () if name not in filled]
        if without:
            raise BackcourtError(
                f"these files give no rows of {', '.join(without)}",
                f"They give: {', '.join(filled)}. Nothing was loaded.",
            )
        yield scratch, [name for name in wanted if name in filled]


def _changed(report: LoadReport) -> tuple[str, Mapping[str, object]]:
    """Return the condition for findings in the games and players that this load has changed."""
    games = [game.game_id for game in report.changed_games]
    return of_games(games, with_players=_has_players(report))


def _has_players(report: LoadReport) -> bool:
    return any(table.table == PLAYERS.name and table.counts.changed for table in report.tables)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]
