"""The games behind a row: opponents, what was counted, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from python_workers import table_names
from python_workers.warehouse.base import Warehouse

_KEYS = ("analysis_date", "player_id", "season_year", "game_rank", "game_number", "game_date")

# A game may be a player's by his roster alone, without a line of him.
_OPPONENTS = f"""
select games.game_date, games.game_id, schedule.opponent_team_abbr
from {table_names.PLAYER_GAMES} as games
inner join {table_names.GAME_TEAMS} as schedule
    on games.game_id = schedule.game_id and games.team_abbr = schedule.team_abbr
where games.player_id = @player
    and games.game_date between @first and @last
"""  # noqa: S608 our own name

# What the raw tables hold of a player's game: explains why its data is missing.
_RAW_FACTS = f"""
select lines.game_id, lines.fga as fg_attempts, count(shots.game_id) as shots
from {table_names.PLAYER_BOX_SCORES} as lines
left join {table_names.SHOTS} as shots
    on lines.game_id = shots.game_id and lines.player_id = shots.player_id
where lines.game_id in unnest(@games) and lines.player_id = @player
group by lines.game_id, lines.fga
"""  # noqa: S608 our own names

_TEAM_GAMES = f"""
select
    games.game_date, games.game_id, schedule.opponent_team_abbr, games.has_box_score,
    games.points_allowed, games.paint_makes, games.paint_attempts, games.mid_range_makes,
    games.mid_range_attempts, games.three_makes, games.three_attempts, games.defensive_rating_e4,
    games.opponent_pace_e4
from {table_names.TEAM_GAMES} as games
inner join {table_names.GAME_TEAMS} as schedule
    on games.game_id = schedule.game_id and games.team_abbr = schedule.team_abbr
where games.team_abbr = @team
    and games.season_year = (
        select max(season_year) from {table_names.GAME_DATES} where game_date = @day
    )
    and games.game_date < @day
order by games.game_date desc, games.game_id desc
"""  # noqa: S608 our own names


@dataclass(frozen=True)
class Game:
    """A game of a window.

    Parameters
    ----------
    day, game_id, opponent
        Which game it is; the last two are None if the warehouse does not know them.
    is_counted
        Whether its data is usable.
    values
        What the computation reads of it.
    missing
        What is missing: names of columns without a value or of conditions that do not hold, and
        what the raw tables say of it.
    """

    day: date
    game_id: str | None
    opponent: str | None
    is_counted: bool
    values: Mapping[str, Any]
    missing: Sequence[str]


def games_of_player(
    warehouse: Warehouse, player: int, rows: Sequence[Mapping[str, Any]]
) -> list[Game]:
    """Describe the games that a worker reads of a player, in their order."""
    if not rows:
        return []
    days = [row["game_date"] for row in rows]
    known = warehouse.query(
        _OPPONENTS, {"player": player, "first": min(days), "last": max(days)}
    ).to_pylist()
    by_day = {row["game_date"]: row for row in known}
    lacking = [
        by_day[row["game_date"]]["game_id"]
        for row in rows
        if _missing(row) and row["game_date"] in by_day
    ]
    facts = _raw_facts(warehouse, player, lacking)
    found = []
    for row in rows:
        game = by_day.get(row["game_date"], {})
        missing = _missing(row)
        if missing:
            missing.append(facts.get(game.get("game_id"), "no box score line"))
        values = {name: value for name, value in row.items() if name not in _KEYS}
        found.append(
            Game(
                row["game_date"],
                game.get("game_id"),
                game.get("opponent_team_abbr"),
                _is_counted(row),
                values,
                missing,
            )
        )
    return found


def games_of_team(warehouse: Warehouse, team: str, day: date, counted: int | None) -> list[Game]:
    """Describe a team's games of the season before a date.

    `counted` is how many games the row counts; earlier ones are left out. None means all games.
    """
    found: list[Game] = []
    rows = warehouse.query(_TEAM_GAMES, {"team": team, "day": day})
    for row in rows.to_pylist():
        if counted is not None and sum(game.is_counted for game in found) >= counted:
            break
        game_day, game_id, opponent = (
            row.pop(name) for name in ("game_date", "game_id", "opponent_team_abbr")
        )
        found.append(Game(game_day, game_id, opponent, row["has_box_score"], row, _missing(row)))
    return found


def _is_counted(row: Mapping[str, Any]) -> bool:
    return all(row[name] for name in _conditions(row))


def _missing(row: Mapping[str, Any]) -> list[str]:
    """Name the columns of a game that have no value, and the conditions that do not hold."""
    missing = [name for name in _conditions(row) if not row[name]]
    missing += [name for name, value in row.items() if value is None and name not in _KEYS]
    return [*missing, "a known gap of the source"] if row.get("is_known_gap") else missing


def _conditions(row: Mapping[str, Any]) -> list[str]:
    """Name the flags that say whether a game's data is usable."""
    return [name for name in row if name.startswith("has_")]


def _raw_facts(warehouse: Warehouse, player: int, games: Sequence[str]) -> dict[str | None, str]:
    if not games:
        return {}
    found = warehouse.query(_RAW_FACTS, {"player": player, "games": list(games)}).to_pylist()
    return {
        row["game_id"]: (
            f"box score: {row['fg_attempts']} field-goal attempts, play-by-play: {row['shots']}"
        )
        for row in found
    }
