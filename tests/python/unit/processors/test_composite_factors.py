from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python_workers.columnar.value_texts import json_objects
from python_workers.processors.composite_factors import DEFERRED_SCORES, PLAYER_RANGES, compute
from python_workers.processors.failures import ChunkResult
from tests.python.support import slow_reference
from tests.python.support.factories import (
    DAY,
    Row,
    assert_arrangement_changes_nothing,
    composite_tables,
    matchup,
    only_failure,
    only_row,
    opponent_defense,
    usage_load,
    zones_of_a_player,
)


def computed(*players: Row) -> ChunkResult:
    return compute(composite_tables(players), {})


def row_of(**changes: Any) -> Row:
    return only_row(computed(matchup(**changes)))


def test_an_even_game_of_a_rested_player_changes_nothing() -> None:
    row = row_of()
    assert row["fatigue_score"] == 100
    assert row["total_composite_adjustment"] == 0.0
    assert row["data_completeness_pct"] == 100.0
    assert row["missing_data_fields"] == "[]"
    assert not row["has_warnings"]
    assert row["warning_details"] is None
    assert row["game_date"] == row["analysis_date"] == DAY
    assert row["calculation_version"] == "v2_4factors"
    assert [row[name] for name in DEFERRED_SCORES] == [0.0] * 4


@pytest.mark.parametrize(
    ("changes", "score"),
    [
        ({"days_rest": 0, "is_back_to_back": True}, 85),
        ({"days_rest": 2}, 100),
        ({"days_rest": 3, "player_age": 35}, 95),
        ({"days_rest": None, "player_age": 35}, 90),
        ({"player_age": 30}, 95),
        ({"player_age": 34}, 95),
        ({"player_age": None}, 100),
        ({"games_in_last_7_days": 4, "seconds_in_last_7_days": 140 * 60}, 90),
        ({"games_in_last_7_days": 4, "seconds_in_last_7_days": 140 * 60 + 1}, 82),
        ({"games_in_last_7_days": 7, "seconds_in_last_7_days": 240 * 60}, 90),
        ({"games_in_last_7_days": 7, "seconds_in_last_7_days": 240 * 60 + 1}, 80),
        ({"games_in_last_7_days": 0, "seconds_in_last_7_days": 0}, 100),
        ({"games_in_last_7_days": 4, "seconds_in_last_7_days": None}, 90),
        ({"back_to_backs_last_14_days": 1}, 95),
        ({"back_to_backs_last_14_days": 2}, 88),
        ({"back_to_backs_last_14_days": 3}, 88),
        ({"days_rest": 5}, 100),
    ],
)
def test_fatigue_counts_rest_load_and_age(changes: Row, score: int) -> None:
    row = row_of(**changes)
    assert row["fatigue_score"] == score
    assert row["total_composite_adjustment"] == (score - 100) / 20


@pytest.mark.parametrize(
    ("zones", "weakness", "score"),
    [
        ({}, {"paint": 3.0}, 2.8),
        ({"paint_rate_last_10": 60.0}, {"paint": 3.0}, 3.0),
        ({"paint_rate_last_10": 60.0}, {"paint": 5.0}, 5.0),
        ({"paint_rate_last_10": 60.0}, {"paint": 5.01}, 6.0),
        ({"paint_rate_last_10": 60.0}, {"paint": -5.05}, -6.1),
        ({"paint_rate_last_10": 60.0}, {"paint": -30.0}, -10.0),
        ({"primary_scoring_zone": "perimeter"}, {"three_pt": 4.0}, 2.9),
        ({"primary_scoring_zone": "mid_range"}, {"mid_range": 4.0}, 1.3),
        ({"primary_scoring_zone": "balanced"}, {"paint": 4.0, "three_pt": 9.0}, 3.8),
        ({"primary_scoring_zone": None, "paint_rate_last_10": None}, {"paint": 4.0}, 0.0),
    ],
)
def test_the_mismatch_weighs_the_opponents_weakness_in_the_players_zone(
    zones: Row, weakness: dict[str, float], score: float
) -> None:
    defense = {f"{zone}_defense_vs_league_avg": points for zone, points in weakness.items()}
    row = row_of(shot_zones=zones_of_a_player(**zones), defense=opponent_defense(**defense))
    assert row["shot_zone_mismatch_score"] == score


