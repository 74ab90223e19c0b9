from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python_workers.processors.daily_cache import PLAYER_RANGES, compute
from python_workers.processors.failures import ChunkResult
from tests.python.support import slow_reference
from tests.python.support.factories import (
    DAY,
    NO_BOX_SCORE,
    Row,
    assert_arrangement_changes_nothing,
    box_score,
    daily_cache_tables,
    on_dates,
    only_failure,
    only_row,
    regular,
    zones_of_a_player,
)


def computed(*players: Row, **params: object) -> ChunkResult:
    return compute(daily_cache_tables(players), params)


def games(count: int, **changes: Any) -> list[Row]:
    return [box_score(**changes) for _ in range(count)]


def test_means_are_over_the_last_five_the_last_ten_and_the_season() -> None:
    sample = games(5, points=30) + games(5, points=11) + games(3, points=99)
    row = only_row(computed(regular(sample, points_sum_season=502)))
    assert row["points_avg_last_5"] == 30.0
    assert row["points_avg_last_10"] == 20.5
    assert row["points_avg_season"] == 38.6154
    assert row["points_std_last_10"] == 10.0139
    assert row["games_played_season"] == 13
    assert row["minutes_avg_last_10"] == 30.0
    assert row["usage_rate_last_10"] == 25.0
    assert row["ts_pct_last_10"] == 0.6
    assert row["assisted_rate_last_10"] == 0.375
    assert row["cache_date"] == DAY
    assert row["fourth_quarter_minutes_last_7"] is None


def test_a_game_without_a_value_is_skipped_not_counted_as_zero() -> None:
    sample = [box_score(ts_e4=None, usage_e4=None, assisted_fg_makes=None), *games(9)]
    row = only_row(computed(regular(sample)))
    assert row["ts_pct_last_10"] == 0.6
    assert row["usage_rate_last_10"] == 25.0
    assert row["assisted_rate_last_10"] == 0.375


def test_values_unknown_in_every_game_stay_unknown() -> None:
    sample = games(6, ts_e4=None, seconds_played=None, assisted_fg_makes=0, unassisted_fg_makes=0)
    unknown = regular(
        sample,
        usage_games_season=0,
        usage_e4_sum_season=0,
        team_pace_games_last_10=0,
        team_pace_e4_sum_last_10=None,
        games_in_last_7_days=0,
        actual_games_in_last_7_days=0,
        known_games_in_last_7_days=0,
        seconds_in_last_7_days=0,
        player_age=None,
    )
    row = only_row(computed(unknown))
    for name in (
        "ts_pct_last_10",
        "assisted_rate_last_10",
        "player_usage_rate_season",
        "team_pace_last_10",
        "avg_minutes_per_game_last_7",
        "player_age",
        "primary_scoring_zone",
        "paint_rate_last_10",
    ):
        assert row[name] is None, name
    assert row["minutes_in_last_7_days"] == 0.0
    assert row["l7d_completeness_pct"] == 100.0


def test_unknown_minutes_leave_their_sum_unknown_and_count_for_no_mean() -> None:
    # Games were 2, 4, 6, 8, ... days ago.
    week = [box_score(seconds_played=seconds) for seconds in (1800, None, 2101)]
    changes: Row = {"seconds_in_last_7_days": None, "seconds_in_last_14_days": None}
    row = only_row(computed(regular([*week, *games(7, seconds_played=600)], **changes)))
    assert (row["minutes_in_last_7_days"], row["minutes_in_last_14_days"]) == (None, None)
    assert row["avg_minutes_per_game_last_7"] == 32.5083
    assert row["games_in_last_7_days"] == 3


def test_a_player_with_four_games_is_expected_to_be_incomplete() -> None:
    failure = only_failure(computed(regular(games(4))))
    assert failure["failure_category"] == "EXPECTED_INCOMPLETE"
    assert failure["expected_game_count"] == 5
    assert failure["actual_game_count"] == 4
    failure = only_failure(computed(regular([], actual_game_count=0)))
    assert failure["failure_reason"] == "0 actual games this season, 5 required"


