"""Player daily cache (PDC): a player's form and load on the morning of a date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa

from python_workers.columnar.columns import (
    Integers,
    both_valid,
    days,
    integers,
    iso_date,
    minutes_array,
    nullable,
    one_array,
    ratio_array,
    require_columns,
    values_at,
    zero_where_unknown,
)
from python_workers.columnar.rounding import BoolArray, IntArray, round_sqrt_ratio
from python_workers.columnar.segments import Tables, entity_keys, rows_of, sorted_entities
from python_workers.columnar.windows import GameWindows, game_windows
from python_workers.columnar.workings import note
from python_workers.processors.base import Games, PoolWork, Population, Processor
from python_workers.processors.completeness import (
    WINDOWS,
    complete_formula,
    day_window_reasons,
    day_windows_complete,
    pct_formula,
    window_completeness,
)
from python_workers.processors.failures import (
    EXPECTED_INCOMPLETE,
    INCOMPLETE_UPSTREAM,
    PROCESSING_ERROR,
    STALE_DATA,
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
    flag,
    text,
    whole,
)

CALCULATION_VERSION = "v2"
CACHE_VERSION = "v1"

ABSOLUTE_MIN_GAMES = 5
EARLY_SEASON_GAMES = 10
SHORT_WINDOW = 5
LONG_WINDOW = 10
WEEK_DAYS = 7
STALE_AFTER_DAYS = 30

MEAN_DECIMALS = 4
ASSISTED_RATE_DECIMALS = 9

# Above every possible box score: points and makes in a game (records: 100 and 36), seconds played
# (record: 69 minutes). Usage is bounded to 100 %; true shooting is not.
MAX_POINTS = 200
MAX_MAKES = 200
MAX_SECONDS = 100 * 60
MAX_USAGE_E4 = 100_0000
MAX_RATE_E4 = 10**9
MAX_SEASON_GAMES = 200

GAME_RANGES = {
    "points": MAX_POINTS,
    "seconds_played": MAX_SECONDS,
    "usage_e4": MAX_USAGE_E4,
    "ts_e4": MAX_RATE_E4,
    "assisted_fg_makes": MAX_MAKES,
    "unassisted_fg_makes": MAX_MAKES,
}
"""Greatest value of each column of a game; the least is 0."""

PLAYER_RANGES: dict[str, tuple[int, int]] = {
    "games_played_season": (0, MAX_SEASON_GAMES),
    "known_games_season": (0, MAX_SEASON_GAMES),
    "points_sum_season": (0, MAX_SEASON_GAMES * MAX_POINTS),
    "usage_e4_sum_season": (0, MAX_SEASON_GAMES * MAX_USAGE_E4),
    "usage_games_season": (0, MAX_SEASON_GAMES),
    "player_age": (10, 80),
    "team_pace_games_last_10": (0, 10),
    "team_pace_e4_sum_last_10": (0, 10 * MAX_RATE_E4),
    "team_rating_games_last_10": (0, 10),
    "team_off_rating_e4_sum_last_10": (0, 10 * MAX_RATE_E4),
    "games_in_last_7_days": (0, 7),
    "games_in_last_14_days": (0, 14),
    "actual_games_in_last_7_days": (0, 7),
    "actual_games_in_last_14_days": (0, 14),
    "known_games_in_last_7_days": (0, 7),
    "known_games_in_last_14_days": (0, 14),
    "seconds_in_last_7_days": (0, 7 * MAX_SECONDS),
    "seconds_in_last_14_days": (0, 14 * MAX_SECONDS),
    "back_to_backs_last_14_days": (0, 13),
}
"""Least and greatest value of a player's column."""

PLAYER_COLUMNS = (
    "analysis_date",
    "player_id",
    "player_lookup",
    "universal_player_id",
    "team_abbr",
    "season_year",
    "population_source",
    "is_bootstrap",
    "is_season_boundary",
    "actual_game_count",
    "last_played_date",
    *PLAYER_RANGES,
)
"""Columns read from ``players``, one row per (analysis_date, player_id)."""

