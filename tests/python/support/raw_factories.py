"""Small raw leagues: rows with sensible defaults, and files of them in any format."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_workers.errors import BackcourtError
from python_workers.raw.reading import read_raw_table
from python_workers.raw.schema import RawTable
from python_workers.warehouse.base import Warehouse

Row = dict[str, Any]
Format = Literal["parquet", "csv", "jsonl"]

OPENING_GAME = "0022100001"
FORMATS: tuple[Format, ...] = ("parquet", "csv", "jsonl")

Rows = list[Row]


def game(game_id: str = OPENING_GAME, **values: Any) -> Row:
    return {
        "game_id": game_id,
        "season": "2021-22",
        "season_type": "regular",
        "game_date": "2021-10-19",
        "home_team_abbr": "MIL",
        "away_team_abbr": "BKN",
        "home_score": 127,
        "away_score": 104,
        "status": "final",
    } | values


def line(player_id: int = 203507, game_id: str = OPENING_GAME, **values: Any) -> Row:
    counts = dict.fromkeys(("fg3m", "fg3a", "oreb", "dreb", "ast", "stl", "blk", "tov", "pf"), 1)
    return (
        {
            "game_id": game_id,
            "player_id": player_id,
            "player_name": f"Player {player_id}",
            "team_abbr": "MIL",
            "position": "F",
            "is_starter": True,
            "is_dnp": False,
            "dnp_reason": None,
            "minutes": "34:12",
            "points": 11,
            "fgm": 4,
            "fga": 9,
            "ftm": 2,
            "fta": 3,
            "plus_minus": -4,
        }
        | counts
        | values
    )


def shot(event_number: int = 7, player_id: int = 203507, **values: Any) -> Row:
    return {
        "game_id": OPENING_GAME,
        "event_number": event_number,
        "period": 1,
        "clock_seconds": 702.5,
        "player_id": player_id,
        "team_abbr": "MIL",
        "shot_value": 2,
        "is_made": True,
        "is_assisted": False,
        "assist_player_id": None,
        "block_player_id": None,
        "zone_basic": "Restricted Area",
        "loc_x": 3,
        "loc_y": 12,
        "shot_distance_ft": 1,
        "is_paint": None,
    } | values


def player(player_id: int = 203507, **values: Any) -> Row:
    return {
        "player_id": player_id,
        "player_name": f"Player {player_id}",
        "birth_date": "1994-12-06",
        "position": "F",
    } | values


def league(**tables: Sequence[Row]) -> dict[str, Sequence[Row]]:
    """One game with one line and one shot; a table given by name replaces the default one."""
    return {
        "games": [game()],
        "players": [player()],
        "player_box_scores": [line()],
        "shots": [shot()],
    } | tables


def write_rows(path: Path, rows: Sequence[Row]) -> Path:
    """Write a file in the format that its suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        path.write_text(text, encoding="utf-8")
    return path


def write_league(
    directory: Path, tables: Mapping[str, Sequence[Row]], format_: Format = "parquet"
) -> Path:
    """Write one file per table and return the folder."""
    for name, rows in tables.items():
        write_rows(directory / name / f"{name}.{format_}", rows)
    return directory


def column(warehouse: Warehouse, table: str, name: str) -> list[Any]:
    """Return the values of a stored raw column, in order of all of the table's columns."""
    found = warehouse.query(f'select "{name}" as value from nba_raw.{table} order by all')
    values: list[Any] = found.column("value").to_pylist()
    return values


def error_of(load: Callable[..., object], *args: Any, **tables: Sequence[Row]) -> str:
    """Return the message of a refused load."""
    return refusal(lambda: load(*args, **tables))


def read(raw: Path, schema: RawTable, scratch: Path) -> Rows:
    """Return the typed rows of a table's files."""
    rows: Rows = read_raw_table(raw, schema, scratch).rows.table().to_pylist()
    return rows


def refusal(call: Callable[..., object], *args: Any) -> str:
    """Return the message of a refused call."""
    with pytest.raises(BackcourtError) as caught:
        call(*args)
    return caught.value.render()


def leave_marks(folder: Path) -> None:
    """Leave in a folder what tools leave beside data."""
    for name in (
        *("_SUCCESS", "_committed_17", "_metadata", ".DS_Store", ".gitkeep", ".~lock.a.csv#"),
        *(".a.csv.crc", ".a.parquet.crc", ".a.csv.swp", "._a.csv", "__MACOSX/._a.parquet"),
        *("_temporary/0/a.parquet", "_delta_log/00000.json", ".ipynb_checkpoints/a-checkpoint.csv"),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("of a tool")
    (folder / ".#a.csv").symlink_to("someone@somewhere.17")
