"""Chunks for the processors: players with games, as plain dictionaries, and as Arrow tables."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from python_workers.processors import composite_factors, daily_cache, shot_zones
from python_workers.processors.failures import ChunkResult

Row = dict[str, Any]
Tables = dict[str, pa.Table]
Compute = Callable[[Mapping[str, pa.Table], Mapping[str, object]], ChunkResult]

DAY = dt.date(2022, 1, 15)

_DATES = {"analysis_date", "game_date", "last_played_date"}
_STRINGS = {
    *("player_lookup", "universal_player_id", "player_position", "game_id", "team_abbr"),
    *("opponent_team_abbr", "population_source", "primary_scoring_zone"),
}
_FLOATS = {
    *(f"{zone}_rate_last_10" for zone in ("paint", "mid_range", "three_pt")),
    *(f"{zone}_defense_vs_league_avg" for zone in ("paint", "mid_range", "three_pt")),
}


def column_type(name: str) -> pa.DataType:
    if name in _DATES:
        return pa.date32()
    if name in _STRINGS:
        return pa.string()
    if name in _FLOATS:
        return pa.float64()
    return pa.bool_() if name.startswith(("is_", "has_")) else pa.int64()


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> pa.Table:
    schema = pa.schema([(name, column_type(name)) for name in columns])
    return pa.Table.from_pylist([{name: row[name] for name in columns} for row in rows], schema)


def _player(player_id: int, day: dt.date) -> Row:
    return {
        "analysis_date": day,
        "player_id": player_id,
        "player_lookup": f"player{player_id}",
        "universal_player_id": f"player{player_id}_{player_id}",
        "season_year": 2021,
    }


# Shot zones -----------------------------------------------------------------------------------


def zone_game(**changes: Any) -> Row:
    """Ten attempts: six in the paint, one from mid-range, three threes."""
    game = {
        "has_complete_shot_zones": True,
        "is_known_gap": False,
        "paint_makes": 3,
        "paint_attempts": 6,
        "mid_range_makes": 0,
        "mid_range_attempts": 1,
        "three_makes": 1,
        "three_attempts": 3,
        "assisted_fg_makes": 1,
        "unassisted_fg_makes": 3,
    }
    return game | changes


def shooter(games: Sequence[Row], player_id: int = 1, day: dt.date = DAY, **changes: Any) -> Row:
    """Return a player whose games, most recent first, were every second day."""
    player = _player(player_id, day) | {
        "player_position": "G",
        "actual_game_count": len(games),
        "games": _dated(games, day, changes, shot_zones.LONG_WINDOW),
    }
    return player | changes


def shot_zone_tables(players: Iterable[Row]) -> Tables:
    return _with_games(players, shot_zones.PLAYER_COLUMNS, shot_zones.GAME_COLUMNS)


def on_dates(
    entity: Callable[..., Row],
    season: Sequence[Row],
    player_id: int,
    counts: Mapping[dt.date, int],
    **changes: Any,
) -> list[Row]:
    """Return a player on some dates, each with a number of games of the season behind him.

    Game `n` of the season was `n` days after 40 days before DAY.
    """
    games = [
        {"game_number": number, "game_date": DAY - dt.timedelta(days=40 - number)} | game
        for number, game in enumerate(season, 1)
    ]
    return [
        entity(games[:count][::-1], player_id, day, actual_game_count=count, **changes)
        for day, count in counts.items()
    ]


def _dated(
    games: Sequence[Row], day: dt.date, changes: Mapping[str, Any], window: int
) -> list[Row]:
    count = changes.get("actual_game_count") or len(games)
    return [
        {
            "game_number": count - back + 1,
            "game_date": day - dt.timedelta(days=2 * back),
        }
        | game
        for back, game in enumerate(games[:window], 1)
    ]


def _with_games(
    players: Iterable[Row], player_columns: Sequence[str], game_columns: Sequence[str]
) -> Tables:
    listed = list(players)
    games: list[Row] = []
    for player in listed:
        key = {"season_year": player["season_year"], "player_id": player["player_id"]}
        own = [key | game for game in player["games"]]
        # Windows of the same player share their games.
        new = [game for game in own if game not in games]
        taken = {(g["season_year"], g["player_id"], g["game_number"]) for g in games}
        assert all((*key.values(), game["game_number"]) not in taken for game in new), "on_dates()"
        games += new
    return {"players": table(listed, player_columns), "games": table(games, game_columns)}


# Daily cache ----------------------------------------------------------------------------------


def box_score(**changes: Any) -> Row:
    game = {
        "has_box_score": True,
        "is_known_gap": False,
        "points": 20,
        "seconds_played": 30 * 60,
        "usage_e4": 25_0000,
        "ts_e4": 6000,
        "assisted_fg_makes": 3,
        "unassisted_fg_makes": 5,
    }
    return game | changes


NO_BOX_SCORE = dict.fromkeys(box_score(), None) | {
    "has_box_score": False,
    "is_known_gap": False,
}


def regular(games: Sequence[Row], player_id: int = 1, day: dt.date = DAY, **changes: Any) -> Row:
    """Return a player whose games, most recent first, were every second day."""
    played = sum(1 for game in games if game["has_box_score"])
    player = _player(player_id, day) | {
        "team_abbr": "LAL",
        "population_source": "box_score",
        "is_bootstrap": False,
        "is_season_boundary": False,
        "actual_game_count": len(games),
        "last_played_date": day - dt.timedelta(days=2) if played else None,
        "games_played_season": played,
        "known_games_season": played,
        "points_sum_season": 20 * played,
        "usage_e4_sum_season": 25_0000 * played,
        "usage_games_season": played,
        "player_age": 27,
        "team_pace_games_last_10": 10,
        "team_pace_e4_sum_last_10": 10 * 100_0000,
        "team_rating_games_last_10": 10,
        "team_off_rating_e4_sum_last_10": 10 * 112_0000,
        "games_in_last_7_days": 3,
        "games_in_last_14_days": 7,
        "actual_games_in_last_7_days": 3,
        "actual_games_in_last_14_days": 7,
        "known_games_in_last_7_days": 3,
        "known_games_in_last_14_days": 7,
        "seconds_in_last_7_days": 3 * 30 * 60,
        "seconds_in_last_14_days": 7 * 30 * 60,
        "back_to_backs_last_14_days": 0,
        "games": _dated(games, day, changes, daily_cache.LONG_WINDOW),
        "shot_zones": None,
    }
    return player | changes


def zones_of_a_player(**changes: Any) -> Row:
    zones = {
        "primary_scoring_zone": "paint",
        "paint_rate_last_10": 47.01,
        "mid_range_rate_last_10": 16.24,
        "three_pt_rate_last_10": 36.75,
    }
    return zones | changes


def daily_cache_tables(players: Iterable[Row]) -> Tables:
    listed = list(players)
    tables = _with_games(listed, daily_cache.PLAYER_COLUMNS, daily_cache.GAME_COLUMNS)
    return tables | {"psza": _shot_zone_rows(listed, daily_cache.PSZA_COLUMNS)}


def _shot_zone_rows(players: Sequence[Row], columns: Sequence[str]) -> pa.Table:
    return table((p | p["shot_zones"] for p in players if p["shot_zones"] is not None), columns)


# Composite factors ----------------------------------------------------------------------------


def matchup(player_id: int = 1, day: dt.date = DAY, **changes: Any) -> Row:
    """Return a rested player of average usage in a game that favours neither team."""
    player = _player(player_id, day) | {
        "game_id": "0022100641",
        "team_abbr": "LAL",
        "opponent_team_abbr": "DEN",
        "population_source": "box_score",
        "is_back_to_back": False,
        "is_bootstrap": False,
        "is_season_boundary": False,
        "days_rest": 1,
        "games_in_last_7_days": 3,
        "seconds_in_last_7_days": 90 * 60,
        "back_to_backs_last_14_days": 0,
        "player_age": 27,
        "team_pace_games_last_10": 10,
        "team_pace_e4_sum_last_10": 10 * 100_0000,
        "opponent_pace_games_last_10": 10,
        "opponent_pace_e4_sum_last_10": 10 * 100_0000,
        "usage_games_last_7": 7,
        "usage_e4_sum_last_7": 7 * 20_0000,
        "team_games_last_10": 10,
        "team_usage_load": usage_load(4_800),
        "star_teammates_out": 0,
        "shot_zones": zones_of_a_player(),
        "defense": opponent_defense(),
    }
    return player | changes


def usage_load(pct_minutes: float, team_games: int = 10) -> int:
    """Return a team's load, as in its inputs, from percent of usage times minutes on the floor."""
    return round(pct_minutes * team_games * 420 * 420 * 10_000 * 60)