GAME_COLUMNS = (
    "season_year",
    "player_id",
    "game_number",
    "game_date",
    "has_box_score",
    "is_known_gap",
    *GAME_RANGES,
)
"""Columns read from ``games``, one row per (season_year, player_id, game_number)."""

PSZA_COLUMNS = (
    "analysis_date",
    "player_id",
    "primary_scoring_zone",
    "paint_rate_last_10",
    "three_pt_rate_last_10",
)
"""Columns read from ``psza``, the shot zones of the same dates."""


def _mean(total: str, count: str, unit: int = 1) -> str:
    """Return the formula of a mean of values in parts of a unit."""
    divisor = count if unit == 1 else f"({unit} * {count})"
    return f"round({total} / {divisor}, {MEAN_DECIMALS})"


OUTPUT = OutputTable(
    CALCULATION_VERSION,
    (
        date_column("analysis_date"),
        date_column("cache_date", formula="analysis_date"),
        whole("player_id"),
        text("player_lookup"),
        text("universal_player_id"),
        text("team_abbr"),
        whole("season_year"),
        text("population_source", is_hashed=False),
        text("primary_scoring_zone", formula="psza.primary_scoring_zone"),
        text("cache_version", is_hashed=False, formula=repr(CACHE_VERSION)),
        decimal(
            "points_avg_last_5",
            0,
            MAX_POINTS,
            formula=_mean("points_sum_last_5", "points_games_last_5"),
        ),
        decimal(
            "points_avg_last_10",
            0,
            MAX_POINTS,
            formula=_mean("points_sum_last_10", "points_games_last_10"),
        ),
        decimal(
            "points_avg_season",
            0,
            MAX_POINTS,
            formula=_mean("points_sum_season", "known_games_season"),
        ),
        decimal(
            "points_std_last_10",
            0,
            MAX_POINTS,
            formula=(
                "round(sqrt((points_games_last_10 * points_squares_last_10 "
                "- points_sum_last_10 * points_sum_last_10) "
                f"/ (points_games_last_10 * (points_games_last_10 - 1))), {MEAN_DECIMALS})"
            ),
        ),
        decimal(
            "minutes_avg_last_10",
            0,
            MAX_SECONDS / 60,
            formula=_mean("seconds_played_sum_last_10", "seconds_played_games_last_10", 60),
        ),
        decimal(
            "usage_rate_last_10",
            formula=_mean("usage_e4_sum_last_10", "usage_e4_games_last_10", 10000),
        ),
        decimal(
            "ts_pct_last_10",
            formula=_mean("ts_e4_sum_last_10", "ts_e4_games_last_10", 10000),
        ),
        decimal(
            "player_usage_rate_season",
            formula=_mean("usage_e4_sum_season", "usage_games_season", 10000),
        ),
        whole("games_played_season"),
        decimal(
            "assisted_rate_last_10",
            0,
            1,
            formula=(
                "round(assisted_makes_last_10 / (assisted_makes_last_10 + "
                f"unassisted_makes_last_10), {ASSISTED_RATE_DECIMALS})"
            ),
        ),
        decimal(
            "team_pace_last_10",
            formula=_mean("team_pace_e4_sum_last_10", "team_pace_games_last_10", 10000),
        ),
        decimal(
            "team_off_rating_last_10",
            formula=_mean("team_off_rating_e4_sum_last_10", "team_rating_games_last_10", 10000),
        ),
        whole("games_in_last_7_days"),
        whole("games_in_last_14_days"),
        decimal("minutes_in_last_7_days", formula="round(seconds_in_last_7_days / 60, 2)"),
        decimal("minutes_in_last_14_days", formula="round(seconds_in_last_14_days / 60, 2)"),
        whole("back_to_backs_last_14_days"),
        decimal(
            "avg_minutes_per_game_last_7",
            0,
            MAX_SECONDS / 60,
            formula=_mean("week_seconds", "week_games", 60),
        ),
        decimal("fourth_quarter_minutes_last_7", formula="None"),
        whole("player_age"),
        decimal("paint_rate_last_10", 0, 100, formula="psza.paint_rate_last_10"),
        decimal("three_pt_rate_last_10", 0, 100, formula="psza.three_pt_rate_last_10"),
        decimal("cache_quality_score", 0, 100, is_hashed=False, formula="l5_completeness_pct"),
        *(
            decimal(f"{window}_completeness_pct", 0, 100, is_hashed=False, formula=formula)
            for window, formula in zip(WINDOWS, map(pct_formula, WINDOWS), strict=True)
        ),
        *(
            flag(f"{window}_is_complete", is_hashed=False, formula=formula)
            for window, formula in zip(WINDOWS, map(complete_formula, WINDOWS), strict=True)
        ),
        flag(
            "all_windows_complete",
            is_hashed=False,
            formula=" and ".join(f"{window}_is_complete" for window in WINDOWS),
        ),
        flag(
            "shot_zone_data_available",
            is_hashed=False,
            formula="psza.player_id is not None",
        ),
        flag("early_season_flag", formula=f"actual_game_count < {EARLY_SEASON_GAMES}"),
        flag("is_bootstrap", is_hashed=False),
        flag("is_season_boundary", is_hashed=False),
    ),
)
"""The rows written to ``player_daily_cache``."""


