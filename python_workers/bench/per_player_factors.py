"""The baseline's composite factors: one player at a time, with rows from pandas frames."""

from __future__ import annotations

import json

import pandas as pd

from python_workers.bench.per_player import Batch, Record, finished, half_even, value_of
from python_workers.processors import composite_factors
from python_workers.processors import factor_scores as scores

_ZONES = {"mid_range": 1, "perimeter": 2}
_ZONE_NAMES = ("paint", "mid_range", "perimeter")


def compute_composite_factors(
    player: Record, zones: pd.DataFrame, defense: pd.DataFrame, to: Batch
) -> None:
    """Compute one player's factors on one date.

    Parameters
    ----------
    player
        His row of the inputs.
    zones
        His shot zones of the date: one row or none.
    defense
        His opponent's defence of the date: one row or none.
    to
        Takes the record.
    """
    columns: Record = {"game_date": player["analysis_date"]}
    columns |= dict.fromkeys(composite_factors.DEFERRED_SCORES, 0.0)
    total = (
        _fatigue(player, columns)
        + _mismatch(zones, defense, columns)
        + _pace(player, columns)
        + _usage(player, columns)
    )
    columns["total_composite_adjustment"] = half_even(
        total, scores.UNIT, composite_factors.TOTAL_DECIMALS
    )
    present = {
        "days_rest": player["days_rest"] is not None,
        "pace_differential": columns["pace_differential"] is not None,
        "player_shot_zone_analysis": len(zones) > 0,
        "projected_usage_rate": columns["projected_usage_rate"] is not None,
        "team_defense_zone_analysis": len(defense) > 0,
    }
    warnings = [
        text
        for text, applies in zip(
            composite_factors.WARNINGS,
            (
                columns["fatigue_score"] < composite_factors.WARN_FATIGUE_BELOW,
                abs(columns["shot_zone_mismatch_score"]) > composite_factors.WARN_MISMATCH_BEYOND,
                abs(columns["total_composite_adjustment"]) > composite_factors.WARN_TOTAL_BEYOND,
            ),
            strict=True,
        )
        if applies
    ]
    columns |= {
        "data_completeness_pct": 100.0 * sum(present.values()) / len(present),
        "missing_data_fields": json.dumps([name for name, there in present.items() if not there]),
        "has_warnings": bool(warnings),
        "warning_details": json.dumps(warnings) if warnings else None,
        "upstream_psza_ready": present["player_shot_zone_analysis"],
        "upstream_tdza_ready": present["team_defense_zone_analysis"],
    }
    finished(player, columns, composite_factors.OUTPUT, to)


