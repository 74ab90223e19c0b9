from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python_workers.columnar.columns import InputTableError
from python_workers.processors.failures import FAILURE_SCHEMA, ChunkResult
from python_workers.processors.shot_zones import GAME_COLUMNS, OUTPUT, compute
from tests.python.support import slow_reference
from tests.python.support.factories import (
    DAY,
    Row,
    assert_arrangement_changes_nothing,
    on_dates,
    only_failure,
    only_row,
    shooter,
    shot_zone_tables,
    table,
    zone_game,
)


def computed(*players: Row) -> ChunkResult:
    return compute(shot_zone_tables(players), {})


def games(count: int, **changes: Any) -> list[Row]:
    return [zone_game(**changes) for _ in range(count)]


def test_rates_are_percent_of_the_attempts_of_the_last_ten_games() -> None:
    # LeBron James on 2022-01-15: 110, 38 and 86 of 234 shots.
    many = zone_game(paint_attempts=11, mid_range_attempts=4, three_attempts=9)
    last = zone_game(paint_attempts=11, mid_range_attempts=2, three_attempts=5)
    row = only_row(computed(shooter([many] * 9 + [last] + games(10))))
    assert row["total_shots_last_10"] == 234
    assert row["paint_rate_last_10"] == 47.01
    assert row["mid_range_rate_last_10"] == 16.24
    assert row["three_pt_rate_last_10"] == 36.75
    assert row["primary_scoring_zone"] == "paint"
    assert row["calculation_version"] == "v2"


def test_a_player_with_nine_actual_games_is_expected_to_be_incomplete() -> None:
    failure = only_failure(computed(shooter(games(9))))
    assert failure == {
        "analysis_date": DAY,
        "entity_id": "player1",
        "player_id": 1,
        "failure_category": "EXPECTED_INCOMPLETE",
        "failure_reason": "9 actual games this season, 10 required",
        "can_retry": False,
        "is_expected": True,
        "expected_game_count": 10,
        "actual_game_count": 9,
        "missing_game_dates": "[]",
    }


def test_ten_games_are_enough() -> None:
    row = only_row(computed(shooter(games(10))))
    assert row["games_in_sample_10"] == 10
    assert row["sample_quality_10"] == "excellent"
    assert row["data_quality_tier"] == "high"
    assert row["games_in_sample_20"] == 10
    assert row["sample_quality_20"] == "limited"


def test_a_game_without_shots_among_the_last_ten_is_named_and_can_be_retried() -> None:
    sample = games(12)
    sample[0] = zone_game(has_complete_shot_zones=False, paint_makes=None)
    sample[9] = zone_game(has_complete_shot_zones=False)
    failure = only_failure(computed(shooter(sample)))
    assert failure["failure_category"] == "INCOMPLETE_UPSTREAM"
    assert failure["can_retry"]
    assert not failure["is_expected"]
    assert failure["actual_game_count"] == 12
    dates = [str(DAY - dt.timedelta(days=20)), str(DAY - dt.timedelta(days=2))]
    assert json.loads(failure["missing_game_dates"]) == dates
    assert failure["failure_reason"] == (
        f"2 of the 10 most recent games without complete shot zones: {', '.join(dates)}"
    )


def test_missing_games_that_are_all_known_gaps_are_expected() -> None:
    known = zone_game(has_complete_shot_zones=False, is_known_gap=True)
    new = zone_game(has_complete_shot_zones=False)
    result = computed(
        shooter([*games(4), known, known, *games(6)], 1), shooter([known, new, *games(8)], 2)
    )
    one, two = result.failures.to_pylist()
    assert (one["failure_category"], two["failure_category"]) == (
        "KNOWN_SOURCE_GAP",
        "INCOMPLETE_UPSTREAM",
    )
    assert (one["is_expected"], one["can_retry"]) == (True, False)
    assert json.loads(one["missing_game_dates"]) == ["2022-01-03", "2022-01-05"]
    assert len(json.loads(two["missing_game_dates"])) == 2


@pytest.mark.parametrize("rank", [1, 10])
def test_one_missing_game_of_ten_is_enough_to_wait_for_it(rank: int) -> None:
    sample = games(12)
    sample[rank - 1] = zone_game(has_complete_shot_zones=False)
    assert only_failure(computed(shooter(sample)))["failure_category"] == "INCOMPLETE_UPSTREAM"


def test_an_incomplete_game_further_back_only_leaves_the_long_sample() -> None:
    whole = games(20)
    gappy = [*whole[:10], zone_game(has_complete_shot_zones=False, paint_attempts=90), *whole[11:]]
    row, gappy_row = only_row(computed(shooter(whole))), only_row(computed(shooter(gappy)))
    assert gappy_row["games_in_sample_20"] == 19
    assert gappy_row["sample_quality_20"] == "good"
    assert gappy_row["paint_rate_last_20"] == row["paint_rate_last_20"] == 60.0


