"""``backcourt coverage``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from python_workers.accounting.causes import (
    Causes,
    GameCause,
    find_causes,
    suggested_gaps,
)
from python_workers.accounting.coverage import (
    ATTENTION,
    COUNTS,
    Coverage,
    exit_code,
    failures_to_investigate,
    read_coverage,
)
from python_workers.accounting.known_gaps import known_gap_lines
from python_workers.accounting.schedule import check_range, resolve
from python_workers.backfill.dbt_project import DbtProject
from python_workers.cli import options
from python_workers.cli.console import out, print_table, say_copied
from python_workers.cli.options import OutputFormat, chosen_processors
from python_workers.cli.report_links import report_hint, report_link
from python_workers.processors.catalogue import BY_NAME
from python_workers.processors.failures import (
    CATEGORIES,
    INCOMPLETE_UPSTREAM,
    UNKNOWN_CATEGORY,
)
from python_workers.settings import Settings, load_settings
from python_workers.warehouse.open import open_beside_a_run
from python_workers.wording import counted, report_fragment

SHOWN_FAILURES = 20
SHOWN_GAMES = 20
SHOWN_DATES = 10

HEADINGS = {
    **{name: name for name in COUNTS},
    **{category.column: category.heading for category in CATEGORIES.values()},
    UNKNOWN_CATEGORY: "unknown",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("coverage")(coverage)


def coverage(
    start: options.StartOption = None,
    end: options.EndOption = None,
    season: options.SeasonOption = None,
    everything: options.AllOption = False,
    processor: Annotated[
        str | None, typer.Option(metavar=options.KEYS, help="Only these, separated by commas.")
    ] = None,
    output: Annotated[OutputFormat, typer.Option("--format", help="Table or JSON.")] = (
        OutputFormat.TABLE
    ),
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print every column, game, date and failure.")
    ] = False,
    suggest_known_gaps: Annotated[
        bool,
        typer.Option(
            "--suggest-known-gaps",
            help="Only print lines for the file of known gaps: those of all failures.",
        ),
    ] = False,
    target: options.TargetOption = None,
    wait: options.WaitOption = None,
) -> int:
    """Reconcile the expected players and teams with rows and failures.

    Exit code 1 if the range needs attention.
    """
    settings = load_settings(target=target, wait_seconds=wait)
    chosen = chosen_processors(processor)
    check_range(start, end, season or [], everything=everything)
    with open_beside_a_run(settings, say_copied) as warehouse:
        schedule = resolve(warehouse, start, end, season or [], everything=everything)
        found = read_coverage(warehouse, schedule, chosen, DbtProject(settings).state())
        failures = failures_to_investigate(warehouse, schedule, chosen)
        causes = find_causes(warehouse, failures)
    if suggest_known_gaps:
        today = datetime.now(UTC).date()
        for line in known_gap_lines(suggested_gaps(causes, today), with_header=False):
            out.print(line, markup=False)
        return exit_code(found)
    if output is OutputFormat.JSON:
        answer = _as_json(found, failures, causes, settings)
        out.print(json.dumps(answer, default=str, indent=1), markup=False)
    else:
        _print(found, causes, settings, verbose=verbose)
    return exit_code(found)


def _print(found: Coverage, causes: Causes, settings: Settings, *, verbose: bool) -> None:
    print_table(
        f"coverage {found.start} to {found.end}",
        [
            ("processor", "left"),
            ("dates", "right"),
            ("not run", "right"),
            *((HEADINGS[name], "right") for name in COUNTS),
        ],
        [
            (processor.key, total["dates"], total["not_run"], *(total[name] for name in COUNTS))
            for processor, total in found.totals().items()
        ],
        every_column=verbose,
    )
    gaps = [row for row in found.by_date if row["coverage_status"] in ("not_run", "incomplete")]
    for row in gaps if verbose else gaps[:SHOWN_DATES]:
        out.print(
            f"{row['coverage_status']}: {BY_NAME[row['processor_name']].key} "
            f"{row['analysis_date']}: "
            f"{row['unaccounted']:,} unaccounted, {row['duplicated']:,} duplicated, "
            f"{row['unexpected']:,} unexpected",
            markup=False,
        )
    if len(gaps) > SHOWN_DATES and not verbose:
        out.print(f"… and {len(gaps) - SHOWN_DATES:,} more dates")
    for line in (*found.repair_lines, *found.unmatched_lines):
        out.print(line, markup=False)
    _print_games(causes.games, settings, verbose=verbose)
    _print_others(causes.others, verbose=verbose)
    if causes.games or causes.others:
        where = report_hint(settings, "#do")
        out.print(f"in the report: {where}", markup=False)
        out.print("  and a page for each of them: #player=LOOKUP, #team=ABC")
    for error in found.raw_errors:
        out.print(
            f"raw rows to correct: {error.found:,} {error.meaning}, first {error.example}",
            markup=False,
        )
    if not found.needs_attention:
        out.print("everyone is accounted for")


def _print_games(games: Sequence[GameCause], settings: Settings, *, verbose: bool) -> None:
    if not games:
        return
    verb = "blocks" if len(games) == 1 else "block"
    out.print(f"{counted(len(games), 'game')} {verb} rows, most first")
    shown = games if verbose else games[:SHOWN_GAMES]
    for game in shown:
        out.print(
            f"{game.game_id}, {game.away}–{game.home}: "  # noqa: RUF001 -- a dash
            f"{'; '.join(game.problems)}: {counted(game.rows, 'row')}",
            markup=False,
        )
        for name, page in _pages(game, settings).items() if verbose else ():
            out.print(f"  {name}{f': {page}' if page else ''}", markup=False)
    if len(games) > len(shown):
        out.print(f"… and {len(games) - len(shown):,} more games (--verbose names all)")
    first, last = min(game.first_date for game in games), max(game.last_date for game in games)
    dates = f"--start {first} --end {last}"
    out.print("to repair: load the corrected games, then run:")
    out.print(f"  backcourt backfill {dates}")
    out.print("what the source never corrects becomes a known gap; lines for its file:")
    out.print(f"  backcourt coverage {dates} --suggest-known-gaps")
    out.print(f"more: {INCOMPLETE_UPSTREAM.page}")


def _pages(game: GameCause, settings: Settings) -> dict[str, str | None]:
    """Return the pages in the report of the players and teams that a game blocks."""
    return {
        name: report_link(settings, report_fragment(name, is_team=is_team))
        for name, is_team in sorted(game.blocked_entities)
    }


def _print_others(failures: Sequence[Mapping[str, Any]], *, verbose: bool) -> None:
    if not failures:
        return
    dates = sum(row["dates"] for row in failures)
    out.print(
        f"to investigate: {counted(dates, 'failure')} of {counted(len(failures), 'kind')}, "
        "earliest first"
    )
    shown = failures if verbose else failures[:SHOWN_FAILURES]
    for row in shown:
        out.print(
            f"  {_span(row)}  {BY_NAME[row['processor_name']].key} {row['entity_id']} "
            f"{row['failure_category']}: {row['failure_reason']}",
            markup=False,
        )
    if len(failures) > len(shown):
        out.print(f"  … and {len(failures) - len(shown):,} more (--verbose names all)")
    for name in sorted({row["failure_category"] for row in failures} & CATEGORIES.keys()):
        out.print(f"  {name}: {CATEGORIES[name].action} ({CATEGORIES[name].page})")


def _span(row: Mapping[str, Any]) -> str:
    if row["dates"] == 1:
        return str(row["first_date"])
    return f"{row['first_date']} to {row['last_date']} ({row['dates']} dates)"


def _as_json(
    found: Coverage, failures: Sequence[Mapping[str, Any]], causes: Causes, settings: Settings
) -> dict[str, Any]:
    return {
        "start_date": found.start,
        "end_date": found.end,
        "needs_attention": bool(found.needs_attention),
        "reasons": found.needs_attention,
        "changed_games": list(found.changed_games),
        "attention_counts": {name: sum(row[name] for row in found.by_date) for name in ATTENTION},
        "processors": [
            {"processor_name": processor.name, **total}
            for processor, total in found.totals().items()
        ],
        "dates": list(found.by_date),
        "to_investigate": failures,
        "games": [_game_json(game, settings) for game in causes.games],
        "unmatched_known_gaps": list(found.unmatched_gaps),
        "raw_errors": [vars(error) for error in found.raw_errors],
        "missing_tables": list(found.missing_tables),
        "strays": [vars(stray) for stray in found.strays],
    }


def _game_json(game: GameCause, settings: Settings) -> dict[str, Any]:
    return {
        "game_id": game.game_id,
        "game_date": game.game_date,
        "away_team_abbr": game.away,
        "home_team_abbr": game.home,
        "problems": game.problems,
        "players": {kind: sorted(players) for kind, players in sorted(game.gaps.items())},
        "blocked_entities": _pages(game, settings),
        "rows_blocked": game.rows,
        "rows_by_processor": game.blocked,
        "first_date": game.first_date,
        "last_date": game.last_date,
    }
