"""Records the games that a load changed, in the transaction of the change, and reads them back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from python_workers.raw.schema import CHANGED_GAMES, GAMES, PLAYER_BOX_SCORES, RawTable
from python_workers.warehouse.base import ChangeNote, Warehouse

_COLUMNS = (
    "load_id, table_name, game_id, season, inserted, updated, deleted, "
    "game_date, former_game_date, loaded_at, change_number"
)
NEXT_CHANGE = f"(select coalesce(max(change_number), 0) + 1 from {CHANGED_GAMES.name})"  # noqa: S608
_COUNTS = (
    "countif(changes.change = 'inserted') as inserted, "
    "countif(changes.change = 'updated') as updated, "
    "countif(changes.change = 'deleted') as deleted"
)
_OF_A_TABLE_BY_GAME = f"""
insert into {CHANGED_GAMES.name} ({_COLUMNS})
select
    cast(@load_id as string) as load_id, cast(@table_name as string) as table_name, changes.game_id,
    {{season}} as season, {_COUNTS}, {{game_date}} as game_date,
    {{former_game_date}} as former_game_date,
    cast(@loaded_at as timestamp) as loaded_at, {NEXT_CHANGE} as change_number
from {{{{changes}}}} as changes
left join {GAMES.spec.name} as games on changes.game_id = games.game_id
group by changes.game_id
"""  # noqa: S608 our own names
_OF_GAMES = _OF_A_TABLE_BY_GAME.format(
    season="max(changes.season)",
    game_date="max(changes.game_date)",
    former_game_date="max(if(games.game_date != changes.game_date, games.game_date, null))",
)
_OF_A_TABLE_OF_GAMES = _OF_A_TABLE_BY_GAME.format(
    season="max(games.season)",
    game_date="max(games.game_date)",
    former_game_date="cast(null as date)",
)
# A player's row enters the dates from his first game of a season on: one row per season.
_OF_PLAYERS = f"""
insert into {CHANGED_GAMES.name} ({_COLUMNS})
select
    cast(@load_id as string) as load_id, cast(@table_name as string) as table_name,
    cast(null as string) as game_id, listed.season, {_COUNTS},
    min(listed.game_date) as game_date, cast(null as date) as former_game_date,
    cast(@loaded_at as timestamp) as loaded_at, {NEXT_CHANGE} as change_number
from {{changes}} as changes
inner join (
    select lines.player_id, games.season, min(games.game_date) as game_date
    from {PLAYER_BOX_SCORES.spec.name} as lines
    inner join {GAMES.spec.name} as games on lines.game_id = games.game_id
    group by lines.player_id, games.season
) as listed on changes.player_id = listed.player_id
group by listed.season
"""  # noqa: S608 as above

_OF_A_LOAD = f"""
select
    game_id, max(season) as season, max(game_date) as game_date,
    max(former_game_date) as former_game_date, sum(inserted) as inserted,
    sum(updated) as updated, sum(deleted) as deleted
from {CHANGED_GAMES.name}
where load_id = @load_id and game_id is not null
group by game_id
order by game_date, game_id
"""  # noqa: S608 as above


@dataclass(frozen=True)
class ChangedGame:
    """A game that a load changed, with the rows of all tables that it changed.

    Parameters
    ----------
    game_id
        The game.
    season, game_date
        Values after the load; None if the games table lacks the game.
    former_game_date
        The date before the load, if the load changed it or deleted the game.
    inserted, updated, deleted
        Numbers of rows.
    """

    game_id: str
    season: str | None
    game_date: date | None
    former_game_date: date | None
    inserted: int
    updated: int
    deleted: int


def note_of_changes(schema: RawTable, load_id: str, loaded_at: datetime) -> ChangeNote:
    """Return the statement by which an upsert of this table fills ``nba_raw.changed_games``."""
    names = {column.name for column in schema.columns}
    sql = _OF_PLAYERS
    if schema is GAMES:
        sql = _OF_GAMES
    elif "game_id" in names:
        sql = _OF_A_TABLE_OF_GAMES
    return ChangeNote(sql, {"load_id": load_id, "table_name": schema.name, "loaded_at": loaded_at})


def games_changed_by(warehouse: Warehouse, load_id: str) -> tuple[ChangedGame, ...]:
    """Return the games that a load changed, in order of their dates."""
    rows = warehouse.query(_OF_A_LOAD, {"load_id": load_id}).to_pylist()
    return tuple(ChangedGame(**row) for row in rows)
