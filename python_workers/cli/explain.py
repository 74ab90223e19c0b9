"""``backcourt explain``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Any

import typer

from python_workers.cli import options
from python_workers.cli.console import out, say_copied, wrapped
from python_workers.cli.options import OutputFormat, chosen_processors
from python_workers.cli.report_links import report_hint, report_link
from python_workers.errors import BackcourtError, ExitCode
from python_workers.explain.answer import Explanation, explain_all
from python_workers.explain.entities import Who, find
from python_workers.explain.games import Game
from python_workers.explain.lines import Line
from python_workers.processors.base import Processor
from python_workers.settings import load_settings, resolve_project_dir
from python_workers.warehouse.open import open_beside_a_run
from python_workers.wording import report_fragment

SHOWN_TEXT = 400


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain_command)


def explain_command(
    player: Annotated[
        str,
        typer.Argument(
            metavar="PLAYER", help="Id, lookup or name of a player; a team's abbreviation."
        ),
    ],
    day: Annotated[
        date,
        typer.Option("--date", metavar="YYYY-MM-DD", parser=options.parse_date, help="The date."),
    ],
    processor: Annotated[
        str | None, typer.Option(metavar=options.KEYS, help="Only these, separated by commas.")
    ] = None,
    output: Annotated[OutputFormat, typer.Option("--format", help="Table or JSON.")] = (
        OutputFormat.TABLE
    ),
    target: options.TargetOption = None,
    wait: options.WaitOption = None,
) -> int:
    """Explain the stored row or failure of a player or team: formulas, games, hash, repair.

    Computes everything again and exits with 1 if a stored value is another, or if a failure needs
    attention.
    """
    settings = load_settings(target=target, wait_seconds=wait)
    chosen = chosen_processors(processor)
    directory = resolve_project_dir()
    with open_beside_a_run(settings, say_copied) as warehouse:
        who = find(warehouse, player)
        about = _about(who, chosen, is_named=processor is not None)
        found = explain_all(warehouse, about, day, who, directory)
    page = report_fragment(who.lookup, is_team=who.player_id is None)
    if output is OutputFormat.JSON:
        link = report_link(settings, page)
        answer = [{**_as_json(each), "page": link} for each in found]
        out.print(json.dumps(answer, default=str, indent=1), markup=False)
    else:
        for each in found:
            out.print("\n".join(_shown(each)), markup=False)
        out.print(f"page: {report_hint(settings, page)}", markup=False)
    return ExitCode.ATTENTION if any(each.needs_attention for each in found) else ExitCode.OK


def _about(who: Who, chosen: Sequence[Processor], *, is_named: bool) -> list[Processor]:
    """Return the processors that are about players, or about teams."""
    entity = "team_abbr" if who.player_id is None else "player_id"
    about = [processor for processor in chosen if processor.entity == entity]
    if not about or (is_named and len(about) < len(chosen)):
        kind = "a team" if who.player_id is None else "a player"
        others = ", ".join(each.key for each in chosen if each not in about)
        raise BackcourtError(
            f"{who.name} is {kind}, and {others} has no rows of such",
            "Name a player, or a team's abbreviation for tdza.",
            ExitCode.USAGE,
        )
    return about


def _shown(found: Explanation) -> Iterator[str]:
    who = found.who
    name = who.name if who.player_id is None else f"{who.name} ({who.lookup}, {who.player_id})"
    yield _wrapped(f"{found.processor.key}: {found.processor.title} of {name} on {found.day}", 0)
    yield _wrapped(_outcome(found), 2)
    yield from _record(found.record)
    for read in found.reads:
        seen = f"hash {read.data_hash}, run {read.run_id}" if read.data_hash else "there"
        seen = seen if read.is_there else "no row"
        yield _wrapped(f"reads {read.processor} of {read.entity}: {seen}", 2)
    if found.games:
        yield "  games, most recent first:"
        for game in found.games:
            yield from _game(game)
    if found.lines:
        yield "  columns, and before them the values on the way to them:"
        for line in found.lines:
            yield from _line(line)
    if found.hash is not None:
        is_same = found.hash.stored == found.hash.recomputed
        same = "the same recomputed" if is_same else f"recomputed {found.hash.recomputed}"
        yield _wrapped(f"data_hash {found.hash.stored}, {same}", 2)
    for problem in found.problems:
        yield _wrapped(f"error: {problem}", 2)
    for step in found.repair:
        yield _wrapped(f"do: {step}", 2)


def _outcome(found: Explanation) -> str:
    if found.failure is not None:
        return f"failure {found.failure['failure_category']}: {found.failure['failure_reason']}"
    if found.row is not None:
        return "a row"
    return "neither a row nor a failure" + ("" if found.problems else ": nothing is expected")


def _record(record: Mapping[str, Any]) -> Iterator[str]:
    if not record:
        return
    finished = f"{record['finished_at']:%Y-%m-%d %H:%M} UTC"
    version, mode = record["calculation_version"], record["mode"] or "mode unknown"
    yield _wrapped(f"run {record['run_id']} ({mode}), finished {finished}, version {version}", 2)
    upstream = (record["upstream_digests"] or "unknown").replace("|", " ")
    mark = f", daily mode {record['daily_mark']}" if record["daily_mark"] else ""
    yield _wrapped(f"fingerprint of the date's inputs {record['input_fingerprint']}{mark}", 2)
    if upstream:
        yield _wrapped(f"digests of the upstream rows of the date {upstream}", 2)


def _game(game: Game) -> Iterator[str]:
    counted = "counted" if game.is_counted else "not counted"
    yield _wrapped(f"{game.day} {game.opponent or '?':<4} {counted}: {_values(game.values)}", 4)
    if game.missing:
        yield _wrapped(f"lacks {'; '.join(game.missing)} (game {game.game_id})", 8)


def _values(values: Mapping[str, Any]) -> str:
    """Write makes and attempts of the same kind as one pair, and leave out flags."""
    parts = []
    for name, value in values.items():
        kind = name.removesuffix("_makes")
        if isinstance(value, bool) or name.removesuffix("_attempts") + "_makes" in values:
            continue
        if kind != name and f"{kind}_attempts" in values:
            parts.append(f"{kind} {_text(value)}/{_text(values[f'{kind}_attempts'])}")
        else:
            parts.append(f"{name} {_text(value)}")
    return ", ".join(parts)


def _line(line: Line) -> Iterator[str]:
    indent = 4 if line.is_column else 6
    stored = f", stored {_text(line.stored)}" if line.is_column and line.problem else ""
    yield _wrapped(f"{line.name} = {_text(line.value)}{stored}", indent)
    if line.formula is not None:
        yield _wrapped(f"= {line.formula}", indent + 4)
        if line.filled != line.formula:
            yield _wrapped(f"= {line.filled}", indent + 4)


def _text(value: object) -> str:
    return "missing" if value is None else str(value)


def _wrapped(text: str, indent: int) -> str:
    """Break a text into lines of at most 80 columns; cut what only JSON shows whole."""
    if len(text) > SHOWN_TEXT:
        text = f"{text[:SHOWN_TEXT]} … (--format json has all)"
    return wrapped(text, indent)


def _as_json(found: Explanation) -> dict[str, Any]:
    return {
        "processor": found.processor.name,
        "date": found.day,
        "player_id": found.who.player_id,
        "entity_id": found.who.lookup,
        "name": found.who.name,
        "state": found.state.status,
        "state_reason": found.state.reason,
        "record": dict(found.record),
        "failure": found.failure,
        "columns": [
            {**_line_json(line), "stored": line.stored} for line in found.lines if line.is_column
        ],
        "steps": [_line_json(line) for line in found.lines if not line.is_column],
        "games": [vars(game) for game in found.games],
        "reads": [vars(read) for read in found.reads],
        "hash": None if found.hash is None else vars(found.hash),
        "problems": found.problems,
        "repair": found.repair,
    }


def _line_json(line: Line) -> dict[str, Any]:
    return {
        "name": line.name,
        "value": line.value,
        "formula": line.formula,
        "filled": line.filled,
        "problem": line.problem,
    }
