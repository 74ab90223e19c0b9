"""The baseline's shot zones and daily cache, with one pandas frame per player.

The code is typical pandas: a player's games are a frame, its head is the window, its sums give the
features, and the scalar reference hashes the record. It omits the engine's checks of the inputs, so
it does less than the engine. `half_even` rounds ratios by integers, which is cheaper than ``round``
of floats and gives the same hash.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from python_workers.columnar.record_hash import data_hash
from python_workers.processors import completeness, daily_cache, shot_zones
from python_workers.processors.failures import (
    EXPECTED_INCOMPLETE,
    INCOMPLETE_UPSTREAM,
    KNOWN_SOURCE_GAP,
    PROCESSING_ERROR,
    STALE_DATA,
    FailureCategory,
)
from python_workers.processors.output_table import OutputTable

Record = dict[str, Any]

_ZONE_COLUMNS = [
    *(f"{source}_{kind}" for source in shot_zones.ZONES.values() for kind in ("makes", "attempts")),
    "assisted_fg_makes",
    "unassisted_fg_makes",
]
_ATTEMPTS = [name for name in _ZONE_COLUMNS if name.endswith("_attempts")]


@dataclass
class Batch:
    """Records of some players of a date: a row or a failure for each."""

    rows: list[Record] = field(default_factory=list)
    failures: list[Record] = field(default_factory=list)


def half_even(num: int, den: int, decimals: int) -> float | None:
    """Round the exact ``num / den`` half-even; None if `den` is 0.

    Examples
    --------
    >>> half_even(1, 80, 3), half_even(3, 80, 3), half_even(1, 0, 3)
    (0.012, 0.038, None)
    """
    if not den:
        return None
    scale: int = 10**decimals
    quotient, remainder = divmod(num * scale, den)
    if 2 * remainder > den or (2 * remainder == den and quotient % 2):
        quotient += 1
    return quotient / scale


def finished(player: Record, columns: Mapping[str, Any], output: OutputTable, to: Batch) -> None:
    """Complete a player's record, check its ranges, hash it, and add it to a batch."""
    values = {**player, **columns, "calculation_version": output.calculation_version}
    record = {name: values[name] for name in output.schema.names}
    for name, (low, high) in output.ranges.items():
        value = record[name]
        if value is not None and not low <= value <= high:
            reason = f"ValueError: {name} is {value}, outside {low:g} to {high:g}"
            failed(player, PROCESSING_ERROR, reason, None, to)
            return
    record["data_hash"] = data_hash(record, output.hash_fields)
    to.rows.append(record)


def failed(
    player: Record,
    category: FailureCategory,
    reason: str,
    required_games: int | None,
    to: Batch,
    missing: Sequence[str] = (),
) -> None:
    """Add a player's failure to a batch."""
    to.failures.append(
        {
            "analysis_date": player["analysis_date"],
            "entity_id": player["player_lookup"],
            "player_id": player["player_id"],
            "failure_category": category.name,
            "failure_reason": reason,
            "can_retry": category.can_retry,
            "is_expected": category.is_expected,
            "expected_game_count": required_games,
            "actual_game_count": player.get("actual_game_count"),
            "missing_game_dates": json.dumps(list(missing)),
        }
    )