def opponent_defense(**changes: Any) -> Row:
    defense = {
        "paint_defense_vs_league_avg": 0.0,
        "mid_range_defense_vs_league_avg": 0.0,
        "three_pt_defense_vs_league_avg": 0.0,
    }
    return defense | changes


def composite_tables(players: Iterable[Row]) -> Tables:
    """Return the tables; if players share an opponent on a date, the first one's defence counts."""
    listed = list(players)
    defenses = {
        (player["analysis_date"], player["opponent_team_abbr"]): player["defense"]
        for player in reversed(listed)
        if player["defense"] is not None
    }
    tdza = [
        {"analysis_date": day, "team_abbr": team} | defense
        for (day, team), defense in defenses.items()
    ]
    return {
        "players": table(listed, composite_factors.PLAYER_COLUMNS),
        "psza": _shot_zone_rows(listed, composite_factors.PSZA_COLUMNS),
        "tdza": table(tdza, composite_factors.TDZA_COLUMNS),
    }


# Comparing ------------------------------------------------------------------------------------


def only_row(result: ChunkResult) -> Row:
    assert result.failures.num_rows == 0, result.failures.to_pylist()
    (row,) = result.rows.to_pylist()
    return dict(row)


def only_failure(result: ChunkResult) -> Row:
    assert result.rows.num_rows == 0
    (failure,) = result.failures.to_pylist()
    return dict(failure)