def compute(tables: Tables, params: Mapping[str, object]) -> ChunkResult:
    """Compute the daily cache of every player and date of a chunk.

    Parameters
    ----------
    tables
        ``players``, ``games`` and ``psza`` with `PLAYER_COLUMNS`, `GAME_COLUMNS` and
        `PSZA_COLUMNS`, rows in any order.
    params
        ``waived_dates``: dates on which missing box scores do not fail a player who has
        `ABSOLUTE_MIN_GAMES` others among his last ten. ``checked_dates``: dates on which the
        windows of days must be complete, too.

    Returns
    -------
    ChunkResult
        A row or a failure for each row of ``players``.
    """
    require_columns(tables["players"], "players", PLAYER_COLUMNS)
    require_columns(tables["games"], "games", GAME_COLUMNS)
    require_columns(tables["psza"], "psza", PSZA_COLUMNS)
    players, keys = sorted_entities(tables["players"], entity_keys(tables["players"]))
    games = game_windows(tables["games"], players, LONG_WINDOW)
    available = games.flags("has_box_score")

    rejected = Rejections(len(keys))
    actual = integers(players, "actual_game_count")
    dates, last_played = days(players, "analysis_date").values, days(players, "last_played_date")
    reject_wrong_games(rejected, games, actual, dates, LONG_WINDOW)
    too_few = ~rejected.mask & (actual.values < ABSOLUTE_MIN_GAMES)
    stale = ~rejected.mask & ~too_few & _is_stale(last_played, dates)
    available_10 = games.tallies(available, LONG_WINDOW)[0][games.of_entity]
    all_10 = games.counts[games.of_entity]
    used = None if available.all() else available
    form = {name: _known(games, name, used, rejected) for name in GAME_RANGES}
    load = _player_columns(players, rejected)
    waived = _on_dates(dates, params, "waived_dates") & (available_10 >= ABSOLUTE_MIN_GAMES)
    gaps = (available_10 < all_10) | (
        _on_dates(dates, params, "checked_dates") & ~day_windows_complete(load)
    )
    lacking = ~(rejected.mask | too_few | stale | waived) & gaps
    failed = rejected.mask & ~(too_few | stale | lacking)
    computed = ~(failed | too_few | stale | lacking)

    kept = games.restricted(computed)
    kept_load = {name: column.take(computed) for name, column in load.items()}
    columns = {
        "cache_date": one_array(players, "analysis_date").filter(pa.array(computed)),
        "cache_version": pa.repeat(CACHE_VERSION, int(computed.sum())),
        "avg_minutes_per_game_last_7": _minutes_of_the_week(
            kept, form["seconds_played"], dates[computed]
        ),
        **_load_columns(kept_load),
        **window_completeness(kept, available, kept_load),
        **_shot_zone_columns(keys[computed], tables["psza"]),
        "early_season_flag": pa.array(actual.values[computed] < EARLY_SEASON_GAMES),
    }
    by_window = ByWindow(_form_columns(kept, form), kept.of_entity)
    rows, out_of_range = OUTPUT.rows(players, computed, columns, by_window)
    at_too_few, at_stale, at_lacking, at_failed = map(
        np.flatnonzero, (too_few, stale, lacking, failed)
    )
    whole_form = available_10[at_lacking] == all_10[at_lacking]
    failures = [
        Failed(
            at_too_few,
            EXPECTED_INCOMPLETE,
            too_few_reasons(actual.values[at_too_few], ABSOLUTE_MIN_GAMES),
        ),
        Failed(at_stale, STALE_DATA, _stale_reasons(last_played, at_stale)),
        *missing_games(games, available, at_lacking[~whole_form], LONG_WINDOW, "a box score"),
        Failed(
            at_lacking[whole_form],
            INCOMPLETE_UPSTREAM,
            day_window_reasons(load, at_lacking[whole_form]),
        ),
        Failed(at_failed, PROCESSING_ERROR, rejected.reasons(at_failed)),
        out_of_range,
    ]
    return ChunkResult(rows, failure_rows(players, failures, ABSOLUTE_MIN_GAMES))


