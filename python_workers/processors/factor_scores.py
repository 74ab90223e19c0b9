"""The four factors of a composite adjustment, with the numbers behind each score.

Every score is exact at seven decimals, so all are integers in units of 1e-7 until the one rounding
at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from python_workers.columnar.columns import (
    Integers,
    both_valid,
    decimal_array,
    labels_of,
    minutes_array,
)
from python_workers.columnar.rounding import (
    BoolArray,
    IntArray,
    round_half_even,
    round_half_even_wide,
)
from python_workers.columnar.workings import Quotients, note

UNIT_DECIMALS = 7
UNIT = 10**UNIT_DECIMALS
SCORE_DECIMALS = 1

# Fatigue: the score starts at 100 and gets points for everything that tires or rests a player.
FATIGUE_START, FATIGUE_MIN, FATIGUE_MAX = 100, 0, 100
BACK_TO_BACK_POINTS = -15
RESTED_DAYS, RESTED_POINTS = 3, 5
BUSY_WEEK_GAMES, BUSY_WEEK_POINTS = 4, -10
HEAVY_WEEK_SECONDS, HEAVY_WEEK_POINTS = 240 * 60, -10
LONG_GAMES_SECONDS, LONG_GAMES_POINTS = 35 * 60, -8
ONE_BACK_TO_BACK_POINTS, SEVERAL_BACK_TO_BACKS_POINTS = -5, -12
AGE_OLD, AGE_OLD_POINTS = 35, -10
AGE_MATURE, AGE_MATURE_POINTS = 30, -5
# Points of fatigue that lower the total adjustment by one.
FATIGUE_PER_ADJUSTMENT = 20

# Mismatch: full weight from half of a player's attempts on; large mismatches are amplified.
FULL_WEIGHT_RATE_E2 = 50_00
AMPLIFIED_BEYOND, MISMATCH_AMPLIFIER_PCT = 5, 120
MISMATCH_MAX = 10

PACE_PER_POINT = 2
PACE_MAX = 3
PACE_DECIMALS = 2

# Usage: points per percentage point; a rise is amplified when star teammates are out.
USAGE_POINTS_PCT = 30
STARS_OUT_AMPLIFIER_PCT = (100, 115, 130)
USAGE_MAX = 3
PROJECTED_USAGE_MAX_E4 = 45_0000
USAGE_DECIMALS = 4
# Usage times minutes of a whole team: five players on the floor for 48 minutes, 20 % each.
TEAM_LOAD_PCT_MINUTES = 240 * 20
# Bounds of its ratio to the load expected on the floor, as (numerator, denominator).
LOAD_RATIO_MIN, LOAD_RATIO_MAX = (7, 10), (3, 2)
LOAD_RATIO_DECIMALS, LOAD_DECIMALS = 4, 2
# Share of the missing load that a player takes over: a least-squares fit of a game's usage on
# recent usage and load ratio, on season 2022-23, tested on 2023-24 (docs/decisions/0006).
TAKE_OVER_NUM, TAKE_OVER_DEN = 3, 10
# 420 is the least common multiple of 1 to 7: a player's load, the product of two means over up to
# seven games, is a whole number of these units (see the macro mean_of_7).
LOAD_UNITS_PER_PCT_MINUTE = 420 * 420 * 10**USAGE_DECIMALS * 60

PERCENT_PER_E4 = 10**USAGE_DECIMALS

_POINTS = (
    "rest_points + games_points + minutes_points + minutes_per_game_points "
    "+ back_to_backs_points + age_points"
)
_RECENT = f"usage_e4_sum_last_7 / ({PERCENT_PER_E4} * usage_games_last_7)"

STEPS: dict[str, str] = {
    "rest_points": (
        f"{BACK_TO_BACK_POINTS} if is_back_to_back "
        f"else {RESTED_POINTS} if days_rest >= {RESTED_DAYS} else 0"
    ),
    "games_points": f"{BUSY_WEEK_POINTS} if games_in_last_7_days >= {BUSY_WEEK_GAMES} else 0",
    "minutes_points": (
        f"{HEAVY_WEEK_POINTS} if seconds_in_last_7_days > {HEAVY_WEEK_SECONDS} else 0"
    ),
    "minutes_per_game_points": (
        f"{LONG_GAMES_POINTS} if games_in_last_7_days > 0 "
        f"and seconds_in_last_7_days > {LONG_GAMES_SECONDS} * games_in_last_7_days else 0"
    ),
    "back_to_backs_points": (
        f"{SEVERAL_BACK_TO_BACKS_POINTS} if back_to_backs_last_14_days >= 2 "
        f"else {ONE_BACK_TO_BACK_POINTS} if back_to_backs_last_14_days == 1 else 0"
    ),
    "age_points": (
        f"{AGE_OLD_POINTS} if player_age >= {AGE_OLD} "
        f"else {AGE_MATURE_POINTS} if player_age >= {AGE_MATURE} else 0"
    ),
    "fatigue_adjustment": f"(fatigue_score - {FATIGUE_MAX}) / {FATIGUE_PER_ADJUSTMENT}",
    "zone_weight": f"min(zone_rate, {FULL_WEIGHT_RATE_E2 // 100}) / {FULL_WEIGHT_RATE_E2 // 100}",
    "plain_mismatch": (
        "0 if defense_vs_league_avg is None or zone_rate is None "
        "else defense_vs_league_avg * zone_weight"
    ),
    "mismatch_amplifier": (
        f"{MISMATCH_AMPLIFIER_PCT} / 100 if abs(plain_mismatch) > {AMPLIFIED_BEYOND} else 1"
    ),
    "mismatch_adjustment": (
        f"max(min(plain_mismatch * mismatch_amplifier, {MISMATCH_MAX}), -{MISMATCH_MAX})"
    ),
    "pace_adjustment": (
        "0 if pace_differential is None "
        f"else max(min(pace_differential / {PACE_PER_POINT}, {PACE_MAX}), -{PACE_MAX})"
    ),
    "load_per_game": (
        f"team_usage_load / (team_games_last_10 * {LOAD_UNITS_PER_PCT_MINUTE}) "
        "if team_games_last_10 > 0 else None"
    ),
    "load_ratio": (
        "None if load_per_game is None "
        f"else {LOAD_RATIO_MAX[0]} / {LOAD_RATIO_MAX[1]} if load_per_game == 0 "
        f"else max(min({TEAM_LOAD_PCT_MINUTES} / load_per_game, "
        f"{LOAD_RATIO_MAX[0]} / {LOAD_RATIO_MAX[1]}), {LOAD_RATIO_MIN[0]} / {LOAD_RATIO_MIN[1]})"
    ),
    "usage_rise": (
        "0 if projected_usage_rate is None else projected_usage_rate - recent_usage_rate"
    ),
    "usage_amplifier": (
        f"{STARS_OUT_AMPLIFIER_PCT[0]} / 100 if usage_rise <= 0 or not star_teammates_out "
        f"else {STARS_OUT_AMPLIFIER_PCT[1]} / 100 if star_teammates_out == 1 "
        f"else {STARS_OUT_AMPLIFIER_PCT[2]} / 100"
    ),
    "usage_adjustment": (
        f"max(min(usage_rise * usage_amplifier * {USAGE_POINTS_PCT} / 100, {USAGE_MAX}), "
        f"-{USAGE_MAX})"
    ),
}
"""Formulas of the numbers behind the scores, each of which the functions below note."""

FORMULAS: dict[str, str] = {
    "fatigue_score": (f"max(min({FATIGUE_START} + {_POINTS}, {FATIGUE_MAX}), {FATIGUE_MIN})"),
    "shot_zone_mismatch_score": f"round(mismatch_adjustment, {SCORE_DECIMALS})",
    "pace_differential": (
        f"round(team_pace_e4_sum_last_10 / ({PERCENT_PER_E4} * team_pace_games_last_10) "
        f"- opponent_pace_e4_sum_last_10 / ({PERCENT_PER_E4} * opponent_pace_games_last_10), "
        f"{PACE_DECIMALS})"
    ),
    "pace_score": f"round(pace_adjustment, {SCORE_DECIMALS})",
    "recent_usage_rate": f"round({_RECENT}, {USAGE_DECIMALS})",
    "projected_usage_rate": (
        f"min(round({_RECENT} * (1 + {TAKE_OVER_NUM} / {TAKE_OVER_DEN} * (load_ratio - 1)), "
        f"{USAGE_DECIMALS}), {PROJECTED_USAGE_MAX_E4 // PERCENT_PER_E4})"
    ),
    "usage_spike_score": f"round(usage_adjustment, {SCORE_DECIMALS})",
}
"""Formulas of the columns of the factors."""


@dataclass(frozen=True)
class Factor:
    """One factor of every player of a chunk.

    Parameters
    ----------
    adjustment
        The factor's part of the total, in units of 1e-7; 0 if its inputs are missing.
    columns
        Output columns.
    context
        The numbers behind the score, by key of the context JSON.
    """

    adjustment: IntArray
    columns: dict[str, pa.Array]
    context: dict[str, pa.Array]


def score_tenths(adjustment: IntArray) -> IntArray:
    """Return an exact score in tenths, rounded half-even."""
    return round_half_even(adjustment, UNIT // 10**SCORE_DECIMALS, 0)


def fatigue(load: Mapping[str, Integers], is_back_to_back: BoolArray) -> Factor:
    """Score how rested a player is: 0 (tired) to 100 (fresh).

    Parameters
    ----------
    load
        days_rest, games_in_last_7_days, seconds_in_last_7_days, back_to_backs_last_14_days and
        player_age. Unknown minutes count as 0.
    is_back_to_back
        Whether he played the day before.
    """
    rest, age = load["days_rest"], load["player_age"]
    games = load["games_in_last_7_days"].values
    seconds = load["seconds_in_last_7_days"].values
    back_to_backs = load["back_to_backs_last_14_days"].values
    rested = rest.known() & (rest.values >= RESTED_DAYS)
    ages = np.where(age.known(), age.values, 0)
    points = {
        "rest_points": np.select(
            [is_back_to_back, rested], [BACK_TO_BACK_POINTS, RESTED_POINTS], 0
        ),
        "games_points": np.where(games >= BUSY_WEEK_GAMES, BUSY_WEEK_POINTS, 0),
        "minutes_points": np.where(seconds > HEAVY_WEEK_SECONDS, HEAVY_WEEK_POINTS, 0),
        "minutes_per_game_points": np.where(
            seconds > LONG_GAMES_SECONDS * games, np.where(games > 0, LONG_GAMES_POINTS, 0), 0
        ),
        "back_to_backs_points": np.select(
            [back_to_backs >= 2, back_to_backs == 1],
            [SEVERAL_BACK_TO_BACKS_POINTS, ONE_BACK_TO_BACK_POINTS],
            0,
        ),
        "age_points": np.select(
            [ages >= AGE_OLD, ages >= AGE_MATURE], [AGE_OLD_POINTS, AGE_MATURE_POINTS], 0
        ),
    }
    score = np.clip(FATIGUE_START + sum(points.values()), FATIGUE_MIN, FATIGUE_MAX)
    adjustment = (score - FATIGUE_MAX) * (UNIT // FATIGUE_PER_ADJUSTMENT)
    note(**points, fatigue_adjustment=_exact(adjustment))
    return Factor(
        adjustment,
        {"fatigue_score": pa.array(score)},
        {
            "age": age.array(),
            "back_to_backs_last_14_days": load["back_to_backs_last_14_days"].array(),
            "days_rest": rest.array(),
            "games_in_last_7_days": load["games_in_last_7_days"].array(),
            "minutes_in_last_7_days": minutes_array(load["seconds_in_last_7_days"]),
            "score": pa.array(score),
            **{name: pa.array(values) for name, values in points.items()},
        },
    )


def shot_zone_mismatch(zone: IntArray, rate_e2: Integers, defense_e2: Integers) -> Factor:
    """Score how weak the opponent's defence is in the player's primary zone: -10 to 10.

    Parameters
    ----------
    zone
        The player's zone: position in paint, mid_range, perimeter.
    rate_e2
        Share of his attempts there, hundredths of a percent.
    defense_e2
        The opponent's percentage allowed there minus the league's, hundredths of a point.
    """
    known = both_valid(rate_e2.valid, defense_e2.valid)
    weight_e4 = np.minimum(rate_e2.values, FULL_WEIGHT_RATE_E2) * (10_000 // FULL_WEIGHT_RATE_E2)
    plain_score = defense_e2.values * weight_e4 * (UNIT // 10**6)
    amplified = np.abs(plain_score) > AMPLIFIED_BEYOND * UNIT
    amplifier_pct = np.where(amplified, MISMATCH_AMPLIFIER_PCT, 100)
    adjustment = _clamped(plain_score * amplifier_pct // 100, MISMATCH_MAX)
    score = decimal_array(Integers(score_tenths(adjustment)), SCORE_DECIMALS)
    note(
        zone_rate=decimal_array(rate_e2, 2),
        defense_vs_league_avg=decimal_array(defense_e2, 2),
        zone_weight=decimal_array(Integers(weight_e4, rate_e2.valid), 4),
        plain_mismatch=_exact(plain_score),
        mismatch_amplifier=decimal_array(Integers(amplifier_pct), 2),
        mismatch_adjustment=_exact(adjustment),
    )
    return Factor(
        adjustment,
        {"shot_zone_mismatch_score": score},
        {
            "amplifier": decimal_array(Integers(amplifier_pct, known), 2),
            "defense_vs_league_avg": decimal_array(defense_e2, 2),
            "score": score,
            "zone": labels_of(zone, ["paint", "mid_range", "perimeter"]),
            "zone_rate": decimal_array(rate_e2, 2),
            "zone_weight": decimal_array(Integers(weight_e4, rate_e2.valid), 4),
        },
    )


def pace(load: Mapping[str, Integers]) -> Factor:
    """Score how much faster a player's team plays than its opponent: -3 to 3.

    Parameters
    ----------
    load
        Games and summed pace of team and opponent over their last 10 games.
    """
    team, opponent = (
        (load[f"{side}_pace_games_last_10"], load[f"{side}_pace_e4_sum_last_10"])
        for side in ("team", "opponent")
    )
    known = (team[0].values > 0) & (opponent[0].values > 0)
    known &= team[1].known() & opponent[1].known()
    # a/n - b/m = (a*m - b*n) / (n*m): one exact division.
    difference = team[1].values * opponent[0].values - opponent[1].values * team[0].values
    divisor = team[0].values * opponent[0].values * 10_000
    difference_e2 = round_half_even(difference, divisor, PACE_DECIMALS, known)
    adjustment = _clamped(difference_e2 * (UNIT // (PACE_PER_POINT * 10**PACE_DECIMALS)), PACE_MAX)
    score = decimal_array(Integers(score_tenths(adjustment)), SCORE_DECIMALS)
    differential = decimal_array(Integers(difference_e2, known), PACE_DECIMALS)
    note(pace_adjustment=_exact(adjustment))
    return Factor(
        adjustment,
        {"pace_score": score, "pace_differential": differential},
        {
            "opponent_pace_games_last_10": opponent[0].array(),
            "opponent_pace_sum_last_10": decimal_array(opponent[1], 4),
            "pace_differential": differential,
            "score": score,
            "team_pace_games_last_10": team[0].array(),
            "team_pace_sum_last_10": decimal_array(team[1], 4),
        },
    )


def usage_spike(load: Mapping[str, Integers]) -> Factor:
    """Score how much a player's projected usage exceeds his recent usage: -3 to 3.

    Parameters
    ----------
    load
        Number and summed usage of his last 7 games, the number of star teammates who are out, and
        the team's load: team_usage_load, the sum over all players expected on the floor of usage
        times playing time times up to team_games_last_10, in units of
        1 / `LOAD_UNITS_PER_PCT_MINUTE`.
    """
    games, total = load["usage_games_last_7"], load["usage_e4_sum_last_7"]
    team_load, team_games = load["team_usage_load"], load["team_games_last_10"]
    stars_out = load["star_teammates_out"]
    has_recent = (games.values > 0) & total.known()
    recent_e4 = round_half_even(total.values, games.values, 0, has_recent)
    has_load = team_load.known() & (team_games.values > 0)
    ratio_num, ratio_den = _load_ratio(team_load.values, team_games.values)
    ratio = round_half_even_wide(ratio_num, ratio_den, LOAD_RATIO_DECIMALS, has_load)
    has_projected = has_recent & has_load
    projected_e4 = _projected_usage(total.values, games.values, ratio_num, ratio_den, has_projected)
    rise_e4 = np.where(has_projected, projected_e4 - recent_e4, 0)
    amplifiers = np.array(STARS_OUT_AMPLIFIER_PCT)
    stars = np.minimum(stars_out.values, len(amplifiers) - 1)
    amplifier_pct = np.where(rise_e4 > 0, amplifiers[stars], 100)
    adjustment = _clamped(
        rise_e4 * amplifier_pct * (USAGE_POINTS_PCT * UNIT // (10**USAGE_DECIMALS * 10**4)),
        USAGE_MAX,
    )
    # Convert to percent times minutes, the unit in which readers compare it with a whole team's.
    on_floor = round_half_even_wide(
        team_load.values, team_games.values * LOAD_UNITS_PER_PCT_MINUTE, LOAD_DECIMALS, has_load
    )
    score = decimal_array(Integers(score_tenths(adjustment)), SCORE_DECIMALS)
    recent = decimal_array(Integers(recent_e4, has_recent), USAGE_DECIMALS)
    projected = decimal_array(Integers(projected_e4, has_projected), USAGE_DECIMALS)
    note(
        load_per_game=Quotients(
            team_load.values, team_games.values * LOAD_UNITS_PER_PCT_MINUTE, has_load
        ),
        load_ratio=Quotients(ratio_num, ratio_den, has_load),
        usage_rise=decimal_array(Integers(rise_e4), USAGE_DECIMALS),
        usage_amplifier=decimal_array(Integers(amplifier_pct), 2),
        usage_adjustment=_exact(adjustment),
    )
    return Factor(
        adjustment,
        {
            "usage_spike_score": score,
            "recent_usage_rate": recent,
            "projected_usage_rate": projected,
        },
        {
            "amplifier": decimal_array(Integers(amplifier_pct, has_projected), 2),
            "load_ratio": decimal_array(Integers(ratio, has_load), LOAD_RATIO_DECIMALS),
            "projected_usage_rate": projected,
            "recent_usage_rate": recent,
            "score": score,
            "star_teammates_out": stars_out.array(),
            "team_usage_load": decimal_array(Integers(on_floor, has_load), LOAD_DECIMALS),
            "usage_games_last_7": games.array(),
            "usage_sum_last_7": decimal_array(total, 4),
        },
    )


def _load_ratio(team_load: IntArray, team_games: IntArray) -> tuple[IntArray, IntArray]:
    """Return a whole team's load over the load on the floor, within bounds, as an exact ratio."""
    whole = team_games * (TEAM_LOAD_PCT_MINUTES * LOAD_UNITS_PER_PCT_MINUTE)
    (low, low_den), (high, high_den) = LOAD_RATIO_MIN, LOAD_RATIO_MAX
    bounds = [whole * low_den < team_load * low, whole * high_den > team_load * high]
    num = np.select(bounds, [low, high], whole)
    return num, np.select(bounds, [low_den, high_den], team_load)


def _projected_usage(
    total: IntArray, games: IntArray, ratio_num: IntArray, ratio_den: IntArray, where: BoolArray
) -> IntArray:
    """Return recent * (1 + share * (load ratio - 1)), rounded once, capped."""
    num, den = ratio_num.astype(np.object_), ratio_den.astype(np.object_)
    factor_num = (TAKE_OVER_DEN - TAKE_OVER_NUM) * den + TAKE_OVER_NUM * num
    projected = round_half_even_wide(total * factor_num, games * den * TAKE_OVER_DEN, 0, where)
    return np.minimum(projected, PROJECTED_USAGE_MAX_E4)


def _clamped(score: IntArray, limit: int) -> IntArray:
    clamped: IntArray = np.clip(score, -limit * UNIT, limit * UNIT)
    return clamped


def _exact(adjustment: IntArray) -> pa.Array:
    """Return numbers in units of 1e-7 as doubles, for a note."""
    return decimal_array(Integers(adjustment), UNIT_DECIMALS)
