"""Compares projected usage with a game's usage, in a season that it was not fitted on."""

from __future__ import annotations

import datetime as dt

import duckdb
import pyarrow as pa
import pytest

from python_workers.processors.composite_factors import PSZA_COLUMNS, TDZA_COLUMNS, compute
from tests.python.support.engine import Engine

SEASON = (dt.date(2023, 10, 1), dt.date(2024, 6, 30))

# Of the players who played: usage before, projected and in the game, and the load ratio. Regular
# players have 20 minutes a game lately.
PROJECTIONS = """
create table projections as
select
    factors.recent_usage_rate as recent,
    factors.projected_usage_rate as projected,
    lines.usage_rate as usage,
    cast(factors.usage_context_json ->> 'load_ratio' as double) as load_ratio,
    form.seconds_last_7 >= 20 * 60 * form.minutes_games_last_7 as is_regular,
from factors
inner join played.nba_analytics.player_game_summary as lines
    on factors.game_id = lines.game_id and factors.player_id = lines.player_id
inner join played.nba_analytics.upcoming_player_game_context as context
    on factors.game_id = context.game_id and factors.player_id = context.player_id
inner join played.nba_analytics.int_player_form as form
    on
        context.player_id = form.player_id
        and context.season_year = form.season_year
        and context.known_games_season = form.played_number
where lines.is_played and lines.usage_rate is not null and factors.projected_usage_rate is not null
"""
ERRORS = """
select
    avg(projected - usage) as bias,
    avg(abs(projected - usage)) as error,
    avg(abs(recent - usage)) as recent_error,
    corr(projected, usage) as r,
    corr(recent, usage) as recent_r,
    count(*) as players,
from projections where is_regular and load_ratio > ?
"""
# The load ratio and the absolute final margin of each team, which must not correlate.
LEAK = """
with teams as (
    select distinct
        factors.game_id,
        factors.team_abbr,
        cast(factors.usage_context_json ->> 'load_ratio' as double) as load_ratio,
    from factors
)
select corr(teams.load_ratio, abs(games.home_score - games.away_score))
from teams
inner join played.nba_raw.games as games on teams.game_id = games.game_id
"""


@pytest.fixture(scope="module")
def season(real_2023: Engine) -> duckdb.DuckDBPyConnection:
    """Return a connection to the season's factors, computed without zones and defences."""
    real_2023.project().build(["+player_composite_factors_inputs"], *SEASON)
    connection = duckdb.connect()
    connection.execute(f"attach '{real_2023.path}' as played (read_only)")
    players = connection.execute(
        "select * from played.nba_precompute.player_composite_factors_inputs"
    ).to_arrow_table()
    upstream = {
        name: pa.table({column: pa.nulls(0) for column in columns})
        for name, columns in (("psza", PSZA_COLUMNS), ("tdza", TDZA_COLUMNS))
    }
    result = compute({"players": players, **upstream}, {})
    assert result.failures.num_rows == 0
    connection.register("factors", result.rows)
    connection.execute(PROJECTIONS)
    return connection


def errors(season: duckdb.DuckDBPyConnection, above: float) -> dict[str, float]:
    (row,) = season.execute(ERRORS, [above]).to_arrow_table().to_pylist()
    return {name: float(value) for name, value in row.items()}


@pytest.mark.slow
def test_projected_usage_is_unbiased_and_no_worse_than_recent_usage(
    season: duckdb.DuckDBPyConnection,
) -> None:
    found = errors(season, 0)
    assert found["players"] > 15_000
    assert abs(found["bias"]) < 0.25
    assert found["error"] < 4.28
    assert found["error"] < found["recent_error"] - 0.015
    assert found["r"] > found["recent_r"] + 0.004


@pytest.mark.slow
def test_projected_usage_is_better_where_many_are_out(season: duckdb.DuckDBPyConnection) -> None:
    found = errors(season, 1.1)
    assert found["players"] > 3_000
    assert found["error"] < 4.33
    assert found["error"] < found["recent_error"] - 0.06


@pytest.mark.slow
def test_the_load_ratio_does_not_tell_how_the_game_ends(season: duckdb.DuckDBPyConnection) -> None:
    (correlation,) = season.execute(LEAK).fetchone() or (None,)
    assert correlation is not None
    assert abs(correlation) < 0.07
