"""Prints the summary of a load: rows, changed games, findings in them, and the next command."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from python_workers.cli.console import (
    JsonReporter,
    err,
    out,
    print_table,
)
from python_workers.raw.agreement import named_rows
from python_workers.raw.changed_games import ChangedGame
from python_workers.raw.findings import Finding, over_seasons
from python_workers.raw.load import LoadReport, TableLoad
from python_workers.raw.schema import GAMES
from python_workers.warehouse.base import Warehouse
from python_workers.wording import counted

SHOWN_GAMES = 5


def seasons_of_games(warehouse: Warehouse) -> set[str]:
    """Return the seasons of the stored games."""
    found = warehouse.query(f"select distinct season from {GAMES.spec.name}")  # noqa: S608 our own name
    return {row["season"] for row in found.to_pylist()}


def print_load(report: LoadReport, seconds: float, *, verbose: bool) -> None:
    """Print the rows of each table, the changed games and the warnings."""
    print_table(
        f"loaded in {seconds:.1f} s",
        [
            ("table", "left"),
            ("files", "right"),
            ("rows read", "right"),
            ("inserted", "right"),
            ("updated", "right"),
            ("unchanged", "right"),
            ("deleted", "right"),
        ],
        [
            (
                loaded.table,
                loaded.files,
                loaded.rows_read,
                loaded.counts.inserted,
                loaded.counts.updated,
                loaded.counts.unchanged,
                loaded.counts.deleted,
            )
            for loaded in report.tables
        ],
    )
    if report.new_players:
        out.print(f"{report.new_players:,} new players got their lookup")
    print_changed_games(report.changed_games, verbose=verbose)
    for loaded in report.tables:
        if loaded.left:
            err.print(f"warning: {_left(loaded, verbose=verbose)}", markup=False)
    for warning in report.warnings:
        err.print(f"warning: {warning}", markup=False)


def print_changed_games(games: Sequence[ChangedGame], *, verbose: bool) -> None:
    """Print the games and dates that a load changed: the first few, or all."""
    if not games:
        return
    dates = sorted({day for game in games for day in _dates(game)})
    span = "no known date"
    if dates:
        span = str(dates[0]) if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    out.print(
        f"changed {counted(len(games), 'game')} on {counted(len(dates), 'date')}, {span}:",
        markup=False,
    )
    shown = games if verbose else games[:SHOWN_GAMES]
    for game in shown:
        out.print(f"  {_described(game)}", markup=False)
    if len(games) > len(shown):
        out.print(f"  … and {len(games) - len(shown):,} more (--verbose names all)")


def print_findings(found: Sequence[Finding], details: Sequence[Mapping[str, object]]) -> None:
    """Print the findings by table and season, with an example of each."""
    if not found:
        return
    seasons, rows = over_seasons(found)
    print_table(
        "findings in the changed games, loaded unchanged",
        [
            ("table", "left"),
            ("what", "left"),
            *((season or "no season", "right") for season in seasons),
            ("the first", "left"),
        ],
        [
            (
                row.table_name,
                row.meaning,
                *(row.by_season.get(season, 0) for season in seasons),
                row.example,
            )
            for row in rows
        ],
    )
    for row in details:
        out.print(
            "  " + " ".join(str(value) for name, value in row.items() if _is_told(name, value)),
            markup=False,
        )


def say_next(games: Sequence[ChangedGame], seasons: Collection[str]) -> None:
    """Print the command that brings the features up to date."""
    changed = {game.season for game in games if game.season and not game.former_game_date}
    is_part = games and len(changed) < len(seasons) and all(game.season for game in games)
    is_part = is_part and not any(game.former_game_date for game in games)
    options = " ".join(f"--season {season}" for season in sorted(changed)) if is_part else "--all"
    out.print(f"next: backcourt backfill {options}", markup=False)


def log_load(report: LoadReport, found: Sequence[Finding], seconds: float) -> None:
    """Write the summary as JSON lines."""
    log = JsonReporter()
    for loaded in report.tables:
        log.event(
            "table_loaded",
            load_id=report.load_id,
            table=loaded.table,
            files=loaded.files,
            rows_read=loaded.rows_read,
            inserted=loaded.counts.inserted,
            updated=loaded.counts.updated,
            unchanged=loaded.counts.unchanged,
            deleted=loaded.counts.deleted,
        )
    for game in report.changed_games:
        log.event("game_changed", load_id=report.load_id, **vars(game))
    left = [_left(loaded, verbose=True) for loaded in report.tables if loaded.left]
    for warning in (*left, *report.warnings):
        log.event("load_warning", load_id=report.load_id, message=warning, severity="WARNING")
    for finding in found:
        log.event(
            "raw_finding",
            load_id=report.load_id,
            **vars(finding),
            severity="ERROR" if finding.is_error else "WARNING",
        )
    log.event(
        "load_finished",
        load_id=report.load_id,
        new_players=report.new_players,
        seconds=round(seconds, 3),
    )


def _left(table: TableLoad, *, verbose: bool) -> str:
    games = len({row["game_id"] for row in table.left})
    rows = len(table.left)
    return (
        f"{counted(rows, 'stored row')} of {counted(games, 'game')} "
        f"{'is' if rows == 1 else 'are'} not in these files and "
        f"{'stays' if rows == 1 else 'stay'} in {table.table}: "
        f"{named_rows(table.left, None if verbose else 3)}. "
        "To delete stored rows that the files lack: --replace-games."
    )


def _dates(game: ChangedGame) -> list[date]:
    return [day for day in (game.game_date, game.former_game_date) if day is not None]


def _described(game: ChangedGame) -> str:
    counts = {"inserted": game.inserted, "updated": game.updated, "deleted": game.deleted}
    rows = ", ".join(f"{counted(count, 'row')} {kind}" for kind, count in counts.items() if count)
    was = f" (before: {game.former_game_date})" if game.former_game_date else ""
    return f"{game.game_id} {game.game_date or 'no date'}{was}: {rows}"


def _is_told(name: str, value: object) -> bool:
    return value is not None and name not in ("table_name", "is_error", "season")