@pytest.mark.parametrize(
    ("team", "opponent", "differential", "score"),
    [
        ((10, 1001_2345), (10, 1000_0000), 0.12, 0.1),
        ((1, 110_0000), (2, 200_0000), 10.0, 3.0),
        ((10, 900_0000), (10, 1000_0000), -10.0, -3.0),
        ((3, 301_0000), (10, 1000_0000), 0.33, 0.2),
        ((0, None), (10, 1000_0000), None, 0.0),
    ],
)
def test_pace_compares_the_means_of_both_teams(
    team: tuple[int, int | None],
    opponent: tuple[int, int],
    differential: float | None,
    score: float,
) -> None:
    row = row_of(
        team_pace_games_last_10=team[0],
        team_pace_e4_sum_last_10=team[1],
        opponent_pace_games_last_10=opponent[0],
        opponent_pace_e4_sum_last_10=opponent[1],
    )
    assert row["pace_differential"] == differential
    assert row["pace_score"] == score


@pytest.mark.parametrize(
    ("recent", "load", "stars", "projected", "score"),
    [
        (20_0000, 4_800, 0, 20.0, 0.0),
        # A load ratio of 1.25: 20 % * (1 + 0.3 * 0.25).
        (20_0000, 3_840, 0, 21.5, 0.4),
        (20_0000, 3_840, 1, 21.5, 0.5),
        (20_0000, 3_840, 2, 21.5, 0.6),
        (20_0000, 3_840, 5, 21.5, 0.6),
        # More usage on the floor than there are plays: a load ratio of 0.8.
        (20_0000, 6_000, 2, 18.8, -0.4),
        # The ratio is bounded to 0.7 and 1.5.
        (20_0000, 3_200, 0, 23.0, 0.9),
        (20_0000, 1_000, 0, 23.0, 0.9),
        (20_0000, 0, 0, 23.0, 0.9),
        (20_0000, 9_600, 0, 18.2, -0.5),
        (40_0000, 3_200, 2, 45.0, 2.0),
        (50_0000, 4_800, 2, 45.0, -1.5),
        (20_0000, None, None, None, 0.0),
    ],
)
def test_usage_rises_with_the_load_that_is_missing_on_the_floor(
    *,
    recent: int,
    load: int | None,
    stars: int | None,
    projected: float | None,
    score: float,
) -> None:
    row = row_of(
        usage_e4_sum_last_7=7 * recent,
        team_usage_load=None if load is None else usage_load(load),
        star_teammates_out=stars,
    )
    assert row["recent_usage_rate"] == recent / 10_000
    assert row["projected_usage_rate"] == projected
    assert row["usage_spike_score"] == score
    assert row["star_teammates_out"] == stars


def test_projected_usage_is_rounded_once() -> None:
    # 1.15 times 4.0007 / 7 percent; from the rounded recent usage it would be 0.6572.
    row = row_of(usage_e4_sum_last_7=4_0007, team_usage_load=usage_load(3_200))
    assert row["recent_usage_rate"] == 0.5715
    assert row["projected_usage_rate"] == 0.6573


def test_a_load_is_a_share_of_the_games_that_the_team_has_played() -> None:
    row = row_of(team_games_last_10=3, team_usage_load=usage_load(3_840, 3))
    assert row["projected_usage_rate"] == 21.5
    unknown = row_of(team_games_last_10=0, team_usage_load=0)
    assert unknown["projected_usage_rate"] is None


