"""For any player, the declared formulas give the values of the functions that compute them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from python_workers.columnar.segments import Tables
from python_workers.explain.pool_row import Recomputed, explain_tables
from python_workers.processors.base import PoolWork, Processor
from python_workers.processors.catalogue import BY_KEY, PROCESSORS
from python_workers.processors.composite_factors import COMPOSITE_FACTORS
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.shot_zones import SHOT_ZONES
from tests.python.support.factories import (
    Row,
    box_score,
    composite_tables,
    daily_cache_tables,
    matchup,
    opponent_defense,
    regular,
    shooter,
    shot_zone_tables,
    usage_load,
    zone_game,
    zones_of_a_player,
)

# Do not shrink failures: that takes minutes, and a player is small.
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


@st.composite
def games_with_zones(draw: st.DrawFn) -> Row:
    game: Row = {"has_complete_shot_zones": draw(st.booleans())}
    for zone in ("paint", "mid_range", "three"):
        tried = draw(maybe(st.integers(0, 20)))
        game[f"{zone}_attempts"] = tried
        game[f"{zone}_makes"] = None if tried is None else draw(st.integers(0, tried))
    for kind in ("assisted", "unassisted"):
        game[f"{kind}_fg_makes"] = draw(maybe(st.integers(0, 9)))
    return zone_game(**game)


@st.composite
def box_scores(draw: st.DrawFn) -> Row:
    return box_score(
        points=draw(maybe(st.integers(0, 60))),
        seconds_played=draw(maybe(st.integers(0, 3600))),
        usage_e4=draw(maybe(st.integers(0, 100_0000))),
        ts_e4=draw(maybe(st.integers(0, 15_000))),
        assisted_fg_makes=draw(maybe(st.integers(0, 9))),
        unassisted_fg_makes=draw(maybe(st.integers(0, 9))),
    )


rates = st.integers(0, 100_00).map(lambda units: units / 100)
differences = st.integers(-30_00, 30_00).map(lambda units: units / 100)

shooters = st.lists(games_with_zones(), min_size=10, max_size=24).map(
    # A row needs ten complete games first.
    lambda games: shooter(
        [game | {"has_complete_shot_zones": True} for game in games[:10]] + games[10:]
    )
)
regulars = st.builds(
    lambda games, zones, points, changes: regular(
        games,
        shot_zones=zones,
        # More than 200 points a game are refused.
        points_sum_season=points * changes["known_games_season"],
        **changes,
    ),
    st.lists(box_scores(), min_size=5, max_size=12),
    maybe(st.builds(zones_of_a_player, paint_rate_last_10=maybe(rates))),
    st.integers(0, 60),
    st.fixed_dictionaries(
        {
            "known_games_season": st.integers(0, 80),
            "usage_games_season": st.integers(0, 80),
            "team_pace_games_last_10": st.integers(0, 10),
            "team_pace_e4_sum_last_10": maybe(st.integers(0, 1200_0000)),
            "seconds_in_last_7_days": maybe(st.integers(0, 20_000)),
            "actual_games_in_last_14_days": st.integers(8, 9),
            "known_games_in_last_14_days": st.integers(0, 8),
        }
    ),
)
matchups = st.builds(
    lambda changes, zones, defense: matchup(shot_zones=zones, defense=defense, **changes),
    st.fixed_dictionaries(
        {
            "days_rest": maybe(st.integers(0, 9)),
            "is_back_to_back": st.booleans(),
            "games_in_last_7_days": st.integers(0, 5),
            "seconds_in_last_7_days": maybe(st.integers(0, 20_000)),
            "back_to_backs_last_14_days": st.integers(0, 4),
            "player_age": maybe(st.integers(18, 42)),
            "team_pace_games_last_10": st.integers(0, 10),
            "team_pace_e4_sum_last_10": maybe(st.integers(800_0000, 1200_0000)),
            "opponent_pace_games_last_10": st.integers(1, 10),
            "usage_games_last_7": st.integers(0, 7),
            "usage_e4_sum_last_7": maybe(st.integers(0, 350_0000)),
            "team_games_last_10": st.integers(0, 10),
            "team_usage_load": maybe(st.integers(0, 9_000).map(usage_load)),
            "star_teammates_out": st.integers(0, 4),
        }
    ),
    maybe(
        st.builds(
            zones_of_a_player,
            primary_scoring_zone=maybe(
                st.sampled_from(["paint", "mid_range", "perimeter", "balanced"])
            ),
            paint_rate_last_10=maybe(rates),
            mid_range_rate_last_10=maybe(rates),
            three_pt_rate_last_10=maybe(rates),
        )
    ),
    maybe(
        st.builds(
            opponent_defense,
            paint_defense_vs_league_avg=maybe(differences),
            mid_range_defense_vs_league_avg=maybe(differences),
            three_pt_defense_vs_league_avg=maybe(differences),
        )
    ),
)


def explained(
    processor: Processor, tables: Callable[[list[Row]], Tables], player: Row
) -> Recomputed:
    found = explain_tables(processor, tables([player]), None, {})
    assert found.failure is None, found.failure
    problems = {line.name: (line.filled, line.problem) for line in found.lines if line.problem}
    assert problems == {}
    return found


@settings(max_examples=20, phases=QUICK)
@given(shooters)
def test_formulas_of_the_shot_zones(player: Row) -> None:
    explained(SHOT_ZONES, shot_zone_tables, player)


@settings(max_examples=20, phases=QUICK)
@given(regulars)
def test_formulas_of_the_daily_cache(player: Row) -> None:
    explained(DAILY_CACHE, daily_cache_tables, player)


@settings(max_examples=30, phases=QUICK)
@given(matchups)
def test_formulas_of_the_composite_factors_and_their_steps(player: Row) -> None:
    found = explained(COMPOSITE_FACTORS, composite_tables, player)
    work = COMPOSITE_FACTORS.work
    assert isinstance(work, PoolWork)
    assert {line.name for line in found.lines if not line.is_column} == set(work.output.steps)


def test_every_number_has_a_formula_or_is_an_input() -> None:
    for processor in PROCESSORS:
        if isinstance(processor.work, PoolWork):
            inputs = {*processor.work.player_columns}
            for column in processor.work.output.columns:
                is_number = pa.types.is_floating(column.type) or pa.types.is_boolean(column.type)
                if column.name not in inputs and is_number:
                    assert column.formula, f"{processor.key}.{column.name}"


def test_a_wrong_formula_is_a_problem() -> None:
    work = BY_KEY["psza"].work
    assert isinstance(work, PoolWork)
    (column,) = [each for each in work.output.columns if each.name == "paint_pct_last_10"]
    object.__setattr__(column, "formula", f"2 * {column.formula}")
    try:
        found = explain_tables(
            SHOT_ZONES, shot_zone_tables([shooter([zone_game()] * 10)]), None, {}
        )
    finally:
        object.__setattr__(column, "formula", str(column.formula).removeprefix("2 * "))
    (line,) = [each for each in found.lines if each.problem]
    assert (line.name, line.problem) == ("paint_pct_last_10", "the formula gives 1")