def compute_shot_zones(player: Record, games: pd.DataFrame, to: Batch) -> None:
    """Compute one player's shot zones on one date.

    Parameters
    ----------
    player
        His row of the inputs.
    games
        His games, most recent first.
    to
        Takes the record.
    """
    required = shot_zones.MIN_GAMES_REQUIRED
    if _has_too_few_games(player, required, to):
        return
    last_10 = games.head(shot_zones.SHORT_WINDOW)
    incomplete = last_10[~last_10["has_complete_shot_zones"]]
    if len(incomplete):
        _lacks_games(player, incomplete, len(last_10), "complete shot zones", required, to)
        return
    last_20 = games[games["has_complete_shot_zones"]].head(shot_zones.LONG_WINDOW)
    totals = last_10[_ZONE_COLUMNS].sum().to_dict()
    known = last_10[_ATTEMPTS].count().to_dict()
    totals_20 = last_20[_ZONE_COLUMNS].sum().to_dict()

    has_zones = all(known.values())
    shots = sum(int(totals[name]) for name in _ATTEMPTS) if has_zones else 0
    columns: Record = {
        "games_in_sample_10": len(last_10),
        "games_in_sample_20": len(last_20),
        "sample_quality_10": _sample_quality(len(last_10), shot_zones.SHORT_WINDOW),
        "sample_quality_20": _sample_quality(len(last_20), shot_zones.LONG_WINDOW),
        "data_quality_tier": _grade(len(last_10), shot_zones.DATA_QUALITY_TIER),
        "total_shots_last_10": shots if has_zones else None,
    }
    for zone, source in shot_zones.ZONES.items():
        makes, attempts = int(totals[f"{source}_makes"]), int(totals[f"{source}_attempts"])
        columns[f"{zone}_rate_last_10"] = half_even(100 * attempts, shots, 2)
        columns[f"{zone}_pct_last_10"] = half_even(makes, attempts, 3)
        games_known = int(known[f"{source}_attempts"])
        columns[f"{zone}_attempts_per_game"] = half_even(attempts, games_known, 1)
    columns["primary_scoring_zone"] = _primary_zone(columns)
    assisted, unassisted = int(totals["assisted_fg_makes"]), int(totals["unassisted_fg_makes"])
    made = assisted + unassisted
    columns["assisted_rate_last_10"] = half_even(100 * assisted, made, 2)
    columns["unassisted_rate_last_10"] = half_even(100 * unassisted, made, 2)

    enough = len(last_20) >= shot_zones.LONG_WINDOW_MIN_GAMES
    shots_20 = sum(int(totals_20[name]) for name in _ATTEMPTS) if enough else 0
    paint_20 = int(totals_20["paint_attempts"]) if enough else 0
    columns["paint_rate_last_20"] = half_even(100 * paint_20, shots_20, 2)
    columns["paint_pct_last_20"] = half_even(int(totals_20["paint_makes"]), paint_20, 3)
    finished(player, columns, shot_zones.OUTPUT, to)


def compute_daily_cache(
    player: Record, games: pd.DataFrame, zones: pd.DataFrame, to: Batch
) -> None:
    """Compute one player's cache on one date.

    Parameters
    ----------
    player
        His row of the inputs.
    games
        His games, most recent first.
    zones
        His shot zones of the date: one row or none.
    to
        Takes the record.
    """
    required = daily_cache.ABSOLUTE_MIN_GAMES
    if _has_too_few_games(player, required, to):
        return
    played, stale_days = player["last_played_date"], daily_cache.STALE_AFTER_DAYS
    if played is None or played < player["analysis_date"] - dt.timedelta(days=stale_days):
        reason = f"no game played in the last {stale_days} days"
        reason += f", the last one on {played}" if played is not None else ""
        failed(player, STALE_DATA, reason, required, to)
        return
    last_10 = games.head(daily_cache.LONG_WINDOW)
    gone = last_10[~last_10["has_box_score"]]
    if len(gone):
        _lacks_games(player, gone, len(last_10), "a box score", required, to)
        return
    week_ago = player["analysis_date"] - dt.timedelta(days=daily_cache.WEEK_DAYS)
    in_week = last_10["game_date"] >= week_ago
    last_5 = last_10.head(daily_cache.SHORT_WINDOW)
    assisted = int(last_10["assisted_fg_makes"].sum())
    made = assisted + int(last_10["unassisted_fg_makes"].sum())
    columns = {
        "cache_date": player["analysis_date"],
        "cache_version": daily_cache.CACHE_VERSION,
        "points_avg_last_5": _mean(last_5["points"], 1),
        "points_avg_last_10": _mean(last_10["points"], 1),
        "points_std_last_10": _deviation(last_10["points"]),
        "minutes_avg_last_10": _mean(last_10["seconds_played"], 60),
        "avg_minutes_per_game_last_7": _mean(last_10[in_week]["seconds_played"], 60),
        "usage_rate_last_10": _mean(last_10["usage_e4"], 10_000),
        "ts_pct_last_10": _mean(last_10["ts_e4"], 10_000),
        "assisted_rate_last_10": half_even(assisted, made, daily_cache.ASSISTED_RATE_DECIMALS),
        **_load(player),
        **_completeness(player, last_5, last_10),
        "shot_zone_data_available": len(zones) > 0,
        "early_season_flag": player["actual_game_count"] < daily_cache.EARLY_SEASON_GAMES,
    }
    for name in ("primary_scoring_zone", "paint_rate_last_10", "three_pt_rate_last_10"):
        columns[name] = value_of(zones, name)
    finished(player, columns, daily_cache.OUTPUT, to)