def test_the_total_sums_the_unrounded_parts() -> None:
    # 0.04 of pace and 0.046 of mismatch are 0.0 each, but 0.09 together.
    row = row_of(
        team_pace_e4_sum_last_10=1000_8000,
        shot_zones=zones_of_a_player(paint_rate_last_10=2.3),
        defense=opponent_defense(paint_defense_vs_league_avg=1.0),
    )
    assert (row["pace_score"], row["shot_zone_mismatch_score"]) == (0.0, 0.0)
    assert row["total_composite_adjustment"] == 0.09


def test_missing_inputs_are_neutral_named_and_never_fail_the_row() -> None:
    row = row_of(
        days_rest=None,
        shot_zones=None,
        defense=None,
        team_pace_games_last_10=0,
        usage_games_last_7=0,
        usage_e4_sum_last_7=None,
    )
    assert json.loads(row["missing_data_fields"]) == [
        "days_rest",
        "pace_differential",
        "player_shot_zone_analysis",
        "projected_usage_rate",
        "team_defense_zone_analysis",
    ]
    assert row["data_completeness_pct"] == 0.0
    assert not row["upstream_psza_ready"]
    assert not row["upstream_tdza_ready"]
    assert row["total_composite_adjustment"] == 0.0
    assert row["recent_usage_rate"] is None
    assert json.loads(row["shot_zone_context_json"])["defense_vs_league_avg"] is None


def test_one_missing_input_of_five_leaves_eighty_percent() -> None:
    row = row_of(defense=None)
    assert row["data_completeness_pct"] == 80.0
    assert row["missing_data_fields"] == '["team_defense_zone_analysis"]'
    assert row["upstream_psza_ready"]


def test_extreme_scores_are_warned_about() -> None:
    row = row_of(
        is_back_to_back=True,
        days_rest=0,
        games_in_last_7_days=7,
        seconds_in_last_7_days=280 * 60,
        back_to_backs_last_14_days=5,
        player_age=38,
        shot_zones=zones_of_a_player(paint_rate_last_10=90.0),
        defense=opponent_defense(paint_defense_vs_league_avg=-9.0),
        team_pace_e4_sum_last_10=900_0000,
    )
    assert row["fatigue_score"] == 35
    assert row["total_composite_adjustment"] == -16.25
    assert row["has_warnings"]
    assert json.loads(row["warning_details"]) == [
        "fatigue_score below 50",
        "shot_zone_mismatch_score beyond 8",
        "total_composite_adjustment beyond 12",
    ]


@pytest.mark.parametrize(("weakness", "warned"), [(6.66, False), (6.71, True), (-6.71, True)])
def test_a_mismatch_is_extreme_beyond_eight(weakness: float, warned: bool) -> None:
    zones = zones_of_a_player(paint_rate_last_10=60.0)
    defense = opponent_defense(paint_defense_vs_league_avg=weakness)
    row = row_of(shot_zones=zones, defense=defense)
    assert abs(row["shot_zone_mismatch_score"]) == (8.1 if warned else 8.0)
    assert row["has_warnings"] == warned


@pytest.mark.parametrize(("rest", "warned"), [(1, False), (0, True)])
def test_fatigue_is_extreme_below_fifty(rest: int, warned: bool) -> None:
    row = row_of(
        days_rest=rest,
        is_back_to_back=rest == 0,
        games_in_last_7_days=7,
        seconds_in_last_7_days=280 * 60,
        back_to_backs_last_14_days=2,
        player_age=35,
    )
    assert row["fatigue_score"] == (35 if warned else 50)
    assert row["has_warnings"] == warned


def test_the_largest_load_stays_exact() -> None:
    row = row_of(usage_e4_sum_last_7=7 * 100_0000, team_usage_load=10**18)
    assert row["recent_usage_rate"] == 100.0
    assert row["projected_usage_rate"] == 45.0
    assert row["usage_spike_score"] == -3.0
    small = row_of(usage_e4_sum_last_7=6_9999, team_usage_load=10**18)
    assert small["projected_usage_rate"] == 0.91


