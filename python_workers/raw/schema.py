"""The raw tables: columns, types, limits of plausible values, and where they are stored."""

from __future__ import annotations

from dataclasses import dataclass

from python_workers import table_names
from python_workers.raw.playing_time import parse_minutes
from python_workers.raw.values import (
    Parse,
    number,
    one_of,
    parse_bool,
    parse_date,
    parse_game_id,
    parse_season,
    parse_text,
    rounded_number,
    whole_number,
)
from python_workers.warehouse.base import Column, ColumnType, TableSpec

SEASON_TYPES = ("regular", "play_in", "playoffs")
GAME_STATUSES = ("scheduled", "in_progress", "final", "postponed")
ZONE_LABELS = (
    "Restricted Area",
    "In The Paint (Non-RA)",
    "Mid-Range",
    "Left Corner 3",
    "Right Corner 3",
    "Above the Break 3",
    "Backcourt",
)

# Limits of plausible values, far beyond any record; a value outside them is an error of the feed.
MAX_TEAM_SCORE = 400
MAX_PLAYER_COUNT = 200
MAX_PERIODS = 20
# Twenty minutes: the longest period of any league.
MAX_PERIOD_SECONDS = 1_200
# Tenths of feet; the court is 94 by 50 feet.
MAX_COORDINATE = 1_000
MAX_SHOT_DISTANCE_FT = 120
MAX_ID = 10**15
MAX_EVENT_NUMBER = 2**63 - 1


@dataclass(frozen=True)
class RawColumn:
    """A column of a raw table.

    Parameters
    ----------
    name, type
        The stored column.
    parse
        Converts a file's value to the stored value.
    is_required
        Whether every file must have the column.
    is_nullable
        Whether a value may be missing.
    zero_where
        Name of a flag; where it is set, a missing value is stored as 0.
    """

    name: str
    type: ColumnType
    parse: Parse
    is_required: bool = True
    is_nullable: bool = False
    zero_where: str | None = None


@dataclass(frozen=True)
class RawTable:
    """A raw table: its folder's name, its columns and the key that identifies a row."""

    name: str
    columns: tuple[RawColumn, ...]
    key: tuple[str, ...]

    @property
    def spec(self) -> TableSpec:
        """The table as the warehouse stores it."""
        return TableSpec(
            f"{table_names.RAW}.{self.name}",
            tuple(Column(column.name, column.type) for column in self.columns),
            self.key,
        )


def _game_id() -> RawColumn:
    return RawColumn("game_id", "string", parse_game_id)


def _player_id(name: str = "player_id") -> RawColumn:
    return RawColumn(name, "int64", whole_number(1, MAX_ID))


def _text(name: str) -> RawColumn:
    return RawColumn(name, "string", parse_text)


def _flag(name: str) -> RawColumn:
    return RawColumn(name, "bool", parse_bool)


def _count(name: str, high: int = MAX_PLAYER_COUNT) -> RawColumn:
    return RawColumn(name, "int64", whole_number(0, high))


def _optional(name: str, type_: ColumnType, parse: Parse) -> RawColumn:
    return RawColumn(name, type_, parse, is_required=False, is_nullable=True)


def _score(name: str) -> RawColumn:
    return RawColumn(name, "int64", whole_number(0, MAX_TEAM_SCORE), is_nullable=True)


BOX_COUNTS = (
    "points",
    "fgm",
    "fga",
    "fg3m",
    "fg3a",
    "ftm",
    "fta",
    "oreb",
    "dreb",
    "ast",
    "stl",
    "blk",
    "tov",
    "pf",
)

GAMES = RawTable(
    "games",
    (
        _game_id(),
        RawColumn("season", "string", parse_season),
        RawColumn("season_type", "string", one_of(SEASON_TYPES)),
        RawColumn("game_date", "date", parse_date),
        _text("home_team_abbr"),
        _text("away_team_abbr"),
        _score("home_score"),
        _score("away_score"),
        RawColumn("status", "string", one_of(GAME_STATUSES)),
    ),
    key=("game_id",),
)

