"""Removes wrong games from the raw tables."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence

import pyarrow as pa

from python_workers.errors import BackcourtError, ExitCode
from python_workers.raw.adoption import refuse_adopted
from python_workers.raw.changed_games import NEXT_CHANGE, ChangedGame, games_changed_by
from python_workers.raw.schema import (
    CHANGED_GAMES,
    GAMES,
    LOADS,
    RAW_TABLES,
)
from python_workers.warehouse.base import TableChange, Warehouse

_OF_GAMES = [schema for schema in RAW_TABLES if schema.key[0] == "game_id"]


def remove_games(
    warehouse: Warehouse, game_ids: Sequence[str], *, dry_run: bool = False
) -> tuple[dict[str, int], tuple[ChangedGame, ...]]:
    """Delete games with their box scores and shots, in one transaction.

    Parameters
    ----------
    warehouse
        The warehouse with the raw tables.
    game_ids
        The games.
    dry_run
        Only count the rows; delete nothing.

    Returns
    -------
    tuple
        Numbers of deleted rows by table, and the games as recorded in ``nba_raw.changed_games``.

    Raises
    ------
    BackcourtError
        With exit code 2 if no table has a row of one of the games.
    """
    if not warehouse.has_table(GAMES.spec.name):
        raise BackcourtError(
            "there are no raw tables yet",
            "Load raw data with: backcourt load DIR",
            ExitCode.ENVIRONMENT,
        )
    refuse_adopted(warehouse, _OF_GAMES)
    wanted = sorted(set(game_ids))
    warehouse.ensure_tables([LOADS, CHANGED_GAMES])
    counts: dict[str, dict[str, int]] = {}
    for schema in _OF_GAMES:
        found = warehouse.query(
            f"select game_id, count(*) as stored from {schema.spec.name} "  # noqa: S608 our own names
            "where game_id in unnest(@game_ids) group by game_id order by game_id",
            {"game_ids": wanted},
        )
        counts[schema.name] = {row["game_id"]: row["stored"] for row in found.to_pylist()}
    known = {game_id for of_table in counts.values() for game_id in of_table}
    unknown = [game_id for game_id in wanted if game_id not in known]
    if unknown:
        raise BackcourtError(
            f"no raw table has game {unknown[0]}",
            "Name stored games; nothing was removed.",
            ExitCode.USAGE,
        )
    totals = {table: sum(of_table.values()) for table, of_table in counts.items()}
    if dry_run:
        return totals, ()
    load_id, now = uuid.uuid4().hex, dt.datetime.now(dt.UTC)
    keys = pa.table({"game_id": pa.array(wanted, pa.string())})
    noted = _changed_games(warehouse, wanted, counts, load_id, now)
    warehouse.commit(
        [
            *(
                TableChange(schema.spec.name, ("game_id",), delete_keys=keys)
                for schema in _OF_GAMES
            ),
            TableChange(CHANGED_GAMES.name, CHANGED_GAMES.key, noted),
            TableChange(LOADS.name, LOADS.key, _loads(totals, load_id, now)),
        ]
    )
    return totals, games_changed_by(warehouse, load_id)


def _changed_games(
    warehouse: Warehouse,
    game_ids: Sequence[str],
    counts: dict[str, dict[str, int]],
    load_id: str,
    now: dt.datetime,
) -> pa.Table:
    found = warehouse.query(
        f"select game_id, season, game_date from {GAMES.spec.name} "  # noqa: S608 our own names
        "where game_id in unnest(@game_ids)",
        {"game_ids": game_ids},
    )
    games = {row["game_id"]: row for row in found.to_pylist()}
    (numbered,) = warehouse.query(f"select {NEXT_CHANGE} as change_number").to_pylist()
    rows = [
        {
            "load_id": load_id,
            "table_name": table,
            "game_id": game_id,
            "season": games.get(game_id, {}).get("season"),
            "inserted": 0,
            "updated": 0,
            "deleted": deleted,
            "game_date": None,
            "former_game_date": games.get(game_id, {}).get("game_date"),
            "loaded_at": now,
            **numbered,
        }
        for table, of_table in counts.items()
        for game_id, deleted in of_table.items()
    ]
    types = {"string": pa.string(), "int64": pa.int64(), "date": pa.date32()}
    stamp = pa.timestamp("us", tz="UTC")
    schema = [(column.name, types.get(column.type, stamp)) for column in CHANGED_GAMES.columns]
    return pa.Table.from_pylist(rows, pa.schema(schema))


def _loads(totals: dict[str, int], load_id: str, now: dt.datetime) -> pa.Table:
    tables = [table for table, deleted in totals.items() if deleted]
    nothing = [0] * len(tables)
    return pa.table(
        {
            "load_id": [load_id] * len(tables),
            "table_name": tables,
            "files": nothing,
            "rows_read": nothing,
            "inserted": nothing,
            "updated": nothing,
            "unchanged": nothing,
            "deleted": [totals[table] for table in tables],
            "loaded_at": pa.array([now] * len(tables), pa.timestamp("us", tz="UTC")),
        }
    )