def test_twenty_game_values_need_fifteen_games() -> None:
    assert only_row(computed(shooter(games(14))))["paint_rate_last_20"] is None
    row = only_row(computed(shooter(games(15))))
    assert row["paint_rate_last_20"] == 60.0
    assert row["paint_pct_last_20"] == 0.5


@pytest.mark.parametrize(
    ("paint", "mid_range", "three", "zone"),
    [
        (40, 20, 40, "paint"),
        (39, 21, 40, "perimeter"),
        (35, 35, 30, "mid_range"),
        (39, 34, 27, "balanced"),
        (0, 0, 0, None),
    ],
)
def test_the_primary_zone_follows_the_shares(
    paint: int, mid_range: int, three: int, zone: str | None
) -> None:
    game = zone_game(
        paint_makes=0,
        three_makes=0,
        paint_attempts=paint,
        mid_range_attempts=mid_range,
        three_attempts=three,
    )
    assert only_row(computed(shooter([game] * 10)))["primary_scoring_zone"] == zone


def test_a_player_who_never_shoots_has_no_rates_but_a_row() -> None:
    nothing = {name: 0 for name in zone_game() if name.endswith(("makes", "attempts"))}
    row = only_row(computed(shooter([zone_game(**nothing)] * 15)))
    assert row["total_shots_last_10"] == 0
    for name in OUTPUT.schema.names:
        if name.endswith(("_rate_last_10", "_pct_last_10", "_last_20")) and "sample" not in name:
            assert row[name] is None, name
    assert row["paint_attempts_per_game"] == 0.0


def test_a_zone_unknown_in_all_games_makes_all_rates_unknown() -> None:
    row = only_row(computed(shooter(games(10, mid_range_attempts=None))))
    rates = [row[f"{zone}_rate_last_10"] for zone in ("paint", "mid_range", "three_pt")]
    assert rates == [None, None, None]
    assert row["total_shots_last_10"] is None
    assert row["paint_pct_last_10"] == 0.5
    assert row["mid_range_attempts_per_game"] is None


def test_more_makes_than_attempts_cost_that_player_alone_his_row() -> None:
    wrong = games(12)
    wrong[3] = zone_game(paint_makes=7)
    result = computed(shooter(games(12), 1), shooter(wrong, 2), shooter(games(12), 3))
    assert result.rows.column("player_id").to_pylist() == [1, 3]
    (failure,) = result.failures.to_pylist()
    assert failure["failure_category"] == "PROCESSING_ERROR"
    assert failure["failure_reason"] == (
        "ValueError: paint_makes is 7 in the game of 2022-01-07, more than the 6 paint_attempts"
    )


@pytest.mark.parametrize("count", [-1, 201, 2**62, -(2**63)])
def test_an_impossible_count_is_named(count: int) -> None:
    failure = only_failure(computed(shooter([*games(14), zone_game(three_attempts=count)])))
    assert failure["failure_category"] == "PROCESSING_ERROR"
    assert failure["failure_reason"] == (
        f"ValueError: three_attempts is {count} in the game of 2021-12-16, outside 0 to 200"
    )


def test_an_impossible_count_in_a_game_that_is_not_used_does_no_harm() -> None:
    unused = zone_game(has_complete_shot_zones=False, paint_makes=-5)
    assert only_row(computed(shooter([*games(10), unused])))["games_in_sample_20"] == 10


def test_a_game_on_the_date_itself_is_never_used() -> None:
    failure = only_failure(computed(shooter([zone_game(game_date=DAY), *games(10)])))
    assert failure["failure_reason"] == (
        "ValueError: the game of 2022-01-15 is not before 2022-01-15"
    )


def test_games_that_do_not_add_up_are_an_error_not_a_smaller_sample() -> None:
    failure = only_failure(computed(shooter(games(12), actual_game_count=13)))
    assert failure["failure_reason"] == "ValueError: 12 game rows, 13 expected"
    for wrong, reason in (
        ([11, *range(11, 0, -1)], "two games have the number of the game of 2022-01-11"),
        ([12, *range(10, 0, -1), 13], "11 game rows, 12 expected"),
    ):
        sample = [zone_game(game_number=number) for number in wrong]
        failure = only_failure(computed(shooter(sample)))
        assert failure["failure_reason"] == f"ValueError: {reason}"
    failure = only_failure(computed(shooter(games(12), actual_game_count=None)))
    assert failure["failure_reason"] == "ValueError: actual_game_count is missing"


def test_games_that_do_not_follow_each_other_are_an_error() -> None:
    sample = games(12)
    sample[3] = zone_game(game_date=DAY - dt.timedelta(days=11))
    failure = only_failure(computed(shooter(sample)))
    assert failure["failure_reason"] == (
        "ValueError: the game of 2022-01-04 is before the game before it"
    )
    # For the oldest game in the window it makes no difference.
    older = [*games(20), zone_game(game_number=1, game_date=DAY - dt.timedelta(days=1))]
    tables = shot_zone_tables([shooter(older)])
    extra = {**older[-1], "season_year": 2021, "player_id": 1}
    games_table = pa.concat_tables([tables["games"], table([extra], GAME_COLUMNS)])
    assert only_row(compute(tables | {"games": games_table}, {}))["games_in_sample_20"] == 20