def _is_stale(last_played: Integers, dates: IntArray) -> BoolArray:
    return ~last_played.known() | (last_played.values < dates - STALE_AFTER_DAYS)


def _stale_reasons(last_played: Integers, at: IntArray) -> list[str]:
    known = last_played.known()
    return [
        f"no game played in the last {STALE_AFTER_DAYS} days"
        + (f", the last one on {iso_date(last_played.values[i])}" if known[i] else "")
        for i in at.tolist()
    ]


def _on_dates(dates: IntArray, params: Mapping[str, object], name: str) -> BoolArray:
    named = params.get(name) or ()
    if not isinstance(named, Collection) or not all(isinstance(day, dt.date) for day in named):
        raise TypeError(f"{name} is {named!r}, not a collection of dates")
    numbers = np.array([np.datetime64(day, "D") for day in named], "datetime64[D]")
    return np.isin(dates, numbers.astype(np.int64))


def _known(games: GameWindows, name: str, used: BoolArray | None, rejected: Rejections) -> Integers:
    """Read a game column; 0 if the value is missing or the game is unavailable."""
    column = games.integers(name)
    reject_values(rejected, games, name, column, used=used, high=GAME_RANGES[name])
    known = both_valid(column.valid, used)
    return column if known is None else Integers(zero_where_unknown(column.values, known), known)


def _player_columns(players: pa.Table, rejected: Rejections) -> dict[str, Integers]:
    columns = {}
    for name, (low, high) in PLAYER_RANGES.items():
        columns[name] = integers(players, name)
        rejected.require_range(name, columns[name], low, high)
    return columns


def _form_columns(games: GameWindows, form: Mapping[str, Integers]) -> dict[str, pa.Array]:
    """Return the means over the last 5 and 10 games, one value per window.

    The means skip games without the value.
    """

    def mean(name: str, window: int, unit: int) -> pa.Array:
        (total,) = games.sums(form[name].values, window)
        (count,) = games.tallies(form[name].valid, window)
        note(**{f"{name}_sum_last_{window}": total, f"{name}_games_last_{window}": count})
        return ratio_array(total, count * unit, MEAN_DECIMALS)

    points = form["points"].values
    (total,) = games.sums(points, LONG_WINDOW)
    (squares,) = games.sums(points * points, LONG_WINDOW)
    (count,) = games.tallies(form["points"].valid, LONG_WINDOW)
    spread = count * squares - total * total
    several = count > 1
    deviation = round_sqrt_ratio(spread, count * (count - 1), MEAN_DECIMALS, several)
    # Count a game only if both its assisted and its unassisted makes are known.
    known = both_valid(form["assisted_fg_makes"].valid, form["unassisted_fg_makes"].valid)
    made = [form[f"{kind}_fg_makes"].values for kind in ("assisted", "unassisted")]
    if known is not None:
        made = [zero_where_unknown(makes, known) for makes in made]
    assisted, unassisted = (games.sums(makes, LONG_WINDOW)[0] for makes in made)
    note(
        points_squares_last_10=squares,
        assisted_makes_last_10=assisted,
        unassisted_makes_last_10=unassisted,
    )
    return {
        "points_avg_last_5": mean("points", SHORT_WINDOW, 1),
        "points_avg_last_10": mean("points", LONG_WINDOW, 1),
        "points_std_last_10": nullable(deviation, several),
        "minutes_avg_last_10": mean("seconds_played", LONG_WINDOW, 60),
        "usage_rate_last_10": mean("usage_e4", LONG_WINDOW, 10_000),
        "ts_pct_last_10": mean("ts_e4", LONG_WINDOW, 10_000),
        "assisted_rate_last_10": ratio_array(
            assisted, assisted + unassisted, ASSISTED_RATE_DECIMALS
        ),
    }


