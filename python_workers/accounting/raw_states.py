"""Reads what the raw tables contain, as digests by season and date."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date

from python_workers import table_names
from python_workers.raw.schema import CHANGED_GAMES
from python_workers.warehouse.base import Warehouse

# Rows of each raw table as ``t``, joined with the season that reads them and its first date that
# does. Keys are unique.
_BY_GAME = f"inner join {table_names.GAMES} as g on t.game_id = g.game_id"
_BY_PLAYER = f"""
inner join (
    select g.season, lines.player_id, min(g.game_date) as game_date
    from {table_names.PLAYER_BOX_SCORES} as lines
    inner join {table_names.GAMES} as g on lines.game_id = g.game_id
    group by g.season, lines.player_id
) as listed on t.player_id = listed.player_id
"""  # noqa: S608 our own names
_SEASON_ROWS = {
    table_names.GAMES: ("t", f"{table_names.GAMES} as t"),
    table_names.PLAYER_BOX_SCORES: ("g", f"{table_names.PLAYER_BOX_SCORES} as t {_BY_GAME}"),
    table_names.SHOTS: ("g", f"{table_names.SHOTS} as t {_BY_GAME}"),
    table_names.PLAYERS: ("listed", f"{table_names.PLAYERS} as t {_BY_PLAYER}"),
    table_names.PLAYER_REGISTRY: ("listed", f"{table_names.PLAYER_REGISTRY} as t {_BY_PLAYER}"),
}

_TABLES = tuple(_SEASON_ROWS)

# The sum of remainders modulo this prime fits an INT64.
_PRIME = 2**31 - 1

RawDates = Mapping[date, str]
"""Digest of the raw rows by the first date that reads them, within one season."""


def dates_to_text(raw_dates: RawDates | None) -> str | None:
    """Return the stored form of raw dates; None stays None."""
    if raw_dates is None:
        return None
    return json.dumps({day.isoformat(): digest for day, digest in sorted(raw_dates.items())})


def dates_from_text(text: str | None) -> RawDates | None:
    """Return the raw dates of their stored form; None if somebody has made it unreadable."""
    if text is None:
        return None
    try:
        return {date.fromisoformat(day): digest for day, digest in json.loads(text).items()}
    except (ValueError, AttributeError):
        return None


def read_last_raw_change(warehouse: Warehouse) -> int:
    """Return the number of the last load that changed a raw table, 0 if there is none."""
    if not warehouse.has_table(CHANGED_GAMES.name):
        return 0
    (row,) = warehouse.query(
        f"select coalesce(max(change_number), 0) as number from {CHANGED_GAMES.name}"  # noqa: S608 our own name
    ).to_pylist()
    number: int = row["number"]
    return number


def read_raw_states(
    warehouse: Warehouse, seasons: Iterable[str], raw_dates: Mapping[str, RawDates]
) -> dict[str, str]:
    """Return a digest of the raw tables' rows for each season.

    If the engine reports changes of a table for free, but not which rows changed, a change of any
    season counts as a change of all seasons.
    """
    digests = {season: hashlib.sha256(season.encode()) for season in seasons}
    free = warehouse.content_state(_TABLES) if warehouse.has_free_content_state else ""
    for season, digest in digests.items():
        digest.update((free or dates_to_text(raw_dates.get(season, {})) or "").encode())
    return {season: digest.hexdigest()[:32] for season, digest in digests.items()}


def read_raw_dates(warehouse: Warehouse, seasons: Iterable[str]) -> dict[str, RawDates]:
    """Return the digests of the raw rows by season and date; none where reading them costs."""
    if warehouse.has_free_content_state:
        return {}
    texts: dict[str, dict[date, str]] = {season: {} for season in seasons}
    for table, (dated, relation) in _SEASON_ROWS.items():
        if not warehouse.has_table(table):
            continue
        # Also take a sum: DuckDB's row hash combines the last column by exclusive or, so the
        # same change in two rows, such as two postponed games, leaves bit_xor unchanged.
        rows = warehouse.query(
            f"select season, {dated}.game_date as day, count(*) as n, "  # noqa: S608 our own names
            f"bit_xor({warehouse.row_hash}) as hash, "
            f"sum(mod({warehouse.row_hash}, {_PRIME})) as total from {relation} "
            f"group by season, {dated}.game_date"
        )
        for row in rows.to_pylist():
            if row["season"] in texts:
                of_season = texts[row["season"]]
                text = f"{table}:{row['n']}:{row['hash']}:{row['total']}|"
                of_season[row["day"]] = of_season.get(row["day"], "") + text
    return {
        season: {day: hashlib.sha256(text.encode()).hexdigest()[:16] for day, text in days.items()}
        for season, days in texts.items()
    }
