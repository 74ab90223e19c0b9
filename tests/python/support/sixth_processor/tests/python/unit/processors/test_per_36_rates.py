"""PER36: rates over the last ten games, and who has none."""

from __future__ import annotations

import datetime as dt
import random
from fractions import Fraction
from typing import Any

import pyarrow as pa
from python_workers.processors.per_36_rates import GAME_COLUMNS, PLAYER_COLUMNS, compute

from python_workers.processors.failures import ChunkResult

DAY = dt.date(2022, 1, 15)
Game = tuple[int, int, int]
TYPES = {
    "analysis_date": pa.date32(),
    "game_date": pa.date32(),
    "player_lookup": pa.string(),
    "universal_player_id": pa.string(),
    "has_box_score": pa.bool_(),
    "is_known_gap": pa.bool_(),
}


def table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pa.Table:
    schema = pa.schema([(name, TYPES.get(name, pa.int64())) for name in columns])
    return pa.Table.from_pylist(rows, schema)


def computed(*players: list[Game | None]) -> ChunkResult:
    """Compute players by (rebounds, assists, seconds) of their games, the most recent one first."""
    rows, games = [], []
    for number, played in enumerate(players, start=1):
        key = {"analysis_date": DAY, "player_id": number}
        rows.append(
            key
            | {
                "player_lookup": f"player{number}",
                "universal_player_id": f"player{number}_{number}",
            }
            | {"season_year": 2021, "actual_game_count": len(played)}
        )
        for rank, game in enumerate(played[:10], start=1):
            counts = game or (None, None, None)
            games.append(
                {"season_year": 2021, "player_id": number, "game_number": len(played) - rank + 1}
                | {"game_date": DAY - dt.timedelta(days=2 * rank)}
                | dict(zip(("rebounds", "assists", "seconds_played"), counts, strict=True))
                | {"has_box_score": game is not None, "is_known_gap": False}
            )
    random.Random(1).shuffle(games)  # noqa: S311 -- an order, not a secret
    return compute(
        {"players": table(rows, PLAYER_COLUMNS), "games": table(games, GAME_COLUMNS)}, {}
    )


def test_rates_are_by_the_minutes_of_the_last_ten_games() -> None:
    (row,) = computed([(9, 3, 24 * 60)] * 10 + [(50, 50, 60)]).rows.to_pylist()
    assert row["games_in_sample"] == 10
    assert row["minutes_last_10"] == 240.0
    assert row["rebounds_per_36_last_10"] == 13.5
    assert row["assists_per_36_last_10"] == 4.5


def test_with_four_games_a_player_is_expected_to_be_incomplete() -> None:
    (failure,) = computed([(9, 3, 1440)] * 4).failures.to_pylist()
    assert failure["failure_category"] == "EXPECTED_INCOMPLETE"
    assert failure["failure_reason"] == "4 actual games this season, 5 required"
    assert computed([(9, 3, 1440)] * 5).rows.num_rows == 1


def test_a_missing_box_score_of_the_window_is_upstream_data_to_come() -> None:
    lacking, older = [(9, 3, 1440)] * 9, [(9, 3, 1440)] * 10
    result = computed([*lacking, None], [*older, None])
    assert result.rows.column("player_id").to_pylist() == [2]
    (failure,) = result.failures.to_pylist()
    assert failure["failure_category"] == "INCOMPLETE_UPSTREAM"
    assert failure["missing_game_dates"] == '["2021-12-26"]'


def test_an_impossible_count_is_an_error_of_this_player_alone() -> None:
    result = computed([(101, 3, 1440)] * 5, [(100, 3, 1440)] * 5)
    assert result.rows.column("player_id").to_pylist() == [2]
    (failure,) = result.failures.to_pylist()
    assert failure["failure_category"] == "PROCESSING_ERROR"
    assert "rebounds is 101" in failure["failure_reason"]


def test_rates_are_those_of_plain_arithmetic() -> None:
    chance = random.Random(36)  # noqa: S311 -- players, not secrets
    players: list[list[Game | None]] = [
        [
            (chance.randint(0, 20), chance.randint(0, 15), chance.randint(1, 2880))
            for _ in range(chance.randint(5, 15))
        ]
        for _ in range(200)
    ]
    rows = computed(*players).rows.to_pylist()
    assert len(rows) == len(players)
    for row, games in zip(rows, players, strict=True):
        last = [game for game in games[:10] if game]
        seconds = sum(game[2] for game in last)
        for position, name in enumerate(("rebounds", "assists")):
            rate = Fraction(2160 * sum(game[position] for game in last), seconds)
            # Python rounds a fraction half-even, too.
            rounded = float(Fraction(round(10 * rate), 10))
            assert row[f"{name}_per_36_last_10"] == rounded