def _minutes_of_the_week(games: GameWindows, seconds: Integers, dates: IntArray) -> pa.Array:
    """Return the mean minutes of the games in the 7 days before each player's date.

    A week has no more games than the long window.
    """
    known = seconds.known()
    total, count = np.zeros((2, len(dates)), dtype=np.int64)
    ends, counts = games.ends[games.of_entity], games.counts[games.of_entity]
    for back in range(1, LONG_WINDOW + 1):
        at = np.flatnonzero(counts >= back)
        game = ends[at] - back
        in_week = known[game] & (games.dates[game] >= dates[at] - WEEK_DAYS)
        total[at] += np.where(in_week, seconds.values[game], 0)
        count[at] += in_week
    note(week_seconds=total, week_games=count)
    return ratio_array(total, count * 60, MEAN_DECIMALS)


def _load_columns(load: Mapping[str, Integers]) -> dict[str, pa.Array]:
    """Return season means, the team's last 10 games, and the load of the last days."""

    def mean(total: str, count: str, unit: int) -> pa.Array:
        known = both_valid(load[total].valid, load[count].valid)
        return ratio_array(
            load[total].values, load[count].values * unit, MEAN_DECIMALS, where=known
        )

    return {
        "points_avg_season": mean("points_sum_season", "known_games_season", 1),
        "player_usage_rate_season": mean("usage_e4_sum_season", "usage_games_season", 10_000),
        "team_pace_last_10": mean("team_pace_e4_sum_last_10", "team_pace_games_last_10", 10_000),
        "team_off_rating_last_10": mean(
            "team_off_rating_e4_sum_last_10", "team_rating_games_last_10", 10_000
        ),
        "minutes_in_last_7_days": minutes_array(load["seconds_in_last_7_days"]),
        "minutes_in_last_14_days": minutes_array(load["seconds_in_last_14_days"]),
        # No source has minutes by quarter yet.
        "fourth_quarter_minutes_last_7": pa.nulls(len(load["player_age"].values), pa.float64()),
    }


def _shot_zone_columns(keys: IntArray, psza: pa.Table) -> dict[str, pa.Array]:
    rows = rows_of(keys, psza)
    names = ("primary_scoring_zone", "paint_rate_last_10", "three_pt_rate_last_10")
    return {
        "shot_zone_data_available": pa.array(rows.known()),
        **{name: values_at(psza, name, rows) for name in names},
    }


DAILY_CACHE = Processor(
    number=4,
    key="pdc",
    name="PlayerDailyCacheProcessor",
    title="Daily cache",
    calculation_version=CALCULATION_VERSION,
    model="player_daily_cache",
    inputs_model="player_daily_cache_inputs",
    entity="player_id",
    population=Population.LISTED_PLAYERS,
    work=PoolWork(
        compute,
        OUTPUT,
        PLAYER_COLUMNS,
        Games(GAME_COLUMNS, LONG_WINDOW),
        upstream_columns={"psza": PSZA_COLUMNS},
        checks_completeness=True,
    ),
)