def _fatigue(player: Record, columns: Record) -> int:
    rest, age = player["days_rest"], player["player_age"]
    games = player["games_in_last_7_days"]
    seconds = player["seconds_in_last_7_days"]
    back_to_backs = player["back_to_backs_last_14_days"]
    points = dict.fromkeys(
        (
            "rest_points",
            "games_points",
            "minutes_points",
            "minutes_per_game_points",
            "back_to_backs_points",
            "age_points",
        ),
        0,
    )
    if player["is_back_to_back"]:
        points["rest_points"] = scores.BACK_TO_BACK_POINTS
    elif rest is not None and rest >= scores.RESTED_DAYS:
        points["rest_points"] = scores.RESTED_POINTS
    if games >= scores.BUSY_WEEK_GAMES:
        points["games_points"] = scores.BUSY_WEEK_POINTS
    if seconds is not None and seconds > scores.HEAVY_WEEK_SECONDS:
        points["minutes_points"] = scores.HEAVY_WEEK_POINTS
    if games and seconds is not None and seconds > scores.LONG_GAMES_SECONDS * games:
        points["minutes_per_game_points"] = scores.LONG_GAMES_POINTS
    if back_to_backs >= 2:
        points["back_to_backs_points"] = scores.SEVERAL_BACK_TO_BACKS_POINTS
    elif back_to_backs == 1:
        points["back_to_backs_points"] = scores.ONE_BACK_TO_BACK_POINTS
    if age is not None and age >= scores.AGE_MATURE:
        is_old = age >= scores.AGE_OLD
        points["age_points"] = scores.AGE_OLD_POINTS if is_old else scores.AGE_MATURE_POINTS
    score = scores.FATIGUE_START + sum(points.values())
    score = min(max(score, scores.FATIGUE_MIN), scores.FATIGUE_MAX)
    columns["fatigue_score"] = score
    columns["fatigue_context_json"] = _json(
        {
            "age": age,
            "back_to_backs_last_14_days": back_to_backs,
            "days_rest": rest,
            "games_in_last_7_days": games,
            "minutes_in_last_7_days": None if seconds is None else half_even(seconds, 60, 2),
            "score": score,
            **points,
        }
    )
    return int((score - scores.FATIGUE_MAX) * (scores.UNIT // scores.FATIGUE_PER_ADJUSTMENT))


def _mismatch(zones: pd.DataFrame, defense: pd.DataFrame, columns: Record) -> int:
    zone = _ZONES.get(value_of(zones, "primary_scoring_zone"), 0)
    rate_column, defense_column = composite_factors.ZONES[zone]
    rate, weakness = value_of(zones, rate_column), value_of(defense, defense_column)
    weight_e4 = None
    if rate is not None:
        rate_e2 = min(round(rate * 100), scores.FULL_WEIGHT_RATE_E2)
        weight_e4 = rate_e2 * (10_000 // scores.FULL_WEIGHT_RATE_E2)
    adjustment, amplifier_pct = 0, None
    if weight_e4 is not None and weakness is not None:
        adjustment = round(weakness * 100) * weight_e4 * (scores.UNIT // 10**6)
        is_large = abs(adjustment) > scores.AMPLIFIED_BEYOND * scores.UNIT
        amplifier_pct = scores.MISMATCH_AMPLIFIER_PCT if is_large else 100
        adjustment = _clamped(adjustment * amplifier_pct // 100, scores.MISMATCH_MAX)
    columns["shot_zone_mismatch_score"] = _score(adjustment)
    columns["shot_zone_context_json"] = _json(
        {
            "amplifier": None if amplifier_pct is None else amplifier_pct / 100,
            "defense_vs_league_avg": weakness,
            "score": columns["shot_zone_mismatch_score"],
            "zone": _ZONE_NAMES[zone],
            "zone_rate": rate,
            "zone_weight": None if weight_e4 is None else weight_e4 / 10_000,
        }
    )
    return adjustment


def _pace(player: Record, columns: Record) -> int:
    games, pace = player["team_pace_games_last_10"], player["team_pace_e4_sum_last_10"]
    opponent_games = player["opponent_pace_games_last_10"]
    opponent_pace = player["opponent_pace_e4_sum_last_10"]
    adjustment, differential = 0, None
    if games and opponent_games and pace is not None and opponent_pace is not None:
        differential = half_even(
            pace * opponent_games - opponent_pace * games,
            games * opponent_games * 10_000,
            scores.PACE_DECIMALS,
        )
    if differential is not None:
        hundredths = round(differential * 100)
        unit = scores.UNIT // (scores.PACE_PER_POINT * 10**scores.PACE_DECIMALS)
        adjustment = _clamped(hundredths * unit, scores.PACE_MAX)
    columns["pace_score"] = _score(adjustment)
    columns["pace_differential"] = differential
    columns["pace_context_json"] = _json(
        {
            "opponent_pace_games_last_10": opponent_games,
            "opponent_pace_sum_last_10": None if opponent_pace is None else opponent_pace / 10_000,
            "pace_differential": differential,
            "score": columns["pace_score"],
            "team_pace_games_last_10": games,
            "team_pace_sum_last_10": None if pace is None else pace / 10_000,
        }
    )
    return adjustment


def _usage(player: Record, columns: Record) -> int:
    games, total = player["usage_games_last_7"], player["usage_e4_sum_last_7"]
    load, team_games = player["team_usage_load"], player["team_games_last_10"]
    stars_out = player["star_teammates_out"]
    recent = projected = amplifier_pct = ratio = None
    adjustment = 0
    if load is not None and team_games:
        ratio = _load_ratio(load, team_games)
    if games and total is not None:
        recent = half_even(total, games * 10**scores.USAGE_DECIMALS, scores.USAGE_DECIMALS)
    if recent is not None and ratio is not None:
        recent_e4 = round(recent * 10**scores.USAGE_DECIMALS)
        projected_e4 = _projected_e4(total, games, *ratio)
        projected = projected_e4 / 10**scores.USAGE_DECIMALS
        rise_e4 = projected_e4 - recent_e4
        amplifiers = scores.STARS_OUT_AMPLIFIER_PCT
        stars = min(stars_out or 0, len(amplifiers) - 1)
        amplifier_pct = amplifiers[stars] if rise_e4 > 0 else 100
        unit = scores.USAGE_POINTS_PCT * scores.UNIT // (10**scores.USAGE_DECIMALS * 10**4)
        adjustment = _clamped(rise_e4 * amplifier_pct * unit, scores.USAGE_MAX)
    columns["usage_spike_score"] = _score(adjustment)
    columns["recent_usage_rate"] = recent
    columns["projected_usage_rate"] = projected
    columns["usage_context_json"] = _json(
        {
            "amplifier": None if amplifier_pct is None else amplifier_pct / 100,
            "load_ratio": ratio and half_even(*ratio, scores.LOAD_RATIO_DECIMALS),
            "projected_usage_rate": projected,
            "recent_usage_rate": recent,
            "score": columns["usage_spike_score"],
            "star_teammates_out": stars_out,
            "team_usage_load": ratio
            and half_even(
                load, team_games * scores.LOAD_UNITS_PER_PCT_MINUTE, scores.LOAD_DECIMALS
            ),
            "usage_games_last_7": games,
            "usage_sum_last_7": None if total is None else total / 10_000,
        }
    )
    return adjustment


def _load_ratio(load: int, team_games: int) -> tuple[int, int]:
    whole = team_games * scores.TEAM_LOAD_PCT_MINUTES * scores.LOAD_UNITS_PER_PCT_MINUTE
    (low, low_den), (high, high_den) = scores.LOAD_RATIO_MIN, scores.LOAD_RATIO_MAX
    if whole * low_den < load * low:
        return scores.LOAD_RATIO_MIN
    if whole * high_den > load * high:
        return scores.LOAD_RATIO_MAX
    return whole, load


def _projected_e4(total: int, games: int, num: int, den: int) -> int:
    share, of = scores.TAKE_OVER_NUM, scores.TAKE_OVER_DEN
    projected = half_even(total * ((of - share) * den + share * num), games * den * of, 0)
    return min(int(projected or 0), scores.PROJECTED_USAGE_MAX_E4)


def _score(adjustment: int) -> float:
    score = half_even(adjustment, scores.UNIT, scores.SCORE_DECIMALS)
    return 0.0 if score is None else score


def _clamped(score: int, limit: int) -> int:
    return int(min(max(score, -limit * scores.UNIT), limit * scores.UNIT))


def _json(context: Record) -> str:
    return json.dumps(context, sort_keys=True)