PLAYER_BOX_SCORES = RawTable(
    "player_box_scores",
    (
        _game_id(),
        _player_id(),
        _text("player_name"),
        _text("team_abbr"),
        _flag("is_starter"),
        _flag("is_dnp"),
        RawColumn("minutes", "float64", parse_minutes, is_nullable=True),
        *(
            RawColumn(name, "int64", whole_number(0, MAX_PLAYER_COUNT), zero_where="is_dnp")
            for name in BOX_COUNTS
        ),
        _optional("position", "string", parse_text),
        _optional("dnp_reason", "string", parse_text),
        _optional("plus_minus", "int64", whole_number(-MAX_PLAYER_COUNT, MAX_PLAYER_COUNT)),
    ),
    key=("game_id", "player_id"),
)

SHOTS = RawTable(
    "shots",
    (
        _game_id(),
        _count("event_number", MAX_EVENT_NUMBER),
        RawColumn("period", "int64", whole_number(1, MAX_PERIODS)),
        RawColumn("clock_seconds", "float64", number(0.0, MAX_PERIOD_SECONDS)),
        _player_id(),
        _text("team_abbr"),
        RawColumn("shot_value", "int64", whole_number(2, 3)),
        _flag("is_made"),
        _optional("is_assisted", "bool", parse_bool),
        _optional("assist_player_id", "int64", whole_number(0, MAX_ID)),
        _optional("block_player_id", "int64", whole_number(0, MAX_ID)),
        _optional("zone_basic", "string", one_of(ZONE_LABELS)),
        _optional("loc_x", "int64", rounded_number(-MAX_COORDINATE, MAX_COORDINATE)),
        _optional("loc_y", "int64", rounded_number(-MAX_COORDINATE, MAX_COORDINATE)),
        _optional("shot_distance_ft", "int64", rounded_number(0, MAX_SHOT_DISTANCE_FT)),
        _optional("is_paint", "bool", parse_bool),
    ),
    key=("game_id", "event_number"),
)

PLAYERS = RawTable(
    "players",
    (
        _player_id(),
        _text("player_name"),
        _optional("birth_date", "date", parse_date),
        _optional("position", "string", parse_text),
    ),
    key=("player_id",),
)

# In order of loading: tables that others refer to come first.
RAW_TABLES = (GAMES, PLAYERS, PLAYER_BOX_SCORES, SHOTS)

PLAYER_REGISTRY = TableSpec(
    f"{table_names.RAW}.player_registry",
    (
        Column("player_id", "int64"),
        Column("player_lookup", "string"),
        Column("universal_player_id", "string"),
        Column("player_name", "string"),
        Column("first_game_date", "date"),
    ),
    key=("player_id",),
)

LOADS = TableSpec(
    f"{table_names.RAW}.loads",
    (
        Column("load_id", "string"),
        Column("table_name", "string"),
        Column("files", "int64"),
        Column("rows_read", "int64"),
        Column("inserted", "int64"),
        Column("updated", "int64"),
        Column("unchanged", "int64"),
        Column("loaded_at", "timestamp"),
        Column("deleted", "int64"),
    ),
    key=("load_id", "table_name"),
)

# The games that each load changed: one row per table and game, and for changes of the players table
# one row without a game. game_date is the date after the load; a moved or removed game also has
# its former date. A game missing from nba_raw.games has neither date. The rows of one transaction
# share a change_number, which is larger than all earlier ones: no clock orders the changes.
CHANGED_GAMES = TableSpec(
    f"{table_names.RAW}.changed_games",
    (
        Column("load_id", "string"),
        Column("table_name", "string"),
        Column("game_id", "string"),
        Column("season", "string"),
        Column("inserted", "int64"),
        Column("updated", "int64"),
        Column("deleted", "int64"),
        Column("game_date", "date"),
        Column("former_game_date", "date"),
        Column("loaded_at", "timestamp"),
        Column("change_number", "int64"),
    ),
    # game_id belongs to the key, too, but cannot be a key column because it may be NULL.
    key=("load_id", "table_name"),
    is_key_unique=False,
)

# Every table of the raw dataset: the models read all of them.
RAW_SPECS = (*(table.spec for table in RAW_TABLES), PLAYER_REGISTRY, LOADS, CHANGED_GAMES)