def test_players_and_dates_are_kept_apart() -> None:
    tomorrow = DAY + dt.timedelta(days=1)
    growing = [*games(10), zone_game(paint_attempts=26)]
    result = computed(
        *on_dates(shooter, growing, 9, {tomorrow: 11, DAY: 10}),
        *on_dates(shooter, games(10, paint_attempts=4), 4, {tomorrow: 3, DAY: 10}),
    )
    assert [(r["analysis_date"], r["player_id"]) for r in result.rows.to_pylist()] == [
        (DAY, 4),
        (DAY, 9),
        (tomorrow, 9),
    ]
    assert result.rows.column("total_shots_last_10").to_pylist() == [80, 100, 120]
    assert result.failures.column("player_id").to_pylist() == [4]


def test_a_chunk_without_players_has_no_rows() -> None:
    result = computed()
    assert result.rows.num_rows == result.failures.num_rows == 0
    assert result.rows.schema.names == [*OUTPUT.schema.names, "data_hash"]
    assert result.failures.schema == FAILURE_SCHEMA


def test_a_missing_column_is_named() -> None:
    tables = shot_zone_tables([shooter(games(10))])
    tables["games"] = tables["games"].drop_columns("three_makes")
    with pytest.raises(InputTableError, match=r"games table lacks the column\(s\) three_makes"):
        compute(tables, {})


def test_games_outside_the_windows_change_nothing() -> None:
    tables = shot_zone_tables([shooter(games(10))])
    others = [
        zone_game(season_year=season, player_id=player, game_number=number, game_date=DAY)
        for season, player, number in [(2021, 1, 11), (2020, 1, 10), (2021, 2, 10)]
    ]
    more = pa.concat_tables([table(others, GAME_COLUMNS), tables["games"]])
    result = compute(tables | {"games": more}, {})
    assert only_row(result) == only_row(compute(tables, {}))
    tables["players"] = tables["players"].set_column(1, "player_id", pa.array([2], pa.int64()))
    failure = only_failure(compute(tables, {}))
    assert failure["failure_reason"] == "ValueError: 0 game rows, 10 expected"


small = st.integers(0, 4)
zone_games = st.builds(
    zone_game,
    has_complete_shot_zones=st.sampled_from([True] * 15 + [False]),
    is_known_gap=st.booleans(),
    **dict.fromkeys(("paint_makes", "mid_range_makes", "three_makes"), small),
    **{
        name: st.integers(4, 9) | st.sampled_from([4, 4, 4, None])
        for name in ("paint_attempts", "mid_range_attempts", "three_attempts")
    },
    assisted_fg_makes=small | st.sampled_from([0, None]),
    unassisted_fg_makes=small,
)


@st.composite
def shooters(draw: st.DrawFn) -> list[Row]:
    players = []
    for player_id in draw(st.sets(st.integers(0, 3), max_size=3)):
        variety = draw(st.lists(zone_games, min_size=1, max_size=4))
        season = [variety[draw(st.integers(0, len(variety) - 1))] for _ in range(26)]
        if draw(st.integers(0, 9)) == 0:
            season[draw(st.integers(0, 25))] = zone_game(paint_makes=7)
        days = draw(st.sets(st.integers(0, 2), max_size=3))
        counts = {DAY + dt.timedelta(days=day): draw(st.integers(1, 26)) for day in sorted(days)}
        players += on_dates(shooter, season, player_id, counts)
    return players


@given(shooters())
def test_a_chunk_has_the_values_of_plain_python(players: list[Row]) -> None:
    result = computed(*players)
    rows = {(r["analysis_date"], r["player_id"]): r for r in result.rows.to_pylist()}
    failed = {(f["analysis_date"], f["player_id"]): f for f in result.failures.to_pylist()}
    assert len(rows) + len(failed) == len(players)
    for player in players:
        key = (player["analysis_date"], player["player_id"])
        outcome, expected = slow_reference.shot_zones(player)
        if outcome == "ROW":
            assert {name: rows[key][name] for name in expected} == expected
        else:
            assert failed[key]["failure_category"] == outcome
            dates = json.loads(failed[key]["missing_game_dates"])
            assert dates == [str(date) for date in expected["missing"]]


@settings(max_examples=40)
@given(shooters(), st.integers(0, 9))
def test_neither_order_nor_chunking_nor_column_types_change_a_byte(
    players: list[Row], seed: int
) -> None:
    assert_arrangement_changes_nothing(compute, shot_zone_tables(players), seed)