def test_below_ten_games_it_is_early_in_the_season() -> None:
    assert only_row(computed(regular(games(9))))["early_season_flag"]
    assert not only_row(computed(regular(games(10))))["early_season_flag"]


@pytest.mark.parametrize(("days", "stale"), [(30, False), (31, True)])
def test_a_player_is_stale_after_thirty_days_without_a_game(days: int, stale: bool) -> None:
    last = DAY - dt.timedelta(days=days)
    result = computed(regular(games(8), last_played_date=last))
    assert result.rows.num_rows == (0 if stale else 1)
    if stale:
        failure = only_failure(result)
        assert failure["failure_category"] == "STALE_DATA"
        assert failure["is_expected"]
        assert failure["failure_reason"] == (
            f"no game played in the last 30 days, the last one on {last}"
        )


def test_a_missing_box_score_is_named_and_can_be_retried() -> None:
    failure = only_failure(computed(regular([*games(3), NO_BOX_SCORE, *games(8)])))
    assert failure["failure_category"] == "INCOMPLETE_UPSTREAM"
    assert failure["can_retry"]
    assert json.loads(failure["missing_game_dates"]) == [str(DAY - dt.timedelta(days=8))]
    assert failure["failure_reason"] == (
        "1 of the 10 most recent games without a box score: 2022-01-07"
    )


def test_a_missing_box_score_that_is_a_known_gap_is_expected() -> None:
    known = NO_BOX_SCORE | {"is_known_gap": True}
    failure = only_failure(computed(regular([*games(3), known, *games(8)])))
    assert failure["failure_category"] == "KNOWN_SOURCE_GAP"
    assert failure["is_expected"]
    assert json.loads(failure["missing_game_dates"]) == ["2022-01-07"]
    both = computed(regular([known, NO_BOX_SCORE, *games(8)]))
    assert only_failure(both)["failure_category"] == "INCOMPLETE_UPSTREAM"


def test_on_a_waived_date_the_available_games_make_the_row_and_the_flags_say_so() -> None:
    sample = [NO_BOX_SCORE, *games(9, points=10)]
    row = only_row(computed(regular(sample), waived_dates=[DAY]))
    assert row["points_avg_last_5"] == 10.0
    assert row["l5_completeness_pct"] == 80.0
    assert not row["l5_is_complete"]
    assert row["l10_completeness_pct"] == 90.0
    assert row["l10_is_complete"]
    assert not row["all_windows_complete"]
    assert row["cache_quality_score"] == 80.0
    other_day = [DAY - dt.timedelta(days=1)]
    assert computed(regular(sample), waived_dates=other_day).rows.num_rows == 0


def test_a_waiver_needs_five_available_games_all_the_same() -> None:
    sample = [*games(4), NO_BOX_SCORE, NO_BOX_SCORE]
    failure = only_failure(computed(regular(sample), waived_dates=[DAY]))
    assert failure["failure_category"] == "INCOMPLETE_UPSTREAM"


def test_a_waiver_that_is_no_date_is_refused() -> None:
    with pytest.raises(TypeError, match="not a collection of dates"):
        computed(regular(games(6)), waived_dates=["2022-01-15"])