def test_a_person_can_recompute_each_score_from_its_context() -> None:
    row = row_of(
        days_rest=0,
        is_back_to_back=True,
        player_age=31,
        defense=opponent_defense(paint_defense_vs_league_avg=6.0),
        team_pace_e4_sum_last_10=1012_3456,
        team_usage_load=usage_load(3_840),
        star_teammates_out=1,
    )
    fatigue, zone, pace, usage = (
        json.loads(row[f"{name}_context_json"])
        for name in ("fatigue", "shot_zone", "pace", "usage")
    )
    points = [value for key, value in fatigue.items() if key.endswith("_points")]
    assert 100 + sum(points) == fatigue["score"] == row["fatigue_score"] == 80
    assert zone == {
        "amplifier": 1.2,
        "defense_vs_league_avg": 6.0,
        "score": 6.8,
        "zone": "paint",
        "zone_rate": 47.01,
        "zone_weight": 0.9402,
    }
    assert round(6.0 * 0.9402 * 1.2, 1) == row["shot_zone_mismatch_score"]
    assert pace["team_pace_sum_last_10"] / pace["team_pace_games_last_10"] == 101.23456
    assert pace["pace_differential"] == row["pace_differential"] == 1.23
    assert usage["usage_sum_last_7"] / usage["usage_games_last_7"] == 20.0
    assert 4_800 / usage["team_usage_load"] == usage["load_ratio"] == 1.25
    assert 20.0 * (1 + 0.3 * (usage["load_ratio"] - 1)) == usage["projected_usage_rate"] == 21.5
    assert round((21.5 - 20.0) * 0.3 * usage["amplifier"], 1) == row["usage_spike_score"] == 0.5


def test_contexts_are_json_with_sorted_keys() -> None:
    for name in ("fatigue", "shot_zone", "pace", "usage"):
        for changes in ({}, {"shot_zones": None, "days_rest": None, "player_age": None}):
            text = row_of(**changes)[f"{name}_context_json"]
            assert text == json.dumps(json.loads(text), sort_keys=True)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "zone": st.none() | st.text(max_size=5),
                "score": st.none() | st.floats(allow_nan=False, allow_infinity=False),
                'a"b\\c': st.none() | st.integers(-(2**63), 2**63 - 1),
                "is_home": st.none() | st.booleans(),
            }
        ),
        max_size=6,
    )
)
def test_json_built_by_column_is_json_built_by_row(values: list[Row]) -> None:
    types = {
        "zone": pa.string(),
        "score": pa.float64(),
        'a"b\\c': pa.int64(),
        "is_home": pa.bool_(),
    }
    columns = {name: pa.array([v[name] for v in values], kind) for name, kind in types.items()}
    expected = [json.dumps(value, sort_keys=True) for value in values]
    assert json_objects(columns).to_pylist() == expected


@pytest.mark.parametrize("name", PLAYER_RANGES)
def test_a_value_out_of_range_costs_that_player_alone_his_row(name: str) -> None:
    low, high = PLAYER_RANGES[name]
    for value in (low - 1, high + 1):
        changes: Row = {name: value}
        result = computed(matchup(1), matchup(2, **changes), matchup(3))
        assert result.rows.column("player_id").to_pylist() == [1, 3]
        (failure,) = result.failures.to_pylist()
        assert failure["failure_category"] == "PROCESSING_ERROR"
        assert failure["failure_reason"] == (
            f"ValueError: {name} is {value:.12g}, outside {low:g} to {high:g}"
        )
        assert failure["expected_game_count"] is None


def test_an_impossible_upstream_value_is_an_error() -> None:
    zones = zones_of_a_player(paint_rate_last_10=100.01)
    failure = only_failure(computed(matchup(shot_zones=zones)))
    assert failure["failure_reason"] == "ValueError: zone rate is 100.01, outside 0 to 100"
    defense = opponent_defense(paint_defense_vs_league_avg=-100.5)
    failure = only_failure(computed(matchup(defense=defense)))
    assert failure["failure_reason"] == (
        "ValueError: defense_vs_league_avg is -100.5, outside -100 to 100"
    )


