"""Rebounds and assists per 36 minutes (PER36): a player's last 10 games."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from python_workers.columnar.columns import (
    Integers,
    days,
    integers,
    minutes_array,
    ratio_array,
    require_columns,
    zero_where_unknown,
)
from python_workers.columnar.segments import Tables, entity_keys, sorted_entities
from python_workers.columnar.windows import game_windows
from python_workers.processors.base import Games, PoolWork, Population, Processor
from python_workers.processors.failures import (
    EXPECTED_INCOMPLETE,
    PROCESSING_ERROR,
    ChunkResult,
    Failed,
    Rejections,
    failure_rows,
)
from python_workers.processors.game_checks import (
    missing_games,
    reject_values,
    reject_wrong_games,
    too_few_reasons,
)
from python_workers.processors.output_table import (
    ByWindow,
    OutputTable,
    date_column,
    decimal,
    text,
    whole,
)

CALCULATION_VERSION = "v1"

REQUIRED_GAMES = 5
WINDOW = 10
RATE_SECONDS = 36 * 60
RATE_DECIMALS = 1
# Above anything that one player has done in a game: 55 rebounds, 30 assists, 69 minutes.
HIGHEST = {"rebounds": 100, "assists": 100, "seconds_played": 100 * 60}

PLAYER_COLUMNS = (
    "analysis_date",
    "player_id",
    "player_lookup",
    "universal_player_id",
    "season_year",
    "actual_game_count",
)
GAME_COLUMNS = (
    "season_year",
    "player_id",
    "game_number",
    "game_date",
    "has_box_score",
    "is_known_gap",
    "rebounds",
    "assists",
    "seconds_played",
)

OUTPUT = OutputTable(
    CALCULATION_VERSION,
    (
        date_column("analysis_date"),
        whole("player_id"),
        text("player_lookup"),
        text("universal_player_id"),
        whole("season_year"),
        whole("games_in_sample", REQUIRED_GAMES, WINDOW),
        decimal("minutes_last_10", 0, WINDOW * HIGHEST["seconds_played"] / 60),
        decimal("rebounds_per_36_last_10"),
        decimal("assists_per_36_last_10"),
    ),
)


def compute(tables: Tables, params: Mapping[str, object]) -> ChunkResult:  # noqa: ARG001
    """Compute the rates of every player and date of a chunk.

    A rate is the sum of the counts by the sum of the seconds, times 36 minutes, rounded half-even.

    Parameters
    ----------
    tables
        ``players`` and ``games`` with `PLAYER_COLUMNS` and `GAME_COLUMNS`, rows in any order.
    params
        Nothing is read from it; every processor is called alike.

    Returns
    -------
    ChunkResult
        A row or a failure for each row of ``players``.
    """
    require_columns(tables["players"], "players", PLAYER_COLUMNS)
    require_columns(tables["games"], "games", GAME_COLUMNS)
    players, keys = sorted_entities(tables["players"], entity_keys(tables["players"]))
    games = game_windows(tables["games"], players, WINDOW)
    actual = integers(players, "actual_game_count")
    counts = {name: games.integers(name) for name in HIGHEST}
    available = games.flags("has_box_score")
    for column in counts.values():
        available = available & column.known()

    rejected = Rejections(len(keys))
    dates = days(players, "analysis_date").values
    reject_wrong_games(rejected, games, actual, dates, WINDOW)
    for name, column in counts.items():
        reject_values(rejected, games, name, column, used=available, high=HIGHEST[name])
    (in_sample,) = games.tallies(available, WINDOW)
    too_few = ~rejected.mask & (actual.values < REQUIRED_GAMES)
    lacking = ~rejected.mask & ~too_few & (in_sample < games.counts)[games.of_entity]
    computed = ~(rejected.mask | too_few | lacking)

    # Players and dates with the same window share its values.
    sample = games.restricted(computed)
    rebounds, assists, seconds = (
        sample.sums(zero_where_unknown(column.values, available), WINDOW)[0]
        for column in counts.values()
    )
    columns: dict[str, pa.Array] = {
        "games_in_sample": pa.array(sample.tallies(available, WINDOW)[0]),
        "minutes_last_10": minutes_array(Integers(seconds)),
    }
    for name, total in (("rebounds", rebounds), ("assists", assists)):
        rate = ratio_array(RATE_SECONDS * total, seconds, RATE_DECIMALS)
        columns[f"{name}_per_36_last_10"] = rate
    rows, out_of_range = OUTPUT.rows(players, computed, {}, ByWindow(columns, sample.of_entity))
    at_too_few, at_lacking, at_rejected = map(np.flatnonzero, (too_few, lacking, rejected.mask))
    failures = [
        Failed(
            at_too_few,
            EXPECTED_INCOMPLETE,
            too_few_reasons(actual.values[at_too_few], REQUIRED_GAMES),
        ),
        *missing_games(games, available, at_lacking, WINDOW, "a box score"),
        Failed(at_rejected, PROCESSING_ERROR, rejected.reasons(at_rejected)),
        out_of_range,
    ]
    return ChunkResult(rows, failure_rows(players, failures, REQUIRED_GAMES))


PER_36_RATES = Processor(
    number=6,
    key="per36",
    name="PlayerPer36RatesProcessor",
    title="Rebounds and assists per 36 minutes",
    calculation_version=CALCULATION_VERSION,
    model="player_per_36_rates",
    inputs_model="player_per_36_inputs",
    entity="player_id",
    population=Population.PLAYERS_WITH_A_GAME,
    work=PoolWork(
        compute,
        OUTPUT,
        PLAYER_COLUMNS,
        Games(GAME_COLUMNS, WINDOW, model="int_player_per_36_games"),
    ),
)