def test_windows_of_days_are_complete_from_ninety_percent_on() -> None:
    row = only_row(computed(regular(games(10), known_games_in_last_7_days=2)))
    assert row["l7d_completeness_pct"] == 66.67
    assert not row["l7d_is_complete"]
    assert row["l14d_is_complete"]
    assert not row["all_windows_complete"]


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        ((3, 11), "1 of the 4 games of the last 7 days"),
        ((4, 10), "2 of the 12 games of the last 14 days"),
        ((2, 9), "2 of the 4 games of the last 7 days and 3 of the 12 games of the last 14 days"),
    ],
)
def test_on_a_checked_date_a_gap_before_the_last_ten_games_names_its_window(
    there: tuple[int, int], reason: str
) -> None:
    gap = regular(
        games(12),
        known_games_in_last_7_days=there[0],
        known_games_in_last_14_days=there[1],
        actual_games_in_last_7_days=4,
        actual_games_in_last_14_days=12,
    )
    found = computed(gap, regular(games(12), player_id=2), checked_dates=[DAY])
    (failure,) = found.failures.to_pylist()
    assert failure["failure_category"] == "INCOMPLETE_UPSTREAM"
    assert failure["failure_reason"] == f"{reason} without a box score"
    assert failure["missing_game_dates"] == "[]"
    assert failure["player_id"] == 1
    assert computed(gap).failures.num_rows == 0


def test_shot_zones_come_from_the_zones_of_the_date() -> None:
    row = only_row(computed(regular(games(10), shot_zones=zones_of_a_player())))
    assert row["shot_zone_data_available"]
    assert row["primary_scoring_zone"] == "paint"
    assert row["paint_rate_last_10"] == 47.01
    assert row["three_pt_rate_last_10"] == 36.75
    assert not only_row(computed(regular(games(10))))["shot_zone_data_available"]


def test_each_player_gets_his_own_zones_in_any_order() -> None:
    players = [
        regular(games(10), player, shot_zones=zones_of_a_player(paint_rate_last_10=10.0 * player))
        for player in (3, 1, 2)
    ]
    rows = computed(*players).rows
    assert rows.column("player_id").to_pylist() == [1, 2, 3]
    assert rows.column("paint_rate_last_10").to_pylist() == [10.0, 20.0, 30.0]


def test_absurd_minutes_cost_that_player_alone_his_row() -> None:
    wrong = [*games(9), box_score(seconds_played=-1)]
    result = computed(regular(games(10), 1), regular(wrong, 2), regular(games(10), 3))
    assert result.rows.column("player_id").to_pylist() == [1, 3]
    (failure,) = result.failures.to_pylist()
    assert failure["failure_category"] == "PROCESSING_ERROR"
    assert failure["failure_reason"] == (
        "ValueError: seconds_played is -1 in the game of 2021-12-26, outside 0 to 6000"
    )


@pytest.mark.parametrize("name", PLAYER_RANGES)
def test_a_player_value_out_of_range_is_named(name: str) -> None:
    low, high = PLAYER_RANGES[name]
    for value in (low - 1, high + 1):
        changes: Row = {name: value}
        failure = only_failure(computed(regular(games(10), **changes)))
        assert failure["failure_category"] == "PROCESSING_ERROR"
        assert failure["failure_reason"] == (
            f"ValueError: {name} is {value:.12g}, outside {low:g} to {high:g}"
        )


def test_a_result_out_of_range_is_an_error_too() -> None:
    failure = only_failure(computed(regular(games(10), actual_games_in_last_7_days=2)))
    assert failure["failure_reason"] == (
        "ValueError: l7d_completeness_pct is 150.0, outside 0 to 100"
    )
    zones = zones_of_a_player(paint_rate_last_10=float("nan"))
    failure = only_failure(computed(regular(games(10), shot_zones=zones)))
    assert failure["failure_reason"] == ("ValueError: paint_rate_last_10 is nan, outside 0 to 100")


def test_an_impossible_value_of_a_player_who_fails_anyway_changes_nothing() -> None:
    failure = only_failure(computed(regular(games(4), player_age=200)))
    assert failure["failure_category"] == "EXPECTED_INCOMPLETE"


rates = st.integers(0, 100_00).map(lambda hundredths: hundredths / 100)
box_scores = st.builds(
    box_score,
    has_box_score=st.sampled_from([True] * 15 + [False]),
    is_known_gap=st.booleans(),
    points=st.integers(0, 60),
    seconds_played=st.integers(0, 3180) | st.sampled_from([0, None]),
    usage_e4=st.integers(0, 100_0000) | st.sampled_from([0, None]),
    ts_e4=st.integers(0, 15000) | st.sampled_from([0, None]),
    assisted_fg_makes=st.integers(0, 9) | st.sampled_from([0, None]),
    unassisted_fg_makes=st.integers(0, 9) | st.sampled_from([0, None]),
)