def test_a_team_with_two_defence_rows_on_a_date_is_named() -> None:
    tables = composite_tables([matchup()])
    tables["tdza"] = pa.concat_tables([tables["tdza"]] * 2)
    with pytest.raises(ValueError, match="team DEN on 2022-01-15 has more than one row"):
        compute(tables, {})


def test_a_chunk_without_players_has_no_rows() -> None:
    result = computed()
    assert result.rows.num_rows == result.failures.num_rows == 0


def percent(low: int, high: int) -> st.SearchStrategy[float]:
    return st.integers(low, high).map(lambda hundredths: hundredths / 100)


zone_rows = st.none() | st.builds(
    zones_of_a_player,
    primary_scoring_zone=st.sampled_from(["paint", "mid_range", "perimeter", "balanced", None]),
    **{
        f"{zone}_rate_last_10": percent(0, 10000) | st.none()
        for zone in ("paint", "mid_range", "three_pt")
    },
)
defense_rows = st.none() | st.builds(
    opponent_defense,
    **{
        f"{zone}_defense_vs_league_avg": percent(-2000, 2000) | st.none()
        for zone in ("paint", "mid_range", "three_pt")
    },
)


@st.composite
def matchups(draw: st.DrawFn) -> list[Row]:
    keys = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), unique=True, max_size=5))
    return [
        matchup(
            player_id,
            DAY + dt.timedelta(days=days),
            opponent_team_abbr=draw(st.sampled_from(["DEN", "BOS"])),
            is_back_to_back=draw(st.booleans()),
            days_rest=draw(st.none() | st.integers(0, 9)),
            games_in_last_7_days=draw(st.integers(0, 5)),
            seconds_in_last_7_days=draw(st.none() | st.integers(0, 18_000)),
            back_to_backs_last_14_days=draw(st.integers(0, 4)),
            player_age=draw(st.none() | st.integers(18, 42)),
            team_pace_games_last_10=draw(st.integers(0, 10)),
            team_pace_e4_sum_last_10=draw(st.none() | st.integers(900 * 10**4, 1100 * 10**4)),
            opponent_pace_games_last_10=draw(st.integers(0, 10)),
            opponent_pace_e4_sum_last_10=draw(st.integers(900 * 10**4, 1100 * 10**4)),
            usage_games_last_7=draw(st.integers(0, 7)),
            usage_e4_sum_last_7=draw(st.none() | st.integers(0, 7 * 100 * 10**4)),
            team_games_last_10=draw(st.integers(0, 10)),
            team_usage_load=draw(st.none() | st.integers(0, 10**16) | st.integers(0, 10**18)),
            star_teammates_out=draw(st.none() | st.integers(0, 4)),
            shot_zones=draw(zone_rows),
            defense=draw(defense_rows),
        )
        for player_id, days in keys
    ]


@given(matchups())
def test_a_chunk_has_the_values_of_plain_python(players: list[Row]) -> None:
    tables = composite_tables(players)
    defenses = {(r["analysis_date"], r["team_abbr"]): r for r in tables["tdza"].to_pylist()}
    result = compute(tables, {})
    assert result.failures.num_rows == 0
    rows = {(r["analysis_date"], r["player_id"]): r for r in result.rows.to_pylist()}
    assert len(rows) == len(players)
    for player in players:
        row = rows[player["analysis_date"], player["player_id"]]
        row["missing_data_fields"] = json.loads(row["missing_data_fields"])
        defense = defenses.get((player["analysis_date"], player["opponent_team_abbr"]))
        expected = slow_reference.composite_factors(player, defense)
        assert {name: row[name] for name in expected} == expected
        assert (row["warning_details"] is not None) == row["has_warnings"]


@settings(max_examples=40)
@given(matchups(), st.integers(0, 9))
def test_neither_order_nor_chunking_nor_column_types_change_a_byte(
    players: list[Row], seed: int
) -> None:
    assert_arrangement_changes_nothing(compute, composite_tables(players), seed)
