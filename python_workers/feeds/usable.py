"""Judges an answer of the site before a fetch keeps it: its form, its game, and its completeness.

The conversion alone judges the values of its rows.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from python_workers.errors import BackcourtError, ExitCode
from python_workers.feeds.answers import OtherFormError, create_table, read_answers
from python_workers.feeds.feed import Source, find_feed
from python_workers.warehouse.duckdb.file import NO_DOWNLOADS

FEED = "nba_api"
_LAST_REGULAR_PERIOD = 4
_PLAYERS_ON_COURT = 5

Row = Mapping[str, str | None]


@dataclass(frozen=True)
class Request:
    """A request whose answer is kept in a file.

    Parameters
    ----------
    endpoint, parameters
        What to ask.
    file
        Where to keep the answer.
    source
        The source of the feed that reads it, for its result set and columns.
    """

    endpoint: str
    parameters: Mapping[str, object]
    file: Path
    source: str


def why_unusable(request: Request, text: str) -> str | None:
    """Return why an answer is not kept; None if it is.

    Raises
    ------
    BackcourtError
        If it is not of the source's form.
    """
    rows = rows_of(request, text)
    # A game may be without inactive players.
    if not rows and request.source != "inactive_players_v3":
        return "an empty answer"
    if request.source == "player_index":
        player_ids(request, text)
        return _why_another_season(request, text)
    return _why_another(request, text, rows) or _why_half(request.source, rows)


def rows_of(request: Request, text: str) -> list[Row]:
    """Return the rows that a conversion would read from an answer.

    Raises
    ------
    BackcourtError
        If it is not of the source's form.
    """
    source = _source(request)
    with duckdb.connect(config={**NO_DOWNLOADS}) as connection:
        create_table(connection, source)
        try:
            known = read_answers(connection, [source], {1: text}, [request.file.name])
        except BackcourtError as error:
            problem = error.problem if isinstance(error, OtherFormError) else error.message
            raise other_form(request, problem) from error
        if not known:
            raise other_form(request, f"it has no {source.path}")
        rows = connection.table(source.name).to_arrow_table()
        return [dict(row) for row in rows.to_pylist()]


def player_ids(index: Request, text: str) -> list[int]:
    """Return the ids in an answer of PlayerIndex.

    Raises
    ------
    BackcourtError
        If it is not of the source's form.
    """
    rows = rows_of(index, text)
    return sorted({int(matching(index, row, "PERSON_ID", r"\d+")) for row in rows})


def matching(request: Request, row: Row, column: str, pattern: str) -> str:
    """Return the value of a column if it has the form of all its values.

    Raises
    ------
    BackcourtError
        If it has another form.
    """
    value = row[column]
    if value is None or not re.fullmatch(pattern, value, re.ASCII):
        key = next(iter(row))
        of_row = f" where {key} = {row[key]!r}" if column != key else ""
        raise other_form(request, f"{column} = {value!r}{of_row}")
    return value


def other_form(request: Request, what: str) -> BackcourtError:
    """Return the error of an answer that is not of its source's form."""
    return BackcourtError(
        f"the answer of {request.endpoint} has another form: {what}",
        "The site has changed. Earlier answers are kept; a newer Backcourt may know the new form.",
        ExitCode.ENVIRONMENT,
    )


def _source(request: Request) -> Source:
    return next(source for source in find_feed(FEED).sources if source.name == request.source)


def _why_another(request: Request, text: str, rows: list[Row]) -> str | None:
    """Say that an answer is of another game or player than the request, if it is."""
    source = _source(request)
    if source.kind == "json":
        # An answer without rows has the id of its game, too.
        game = json.loads(text)[source.path.partition(".")[0]].get("gameId")
        if game is None:
            raise other_form(request, f"{source.path} has no gameId")
        found = {str(game)}
    else:
        column = "GAME_ID" if "GAME_ID" in source.columns else "PERSON_ID"
        found = {str(row[column]) for row in rows}
    asked = str(request.parameters.get("GameID") or request.parameters["PlayerID"])
    # Some answers drop the leading zeros of an id.
    others = sorted(each for each in found if each.zfill(len(asked)) != asked)
    kind = "game" if "GameID" in request.parameters else "player"
    return f"an answer for another {kind}: {others[0]}" if others else None


def _why_another_season(request: Request, text: str) -> str | None:
    """Say that an answer repeats another season than that of the request, if it does."""
    parameters = json.loads(text).get("parameters")
    found = parameters.get("Season") if isinstance(parameters, dict) else None
    is_other = found is not None and found != request.parameters["Season"]
    return f"an answer for another season: {found}" if is_other else None


def _why_half(source: str, rows: list[Row]) -> str | None:
    """Say what the answer of a final game lacks, if it is not whole."""
    if source == "box_score_v3":
        return _why_half_box_score(rows)
    if source == "play_by_play":
        return (
            None if any(_ends_game(row) for row in rows) else "half an answer: no end of the game"
        )
    return None


def _why_half_box_score(rows: list[Row]) -> str | None:
    teams = {row["teamTricode"] for row in rows}
    if len(teams) != len(("home", "away")):
        return "half an answer: players of one team alone"
    played = Counter(row["teamTricode"] for row in rows if row["minutes"])
    few = min(teams, key=lambda team: (played[team], team or ""))
    if played[few] < _PLAYERS_ON_COURT:
        return f"half an answer: {few} has minutes of {played[few]} players"
    return None


def _ends_game(action: Row) -> bool:
    """Tell whether an action ends a game: the end of a last period, with a winner."""
    kind = (action["actionType"] or "").lower(), (action["subType"] or "").lower()
    if kind == ("game", "end"):
        return True
    period = action["period"] or ""
    is_last = period.isdecimal() and int(period) >= _LAST_REGULAR_PERIOD
    return kind == ("period", "end") and is_last and action["scoreHome"] != action["scoreAway"]