def value_of(frame: pd.DataFrame, name: str) -> Any:  # noqa: ANN401 -- any column type
    """Return the value in a frame's only row; None if the value or the row is missing."""
    if frame.empty:
        return None
    value = frame[name].iloc[0]
    return None if pd.isna(value) else value


def _has_too_few_games(player: Record, required: int, to: Batch) -> bool:
    actual = player["actual_game_count"]
    if actual >= required:
        return False
    reason = f"{actual} actual games this season, {required} required"
    failed(player, EXPECTED_INCOMPLETE, reason, required, to)
    return True


def _lacks_games(
    player: Record, gone: pd.DataFrame, looked_at: int, what: str, required: int, to: Batch
) -> None:
    missing = sorted({day.isoformat() for day in gone["game_date"]})
    reason = (
        f"{len(gone)} of the {looked_at} most recent games without {what}: {', '.join(missing)}"
    )
    category = KNOWN_SOURCE_GAP if gone["is_known_gap"].all() else INCOMPLETE_UPSTREAM
    failed(player, category, reason, required, to, missing)


def _sample_quality(games: int, window: int) -> str:
    return _grade(100 * games / window, shot_zones.SAMPLE_QUALITY)


def _grade(amount: float, grades: Sequence[tuple[int, str]]) -> str:
    return next(grade for bound, grade in grades if amount >= bound)


def _primary_zone(columns: Record) -> str | None:
    if columns["paint_rate_last_10"] is None:
        return None
    if columns["paint_rate_last_10"] >= shot_zones.PRIMARY_PAINT_MIN:
        return "paint"
    if columns["three_pt_rate_last_10"] >= shot_zones.PRIMARY_THREE_MIN:
        return "perimeter"
    if columns["mid_range_rate_last_10"] >= shot_zones.PRIMARY_MID_RANGE_MIN:
        return "mid_range"
    return "balanced"


def _mean(values: pd.Series[Any], unit: int) -> float | None:
    return half_even(int(values.sum()), int(values.count()) * unit, daily_cache.MEAN_DECIMALS)


def _deviation(points: pd.Series[Any]) -> float | None:
    deviation = float(points.std())
    return None if math.isnan(deviation) else round(deviation, daily_cache.MEAN_DECIMALS)


def _load(player: Record) -> Record:
    def per(total: str, count: str, unit: int) -> float | None:
        if player[total] is None or player[count] is None:
            return None
        return half_even(player[total], player[count] * unit, daily_cache.MEAN_DECIMALS)

    seconds_7, seconds_14 = (player[f"seconds_in_last_{n}_days"] for n in (7, 14))
    return {
        "points_avg_season": per("points_sum_season", "known_games_season", 1),
        "player_usage_rate_season": per("usage_e4_sum_season", "usage_games_season", 10_000),
        "team_pace_last_10": per("team_pace_e4_sum_last_10", "team_pace_games_last_10", 10_000),
        "team_off_rating_last_10": per(
            "team_off_rating_e4_sum_last_10", "team_rating_games_last_10", 10_000
        ),
        "minutes_in_last_7_days": None if seconds_7 is None else half_even(seconds_7, 60, 2),
        "minutes_in_last_14_days": None if seconds_14 is None else half_even(seconds_14, 60, 2),
        "fourth_quarter_minutes_last_7": None,
    }


def _completeness(player: Record, last_5: pd.DataFrame, last_10: pd.DataFrame) -> Record:
    windows = {
        "l5": (int(last_5["has_box_score"].sum()), len(last_5)),
        "l10": (int(last_10["has_box_score"].sum()), len(last_10)),
        "l7d": (player["known_games_in_last_7_days"], player["actual_games_in_last_7_days"]),
        "l14d": (player["known_games_in_last_14_days"], player["actual_games_in_last_14_days"]),
    }
    columns: Record = {}
    for window, (there, expected) in windows.items():
        pct = half_even(100 * there, expected, completeness.PCT_DECIMALS)
        columns[f"{window}_completeness_pct"] = 100.0 if pct is None else pct
        columns[f"{window}_is_complete"] = 100 * there >= completeness.COMPLETE_MIN_PCT * expected
    columns["all_windows_complete"] = all(columns[f"{window}_is_complete"] for window in windows)
    columns["cache_quality_score"] = columns["l5_completeness_pct"]
    return columns
