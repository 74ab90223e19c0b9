from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python_workers.columnar.columns import InputTableError
from python_workers.processors import composite_factors, daily_cache, shot_zones
from python_workers.processors.failures import CATEGORIES, FAILURE_SCHEMA, ChunkResult
from python_workers.processors.isolation import (
    compute_isolated,
    entity_count,
    entity_tables,
    failed_chunk,
    halves,
)
from tests.python.support.factories import (
    DAY,
    Compute,
    as_bytes,
    box_score,
    composite_tables,
    daily_cache_tables,
    matchup,
    on_dates,
    regular,
    shooter,
    shot_zone_tables,
    zone_game,
    zones_of_a_player,
)

Key = tuple[int, int]  # days after DAY, player id


def raising_for(keys: set[Key], compute: Compute = shot_zones.compute) -> Compute:
    """Return the computation, made to raise if a chunk holds one of these players."""
    poisoned = {(DAY + dt.timedelta(days=days), player) for days, player in keys}

    def poisonous(tables: Mapping[str, pa.Table], params: Mapping[str, object]) -> ChunkResult:
        players = tables["players"].select(["analysis_date", "player_id"]).to_pylist()
        present = {(row["analysis_date"], row["player_id"]) for row in players}
        for day, player in sorted(present & poisoned):
            raise ZeroDivisionError(f"no such thing for {player} on {day}")
        return compute(tables, params)

    return poisonous


def shooters(keys: set[Key]) -> dict[str, pa.Table]:
    """Return players of whom number `n` has one more game on each further day, `8 + n` on DAY."""
    return shot_zone_tables(
        row
        for days, player in keys
        for row in on_dates(
            shooter,
            [zone_game(paint_attempts=4 + player + number % 5) for number in range(35)],
            player,
            {DAY + dt.timedelta(days=days): 8 + player % 20 + days},
        )
    )


some_keys = st.sets(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=12)


@settings(max_examples=50)
@given(some_keys, some_keys)
def test_a_player_who_raises_fails_and_all_others_keep_their_rows(
    good: set[Key], bad: set[Key]
) -> None:
    good -= bad
    result = compute_isolated(raising_for(bad), shooters(good | bad), {})
    without = shot_zones.compute(shooters(good), {})
    assert as_bytes(result.rows) == as_bytes(without.rows)
    failures = result.failures.to_pylist()
    errors = [row for row in failures if row["failure_category"] == "PROCESSING_ERROR"]
    assert [row for row in failures if row not in errors] == without.failures.to_pylist()
    assert [(row["analysis_date"], row["player_id"]) for row in errors] == [
        (DAY + dt.timedelta(days=days), player) for days, player in sorted(bad)
    ]
    order = [(row["analysis_date"], row["player_id"]) for row in failures]
    assert order == sorted(order)


def test_the_failure_carries_type_and_message_of_the_exception() -> None:
    result = compute_isolated(raising_for({(0, 3)}), shooters({(0, 2), (0, 3), (1, 3)}), {})
    assert result.failures.schema == FAILURE_SCHEMA
    (failure,) = result.failures.to_pylist()
    assert failure == {
        "analysis_date": DAY,
        "entity_id": "player3",
        "player_id": 3,
        "failure_category": "PROCESSING_ERROR",
        "failure_reason": "ZeroDivisionError: no such thing for 3 on 2022-01-15",
        "can_retry": False,
        "is_expected": False,
        "expected_game_count": None,
        "actual_game_count": 11,
        "missing_game_dates": "[]",
    }


def test_a_computation_that_never_raises_is_not_repeated() -> None:
    calls = 0

    def counted(tables: Mapping[str, pa.Table], params: Mapping[str, object]) -> ChunkResult:
        nonlocal calls
        calls += 1
        return shot_zones.compute(tables, params)

    compute_isolated(counted, shooters({(0, 2), (0, 3)}), {})
    assert calls == 1


def test_one_in_a_hundred_is_found_in_a_few_steps() -> None:
    calls = 0
    poisonous = raising_for({(3, 17)})

    def counted(tables: Mapping[str, pa.Table], params: Mapping[str, object]) -> ChunkResult:
        nonlocal calls
        calls += 1
        return poisonous(tables, params)

    everybody = {(days, player) for days in range(4) for player in range(25)}
    assert compute_isolated(counted, shooters(everybody), {}).failures.num_rows >= 1
    assert calls <= 2 + 2 * 7