def rearranged(tables: Tables, seed: int) -> Tables:
    """Return the same rows in another order, in pieces, as int32 and dictionary strings."""
    order = random.Random(seed)  # noqa: S311 -- a shuffle, not a secret
    result = {}
    for name, original in tables.items():
        rows = list(range(original.num_rows))
        order.shuffle(rows)
        changed = original.take(pa.array(rows, pa.int64()))
        columns = []
        for column in changed.columns:
            if pa.types.is_string(column.type):
                columns.append(column.dictionary_encode())
            elif pa.types.is_int64(column.type) and _fits_int32(column):
                columns.append(column.cast(pa.int32()))
            else:
                columns.append(column)
        changed = pa.table(columns, names=changed.column_names)
        half = changed.num_rows // 2
        result[name] = pa.concat_tables([changed.slice(0, half), changed.slice(half)])
    return result


def _fits_int32(column: pa.ChunkedArray) -> bool:
    return all(value is None or abs(value) < 2**31 for value in column.to_pylist())


def by_date(tables: Tables) -> list[Tables]:
    days = sorted(set(tables["players"].column("analysis_date").to_pylist()))
    return [
        {
            name: one.filter(pa.compute.equal(one.column("analysis_date"), pa.scalar(day)))
            if "analysis_date" in one.column_names
            else one
            for name, one in tables.items()
        }
        for day in days
    ]


def assert_arrangement_changes_nothing(compute: Compute, tables: Tables, seed: int) -> None:
    """Compute a chunk as it is, rearranged, and date by date: all three must be identical."""
    whole = compute(tables, {})
    parts = [compute(rearranged(part, seed), {}) for part in by_date(tables)]
    split = ChunkResult(
        pa.concat_tables([whole.rows.slice(0, 0), *(part.rows for part in parts)]),
        pa.concat_tables([whole.failures.slice(0, 0), *(part.failures for part in parts)]),
    )
    for other in (compute(rearranged(tables, seed), {}), split):
        assert as_bytes(other.rows) == as_bytes(whole.rows)
        assert as_bytes(other.failures) == as_bytes(whole.failures)


def as_bytes(rows: pa.Table) -> bytes:
    """Return a table's content as the bytes a file of it would have."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        for batch in pa.Table.from_pylist(rows.to_pylist(), rows.schema).to_batches():
            writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content
