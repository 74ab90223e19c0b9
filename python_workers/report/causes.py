"""What blocks most rows: the games, and the players without one, whose repair gives rows back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from python_workers.accounting.causes import GameCause, Row, find_causes
from python_workers.accounting.coverage import failures_to_investigate
from python_workers.accounting.schedule import Schedule
from python_workers.processors.catalogue import BY_NAME
from python_workers.warehouse.base import Warehouse

SHOWN_CAUSES = 40


@dataclass(frozen=True)
class Cause:
    """A game, or a player or team without one, that blocks rows.

    Parameters
    ----------
    what
        The game, as its date, away and home team; or the player or team.
    game_id
        None if no game is the cause.
    problems
        What is wrong.
    processors
        Keys of the processors whose rows are blocked.
    blocked
        Number of rows; one that several games block counts for each.
    entities
        Lookups of the players, and abbreviations of the teams, whose rows they are, each with
        whether it is a team.
    first_date, last_date
        First and last date of these rows.
    """

    what: str
    game_id: str | None
    problems: tuple[str, ...]
    processors: tuple[str, ...]
    blocked: int
    entities: tuple[tuple[str, bool], ...]
    first_date: date
    last_date: date

    @property
    def command(self) -> str:
        """The command that computes the blocked rows, once the data is right."""
        return f"backcourt backfill --start {self.first_date} --end {self.last_date}"


def read_causes(warehouse: Warehouse, schedule: Schedule) -> list[Cause]:
    """Return what blocks rows of a range, most rows first."""
    found = find_causes(warehouse, failures_to_investigate(warehouse, schedule))
    causes = [_of_game(game) for game in found.games] + _of_entities(found.others)
    return sorted(causes, key=lambda cause: (-cause.blocked, cause.what))


def _of_game(game: GameCause) -> Cause:
    return Cause(
        f"{game.game_date} {game.away}–{game.home}",  # noqa: RUF001 -- a dash between two teams
        game.game_id,
        tuple(game.problems),
        _keys(game.blocked),
        game.rows,
        tuple(sorted(game.blocked_entities)),
        game.first_date,
        game.last_date,
    )


def _of_entities(failures: Sequence[Row]) -> list[Cause]:
    by_entity: dict[str, list[Row]] = {}
    for row in failures:
        by_entity.setdefault(row["entity_id"], []).append(row)
    return [
        Cause(
            entity,
            None,
            tuple(sorted({row["failure_reason"] or row["failure_category"] for row in rows})),
            _keys(row["processor_name"] for row in rows),
            sum(row["dates"] for row in rows),
            ((entity, rows[0]["player_id"] is None),),
            min(row["first_date"] for row in rows),
            max(row["last_date"] for row in rows),
        )
        for entity, rows in by_entity.items()
    ]


def _keys(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({BY_NAME[name].key if name in BY_NAME else name for name in names}))
