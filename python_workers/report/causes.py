"""Finds what blocks most rows: the games, and the players, whose repair gives rows back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from python_workers import table_names
from python_workers.processors.catalogue import BY_NAME
from python_workers.processors.failures import NEEDS_ATTENTION
from python_workers.report.rows import RangeRows, Row

SHOWN_CAUSES = 40
# Groups of failures that are looked at, those with most rows first.
_MOST_GROUPS = 20_000

_BLOCKED = f"""
select
    processor_name, entity_id, player_id, failure_category, missing_game_dates,
    min(failure_reason) as failure_reason, count(*) as blocked,
    min(analysis_date) as first_date, max(analysis_date) as last_date
from {table_names.PRECOMPUTE_FAILURES}
where {{analysis_date}}
    and {NEEDS_ATTENTION}
group by processor_name, entity_id, player_id, failure_category, missing_game_dates
order by blocked desc, first_date, processor_name, entity_id, missing_game_dates
limit @limit
"""  # noqa: S608 our own names

# The range is that of the missing games, which may lie before the report's.
_GAMES = f"""
select game_date, game_id, player_id, team_abbr, opponent_team_abbr, is_home
from {table_names.PLAYER_GAME_SUMMARY}
where game_date between @start and @end
    and game_date in unnest(@days)
    and player_id in unnest(@players)
"""  # noqa: S608 our own names

_LACKING = re.compile(r"\bwithout ([^:]+):")


@dataclass
class Cause:
    """A game, or a player without one, that blocks rows.

    Parameters
    ----------
    what
        The game, as its date, away and home team; or the player.
    game_id
        None if the failures name no game.
    lacking
        What the game lacks, or the failure's reason.
    processors, entities
        Keys of the processors, and entities, whose rows are blocked.
    blocked
        Number of rows; one that several games block counts for each.
    first_date, last_date
        Dates of the blocked rows.
    """

    what: str
    game_id: str | None
    first_date: date
    last_date: date
    lacking: set[str] = field(default_factory=set)
    processors: set[str] = field(default_factory=set)
    entities: set[str] = field(default_factory=set)
    blocked: int = 0

    @property
    def command(self) -> str:
        """The command that computes the blocked rows, once the data is right."""
        return f"backcourt backfill --start {self.first_date} --end {self.last_date}"

    def add(self, group: Row) -> None:
        """Count a group of failures."""
        self.blocked += group["blocked"]
        self.first_date = min(self.first_date, group["first_date"])
        self.last_date = max(self.last_date, group["last_date"])
        self.entities.add(group["entity_id"])
        processor = BY_NAME.get(group["processor_name"])
        self.processors.add(processor.key if processor else group["processor_name"])
        reason = group["failure_reason"] or group["failure_category"]
        named = _LACKING.search(reason)
        self.lacking.add(named[1] if named else reason[:200])


def read_causes(reader: RangeRows) -> list[Cause]:
    """Return what blocks rows, most rows first."""
    groups = reader.rows(_BLOCKED, limit=_MOST_GROUPS)
    games = _games(reader, groups)
    causes: dict[tuple[Any, ...], Cause] = {}
    for group in groups:
        days: list[date | None] = [*missing_days(group["missing_game_dates"])] or [None]
        for day in days:
            game = games.get((group["player_id"], day)) if day is not None else None
            key = _key(group, day, game)
            if key not in causes:
                causes[key] = Cause(
                    _name(group, day, game),
                    game["game_id"] if game else None,
                    group["first_date"],
                    group["last_date"],
                )
            causes[key].add(group)
    return sorted(causes.values(), key=lambda cause: (-cause.blocked, cause.what))


def missing_days(text: str | None) -> list[date]:
    """Return the missing games' dates of a failure, as it stores them.

    Examples
    --------
    >>> missing_days('["2022-03-05"]'), missing_days("[]"), missing_days(None)
    ([datetime.date(2022, 3, 5)], [], [])
    """
    return [date.fromisoformat(day) for day in json.loads(text)] if text else []


def _key(group: Row, day: date | None, game: Row | None) -> tuple[Any, ...]:
    if game is not None:
        return ("game", game["game_id"])
    return ("entity", group["entity_id"], day, group["failure_category"])


def _name(group: Row, day: date | None, game: Row | None) -> str:
    if game is None:
        return f"{day} {group['entity_id']}" if day else str(group["entity_id"])
    own, other = game["team_abbr"], game["opponent_team_abbr"]
    home, away = (own, other) if game["is_home"] else (other, own)
    return f"{game['game_date']} {away}–{home}"  # noqa: RUF001 -- a dash between two teams


def _games(reader: RangeRows, groups: Sequence[Row]) -> Mapping[tuple[int, date], Row]:
    """Return the missing games by player and date."""
    days = sorted({day for group in groups for day in missing_days(group["missing_game_dates"])})
    players = sorted(_known(group["player_id"] for group in groups))
    if not days or not players:
        return {}
    found = reader.warehouse.query(
        _GAMES, {"start": days[0], "end": days[-1], "days": days, "players": players}
    ).to_pylist()
    return {(row["player_id"], row["game_date"]): row for row in found}


def _known(ids: Iterable[int | None]) -> set[int]:
    return {each for each in ids if each is not None}
