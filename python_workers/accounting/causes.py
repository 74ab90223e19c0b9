"""Finds the games that cause failures, and the lines that would make them known gaps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from python_workers import table_names
from python_workers.accounting.known_gaps import KnownGap
from python_workers.warehouse.base import Warehouse

Row = Mapping[str, Any]

_GAPS = f"""
select game_id, player_id, team_abbr, opponent_team_abbr, gap, is_home, is_known_gap, game_date
from {table_names.SOURCE_GAPS}
where game_date in unnest(@days)
order by game_date, game_id, player_id
"""  # noqa: S608 our own names

NO_BOX_SCORE, NO_SHOTS = "no_box_score", "no_shots"
CONTRADICTORY_LINE, OTHER_SHOTS = "contradictory_line", "other_shots"


@dataclass
class GameCause:
    """A game without which rows are missing.

    Parameters
    ----------
    game_id, game_date
        The game.
    away, home
        Abbreviations of its teams.
    gaps
        By kind of gap (``gap`` of ``source_gaps``), the ids of the players who lack a row for it.
    teams
        By kind of gap, the teams that the kind is about.
    blocked
        Number of missing rows by processor name. A row that several games block counts for each.
    blocked_entities
        Lookups of the players, and abbreviations of the teams, that lack a row for it, each with
        whether it is a team.
    first_date, last_date
        First and last date of these rows.
    """

    game_id: str
    game_date: date
    away: str
    home: str
    gaps: dict[str, set[int]] = field(default_factory=dict)
    teams: dict[str, set[str]] = field(default_factory=dict)
    blocked: dict[str, int] = field(default_factory=dict)
    blocked_entities: set[tuple[str, bool]] = field(default_factory=set)
    first_date: date = date.max
    last_date: date = date.min

    @property
    def rows(self) -> int:
        """Number of missing rows."""
        return sum(self.blocked.values())

    @property
    def problems(self) -> list[str]:
        """What is wrong with the data of the game, in words."""
        return [
            _problem(kind, len(players), sorted(self.teams[kind]))
            for kind, players in sorted(self.gaps.items())
        ]


@dataclass(frozen=True)
class Causes:
    """The causes of failures that need attention.

    Parameters
    ----------
    games
        Games that cause some of them, those that block most rows first.
    others
        The failures that no game causes, as given.
    """

    games: Sequence[GameCause]
    others: Sequence[Row]


def find_causes(warehouse: Warehouse, failures: Sequence[Row]) -> Causes:
    """Group failures by the games that cause them.

    Parameters
    ----------
    warehouse
        Read for the gaps of the games that the failures name.
    failures
        As `failures_to_investigate` returns them.
    """
    days = sorted({day for row in failures for day in _missing_days(row)})
    gaps: list[Row] = []
    if days and warehouse.has_table(table_names.SOURCE_GAPS):
        gaps = warehouse.query(_GAPS, {"days": days}).to_pylist()
    return group_by_game(failures, gaps)


def group_by_game(failures: Iterable[Row], gaps: Iterable[Row]) -> Causes:
    """Group failures by game; `gaps` are rows of ``source_gaps`` on the missing dates."""
    by_player: dict[tuple[int, date], list[Row]] = {}
    by_team: dict[tuple[str, date], list[Row]] = {}
    for gap in gaps:
        if gap["is_known_gap"]:
            continue
        by_player.setdefault((gap["player_id"], gap["game_date"]), []).append(gap)
        if gap["gap"] == NO_BOX_SCORE:
            for team in (gap["team_abbr"], gap["opponent_team_abbr"]):
                by_team.setdefault((team, gap["game_date"]), []).append(gap)
    causes: dict[str, GameCause] = {}
    others: list[Row] = []
    for failure in failures:
        entity = failure["player_id"]
        found = [
            gap
            for day in _missing_days(failure)
            for gap in (
                by_team.get((failure["entity_id"], day), [])
                if entity is None
                else by_player.get((entity, day), [])
            )
        ]
        if not found:
            others.append(failure)
        for game_id in {gap["game_id"] for gap in found}:
            of_game = [gap for gap in found if gap["game_id"] == game_id]
            _add(causes, failure, of_game)
    ordered = sorted(causes.values(), key=lambda cause: (-cause.rows, cause.game_id))
    return Causes(ordered, others)


def suggested_gaps(causes: Causes, today: date) -> list[KnownGap]:
    """Return the lines that make known gaps of all games that cause failures.

    A game whose teams lack lines or shots gets one line; else each player gets his own.
    """
    found = []
    for cause in sorted(causes.games, key=lambda cause: cause.game_id):
        whole = [kind for kind in (NO_BOX_SCORE, NO_SHOTS) if kind in cause.gaps]
        where = f"{cause.away}-{cause.home} {cause.game_date}"
        if whole:
            reason = "; ".join(
                _problem(kind, len(cause.gaps[kind]), sorted(cause.teams[kind])) for kind in whole
            )
            found.append(KnownGap(cause.game_id, None, f"{where}: {reason}", today))
            continue
        found += [
            KnownGap(cause.game_id, player, f"{where}: {_SINGLE[kind]}", today)
            for kind, players in sorted(cause.gaps.items())
            for player in sorted(players)
        ]
    return found


_SINGLE = {
    CONTRADICTORY_LINE: "the line contradicts itself",
    OTHER_SHOTS: "the shots do not match the line",
}


def _add(causes: dict[str, GameCause], failure: Row, gaps: Sequence[Row]) -> None:
    first = gaps[0]
    teams = (first["opponent_team_abbr"] or "?", first["team_abbr"])
    away, home = teams if first["is_home"] else teams[::-1]
    cause = causes.setdefault(
        first["game_id"], GameCause(first["game_id"], first["game_date"], away, home)
    )
    for gap in gaps:
        cause.gaps.setdefault(gap["gap"], set()).add(gap["player_id"])
        cause.teams.setdefault(gap["gap"], set()).add(gap["team_abbr"])
    name = failure["processor_name"]
    cause.blocked[name] = cause.blocked.get(name, 0) + failure["dates"]
    cause.blocked_entities.add((failure["entity_id"], failure["player_id"] is None))
    cause.first_date = min(cause.first_date, failure["first_date"])
    cause.last_date = max(cause.last_date, failure["last_date"])


def _problem(kind: str, players: int, teams: Sequence[str]) -> str:
    whose = " and ".join(teams)
    if kind == NO_BOX_SCORE:
        return f"the box score of {whose} is missing"
    if kind == NO_SHOTS:
        return f"the shots of {whose} are missing"
    who = "1 player" if players == 1 else f"{players} players"
    if kind == CONTRADICTORY_LINE:
        if players == 1:
            return "the line of 1 player contradicts itself"
        return f"the lines of {who} contradict themselves"
    return f"the shots of {who} do not match the box score"


def _missing_days(failure: Row) -> list[date]:
    return [date.fromisoformat(day) for day in json.loads(failure["missing_game_dates"] or "[]")]