def test_an_error_that_no_player_causes_is_raised() -> None:
    def broken(_tables: Mapping[str, pa.Table], _params: Mapping[str, object]) -> ChunkResult:
        raise RuntimeError("out of order")

    with pytest.raises(RuntimeError, match="out of order"):
        compute_isolated(broken, shooters({(0, 2), (0, 3)}), {})
    tables = shooters({(0, 2), (0, 3)})
    tables["games"] = tables["games"].drop_columns("game_date")
    with pytest.raises(InputTableError, match="game_date"):
        compute_isolated(shot_zones.compute, tables, {})


def test_a_player_listed_twice_fails_once() -> None:
    tables = shooters({(0, 2), (0, 3)})
    tables["players"] = pa.concat_tables([tables["players"], tables["players"].slice(0, 1)])
    result = compute_isolated(shot_zones.compute, tables, {})
    assert result.rows.num_rows == 1
    (failure,) = result.failures.to_pylist()
    assert failure["failure_reason"].endswith("on 2022-01-15 has more than one row")


def test_a_player_id_that_no_key_can_hold_fails_alone() -> None:
    players = [regular([box_score()] * 6, player) for player in (1, -1, 2**50)]
    result = compute_isolated(daily_cache.compute, daily_cache_tables(players), {})
    assert result.rows.column("player_id").to_pylist() == [1]
    assert result.failures.column("player_id").to_pylist() == [-1, 2**50]
    assert result.failures.column("failure_reason").to_pylist()[0] == (
        "ValueError: player_id is -1, outside 0 to 274877906943"
    )


def test_an_upstream_value_that_is_no_number_fails_its_player_alone() -> None:
    nan = zones_of_a_player(paint_rate_last_10=float("nan"))
    players = [matchup(1), matchup(2, shot_zones=nan), matchup(3)]
    result = compute_isolated(composite_factors.compute, composite_tables(players), {})
    assert result.rows.column("player_id").to_pylist() == [1, 3]
    (reason,) = result.failures.column("failure_reason").to_pylist()
    assert reason == "OverflowError: paint_rate_last_10 is nan, which has no exact decimal form"


@given(some_keys)
def test_halves_hold_each_player_once_with_his_games(keys: set[Key]) -> None:
    tables = shooters(keys)
    assert entity_count(tables) == len(keys)
    parts = halves(tables)
    assert len(parts) == min(max(len(keys), 1), 2)
    sizes = [entity_count(part) for part in parts]
    assert sum(sizes) == len(keys)
    assert max(sizes) - min(sizes) <= 1
    for part in parts:
        assert part["games"].num_rows <= tables["games"].num_rows
        assert shot_zones.compute(part, {}).failures.num_rows + shot_zones.compute(
            part, {}
        ).rows.num_rows == entity_count(part)


def test_a_part_has_the_games_in_its_windows_and_no_other() -> None:
    tomorrow = DAY + dt.timedelta(days=1)
    counts = {DAY: 30, tomorrow: 31}
    tables = shot_zone_tables(on_dates(shooter, [zone_game()] * 31, 1, counts))
    numbers = [
        sorted(part["games"].column("game_number").to_pylist())
        for part in (*halves(tables, 20), entity_tables(tables, tomorrow, 1, 20))
    ]
    assert numbers == [list(range(11, 31)), list(range(12, 32)), list(range(12, 32))]


def test_both_halves_keep_the_team_rows_of_their_dates() -> None:
    tomorrow = DAY + dt.timedelta(days=1)
    tables = composite_tables([matchup(1), matchup(2), matchup(1, tomorrow), matchup(2, tomorrow)])
    dates = [part["tdza"].column("analysis_date").to_pylist() for part in halves(tables)]
    assert dates == [[DAY], [tomorrow]]
    tables = composite_tables([matchup(1), matchup(2)])
    assert [part["tdza"].num_rows for part in halves(tables)] == [1, 1]


def test_a_chunk_that_kills_its_worker_can_be_recorded_as_failed() -> None:
    tables = shooters({(1, 3), (0, 4)})
    result = failed_chunk(shot_zones.compute, tables, {}, "WorkerDied: out of memory")
    assert result.rows.schema == shot_zones.compute(tables, {}).rows.schema
    assert result.rows.num_rows == 0
    assert result.failures.column("player_id").to_pylist() == [4, 3]
    assert set(result.failures.column("failure_reason").to_pylist()) == {
        "WorkerDied: out of memory"
    }


def test_categories_say_what_is_expected_and_what_can_be_retried() -> None:
    flags = {name: (c.is_expected, c.can_retry) for name, c in CATEGORIES.items()}
    assert flags == {
        "EXPECTED_INCOMPLETE": (True, False),
        "STALE_DATA": (True, False),
        "KNOWN_SOURCE_GAP": (True, False),
        "CIRCUIT_BREAKER_ACTIVE": (True, False),
        "INCOMPLETE_UPSTREAM": (False, True),
        "PROCESSING_ERROR": (False, False),
    }