@st.composite
def regulars(draw: st.DrawFn) -> list[Row]:
    seasons = {}
    players = []
    for player_id, days in draw(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), unique=True, max_size=4)
    ):
        if player_id not in seasons:
            variety = draw(st.lists(box_scores, min_size=1, max_size=5))
            kinds = draw(st.lists(st.integers(0, len(variety) - 1), min_size=16, max_size=16))
            seasons[player_id] = [variety[kind] for kind in kinds]
        count = draw(st.integers(1, 16))
        day = DAY + dt.timedelta(days=days)
        expected_7, expected_14 = draw(st.integers(0, 4)), draw(st.integers(4, 8))
        last = day - dt.timedelta(days=draw(st.sampled_from([1, 1, 2, 30, 31])))
        season_games = draw(st.integers(0, 82))
        changes: Row = {
            "last_played_date": draw(st.sampled_from([last, last, last, None])),
            "games_played_season": season_games,
            "known_games_season": draw(st.integers(0, season_games)),
            "points_sum_season": draw(st.integers(0, 3000)),
            "usage_e4_sum_season": draw(st.integers(0, 10**8)),
            "usage_games_season": draw(st.integers(0, 82)),
            "player_age": draw(st.none() | st.integers(18, 45)),
            "team_pace_games_last_10": draw(st.integers(0, 10)),
            "team_pace_e4_sum_last_10": draw(st.none() | st.integers(0, 10**7)),
            "team_rating_games_last_10": draw(st.integers(0, 10)),
            "team_off_rating_e4_sum_last_10": draw(st.integers(0, 10**7)),
            "games_in_last_7_days": draw(st.integers(0, expected_7)),
            "actual_games_in_last_7_days": expected_7,
            "known_games_in_last_7_days": draw(st.integers(0, expected_7)),
            "games_in_last_14_days": draw(st.integers(0, expected_14)),
            "actual_games_in_last_14_days": expected_14,
            "known_games_in_last_14_days": draw(st.integers(0, expected_14)),
            "seconds_in_last_7_days": draw(st.none() | st.integers(0, 12_000)),
            "seconds_in_last_14_days": draw(st.none() | st.integers(0, 24_000)),
            "shot_zones": draw(st.none() | st.builds(zones_of_a_player, paint_rate_last_10=rates)),
        }
        changes["points_sum_season"] = min(
            changes["points_sum_season"], 150 * changes["known_games_season"]
        )
        players += on_dates(regular, seasons[player_id], player_id, {day: count}, **changes)
    return players


@given(regulars())
def test_a_chunk_has_the_values_of_plain_python(players: list[Row]) -> None:
    result = computed(*players)
    rows = {(r["analysis_date"], r["player_id"]): r for r in result.rows.to_pylist()}
    failed = {(f["analysis_date"], f["player_id"]): f for f in result.failures.to_pylist()}
    assert len(rows) + len(failed) == len(players)
    for player in players:
        key = (player["analysis_date"], player["player_id"])
        outcome, expected = slow_reference.daily_cache(player)
        if outcome == "ROW":
            assert {name: rows[key][name] for name in expected} == expected
        else:
            assert failed[key]["failure_category"] == outcome
            dates = json.loads(failed[key]["missing_game_dates"])
            assert dates == [str(date) for date in expected["missing"]]


@settings(max_examples=40)
@given(regulars(), st.integers(0, 9))
def test_neither_order_nor_chunking_nor_column_types_change_a_byte(
    players: list[Row], seed: int
) -> None:
    assert_arrangement_changes_nothing(compute, daily_cache_tables(players), seed)
