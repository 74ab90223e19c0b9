"""Computes each processor again: one player at a time, in plain Python with exact fractions.

Written from the definitions of the features alone, to be compared with the columnar code.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Any

Row = dict[str, Any]
Outcome = tuple[str, Row]  # ("ROW", columns) or (failure category, details)


def rounded(value: Fraction | None, decimals: int) -> float | None:
    return None if value is None else float(round(value, decimals))


def ratio(num: int, den: int) -> Fraction | None:
    return Fraction(num, den) if den else None


def mean(values: Iterable[int | None], unit: int = 1) -> Fraction | None:
    known = [value for value in values if value is not None]
    return Fraction(sum(known), len(known) * unit) if known else None


def sqrt_rounded(value: Fraction, decimals: int) -> float:
    exact = Context(prec=80, rounding=ROUND_HALF_EVEN)
    root = exact.sqrt(exact.divide(Decimal(value.numerator), Decimal(value.denominator)))
    return float(root.quantize(Decimal(1).scaleb(-decimals), context=exact))


def _lacking(gone: list[Row]) -> Outcome:
    are_known = all(game["is_known_gap"] for game in gone)
    category = "KNOWN_SOURCE_GAP" if are_known else "INCOMPLETE_UPSTREAM"
    return category, {"missing": sorted(game["game_date"] for game in gone)}


# Shot zones -----------------------------------------------------------------------------------

ZONES = {"paint": "paint", "mid_range": "mid_range", "three_pt": "three"}


def shot_zones(player: Row) -> Outcome:
    games = sorted(player["games"], key=lambda game: -game["game_number"])
    if player["actual_game_count"] < 10:
        return "EXPECTED_INCOMPLETE", {"missing": []}
    gone = [game for game in games[:10] if not game["has_complete_shot_zones"]]
    if gone:
        return _lacking(gone)
    last_10 = games[:10]
    last_20 = [game for game in games[:20] if game["has_complete_shot_zones"]]
    if any(_impossible(game) for game in last_20):
        return "PROCESSING_ERROR", {"missing": []}
    row: Row = {
        "games_in_sample_10": len(last_10),
        "games_in_sample_20": len(last_20),
        "sample_quality_10": _quality(len(last_10), 10),
        "sample_quality_20": _quality(len(last_20), 20),
        "data_quality_tier": "high",
    }
    shots: dict[str, list[Row]] = {
        zone: [game for game in last_10 if _zone_known(game, source)]
        for zone, source in ZONES.items()
    }
    total: int | None = sum(
        game[f"{ZONES[zone]}_attempts"] for zone, games in shots.items() for game in games
    )
    if not all(shots.values()):
        total = None
    row["total_shots_last_10"] = total
    for zone, known in shots.items():
        makes = sum(game[f"{ZONES[zone]}_makes"] for game in known)
        attempts = sum(game[f"{ZONES[zone]}_attempts"] for game in known)
        row[f"{zone}_rate_last_10"] = rounded(ratio(100 * attempts, total or 0), 2)
        row[f"{zone}_pct_last_10"] = rounded(ratio(makes, attempts), 3)
        row[f"{zone}_attempts_per_game"] = rounded(ratio(attempts, len(known)), 1)
    row["primary_scoring_zone"] = _primary_zone(row)
    assists = [
        (game["assisted_fg_makes"], game["unassisted_fg_makes"])
        for game in last_10
        if game["assisted_fg_makes"] is not None and game["unassisted_fg_makes"] is not None
    ]
    assisted, unassisted = (sum(pair[i] for pair in assists) for i in (0, 1))
    row["assisted_rate_last_10"] = rounded(ratio(100 * assisted, assisted + unassisted), 2)
    row["unassisted_rate_last_10"] = rounded(ratio(100 * unassisted, assisted + unassisted), 2)
    row |= _last_20(last_20)
    return "ROW", row


def _impossible(game: Row) -> bool:
    names = [f"{source}_{kind}" for source in ZONES.values() for kind in ("makes", "attempts")]
    counts = [game[name] for name in names]
    counts += [game["assisted_fg_makes"], game["unassisted_fg_makes"]]
    if any(count is not None and not 0 <= count <= 200 for count in counts):
        return True
    return any(
        _zone_known(game, source) and game[f"{source}_makes"] > game[f"{source}_attempts"]
        for source in ZONES.values()
    )


def _zone_known(game: Row, source: str) -> bool:
    return game[f"{source}_makes"] is not None and game[f"{source}_attempts"] is not None


def _quality(games: int, window: int) -> str:
    share = Fraction(games, window)
    if share >= 1:
        return "excellent"
    if share >= Fraction(7, 10):
        return "good"
    return "limited" if share >= Fraction(1, 2) else "insufficient"


def _primary_zone(row: Row) -> str | None:
    if row["paint_rate_last_10"] is None:
        return None
    if row["paint_rate_last_10"] >= 40:
        return "paint"
    if row["three_pt_rate_last_10"] >= 40:
        return "perimeter"
    return "mid_range" if row["mid_range_rate_last_10"] >= 35 else "balanced"


def _last_20(games: list[Row]) -> Row:
    known = {s: [game for game in games if _zone_known(game, s)] for s in ZONES.values()}
    makes = sum(game["paint_makes"] for game in known["paint"])
    attempts = sum(game["paint_attempts"] for game in known["paint"])
    total = sum(game[f"{source}_attempts"] for source, some in known.items() for game in some)
    enough = len(games) >= 15
    rate = ratio(100 * attempts, total) if enough and all(known.values()) else None
    return {
        "paint_rate_last_20": rounded(rate, 2),
        "paint_pct_last_20": rounded(ratio(makes, attempts) if enough else None, 3),
    }


# Daily cache ----------------------------------------------------------------------------------


def daily_cache(player: Row) -> Outcome:
    day, actual = player["analysis_date"], player["actual_game_count"]
    games = sorted(player["games"], key=lambda game: -game["game_number"])
    if actual < 5:
        return "EXPECTED_INCOMPLETE", {"missing": []}
    last = player["last_played_date"]
    if last is None or last < day - dt.timedelta(days=30):
        return "STALE_DATA", {"missing": []}
    gone = [game for game in games if not game["has_box_score"]]
    if gone:
        return _lacking(gone)
    return "ROW", _form(games) | _load(player) | _completeness(player, games)


def _form(games: list[Row]) -> Row:
    def values(name: str, window: int) -> list[int | None]:
        return [game[name] for game in games[:window]]

    points = [value for value in values("points", 10) if value is not None]
    average = mean(points)
    spread = None
    if average is not None and len(points) > 1:
        squares = sum(((x - average) ** 2 for x in points), Fraction(0))
        spread = sqrt_rounded(squares / (len(points) - 1), 4)
    made = [
        (game["assisted_fg_makes"], game["unassisted_fg_makes"])
        for game in games
        if game["assisted_fg_makes"] is not None and game["unassisted_fg_makes"] is not None
    ]
    assisted, unassisted = (sum(pair[i] for pair in made) for i in (0, 1))
    return {
        "points_avg_last_5": rounded(mean(values("points", 5)), 4),
        "points_avg_last_10": rounded(average, 4),
        "points_std_last_10": spread,
        "minutes_avg_last_10": rounded(mean(values("seconds_played", 10), 60), 4),
        "usage_rate_last_10": rounded(mean(values("usage_e4", 10), 10_000), 4),
        "ts_pct_last_10": rounded(mean(values("ts_e4", 10), 10_000), 4),
        "assisted_rate_last_10": rounded(ratio(assisted, assisted + unassisted), 9),
    }


def _load(player: Row) -> Row:
    def per(total: str, count: str, unit: int) -> float | None:
        if player[total] is None:
            return None
        return rounded(ratio(player[total], player[count] * unit), 4)

    zones = player["shot_zones"] or {}
    week_ago = player["analysis_date"] - dt.timedelta(days=7)
    week = [game["seconds_played"] for game in player["games"] if game["game_date"] >= week_ago]
    return {
        "cache_date": player["analysis_date"],
        "points_avg_season": per("points_sum_season", "known_games_season", 1),
        "player_usage_rate_season": per("usage_e4_sum_season", "usage_games_season", 10_000),
        "team_pace_last_10": per("team_pace_e4_sum_last_10", "team_pace_games_last_10", 10_000),
        "team_off_rating_last_10": per(
            "team_off_rating_e4_sum_last_10", "team_rating_games_last_10", 10_000
        ),
        "minutes_in_last_7_days": _minutes(player["seconds_in_last_7_days"]),
        "minutes_in_last_14_days": _minutes(player["seconds_in_last_14_days"]),
        "avg_minutes_per_game_last_7": rounded(mean(week, 60), 4),
        "player_age": player["player_age"],
        "shot_zone_data_available": player["shot_zones"] is not None,
        "primary_scoring_zone": zones.get("primary_scoring_zone"),
        "paint_rate_last_10": zones.get("paint_rate_last_10"),
        "three_pt_rate_last_10": zones.get("three_pt_rate_last_10"),
        "early_season_flag": player["actual_game_count"] < 10,
    }


def _minutes(seconds: int | None) -> float | None:
    return None if seconds is None else rounded(Fraction(seconds, 60), 2)


def _completeness(player: Row, games: list[Row]) -> Row:
    windows = {
        "l5": (sum(game["has_box_score"] for game in games[:5]), len(games[:5])),
        "l10": (sum(game["has_box_score"] for game in games), len(games)),
        "l7d": (player["known_games_in_last_7_days"], player["actual_games_in_last_7_days"]),
        "l14d": (player["known_games_in_last_14_days"], player["actual_games_in_last_14_days"]),
    }
    row: Row = {}
    for window, (there, expected) in windows.items():
        share = Fraction(there, expected) if expected else Fraction(1)
        row[f"{window}_completeness_pct"] = rounded(100 * share, 2)
        row[f"{window}_is_complete"] = share >= Fraction(9, 10)
    row["all_windows_complete"] = all(row[f"{window}_is_complete"] for window in windows)
    row["cache_quality_score"] = row["l5_completeness_pct"]
    return row


# Composite factors ----------------------------------------------------------------------------


def composite_factors(player: Row, defense: Row | None) -> Row:
    zones = player["shot_zones"]
    fatigue = _fatigue(player)
    mismatch = _mismatch(zones, defense)
    pace_differential, pace = _pace(player)
    recent, projected, usage = _usage(player)
    total = Fraction(fatigue - 100, 20) + mismatch + pace + usage
    row: Row = {
        "fatigue_score": fatigue,
        "shot_zone_mismatch_score": rounded(mismatch, 1),
        "pace_score": rounded(pace, 1),
        "usage_spike_score": rounded(usage, 1),
        "total_composite_adjustment": rounded(total, 2),
        "pace_differential": rounded(pace_differential, 2),
        "recent_usage_rate": rounded(recent, 4),
        "projected_usage_rate": rounded(projected, 4),
        "upstream_psza_ready": zones is not None,
        "upstream_tdza_ready": defense is not None,
    }
    present = {
        "days_rest": player["days_rest"] is not None,
        "pace_differential": pace_differential is not None,
        "player_shot_zone_analysis": zones is not None,
        "projected_usage_rate": projected is not None,
        "team_defense_zone_analysis": defense is not None,
    }
    row["missing_data_fields"] = sorted(name for name, there in present.items() if not there)
    row["data_completeness_pct"] = 100.0 * sum(present.values()) / 5
    row["has_warnings"] = (
        fatigue < 50
        or abs(row["shot_zone_mismatch_score"]) > 8
        or abs(row["total_composite_adjustment"]) > 12
    )
    return row


def _fatigue(player: Row) -> int:
    score, rest, games = 100, player["days_rest"], player["games_in_last_7_days"]
    if player["is_back_to_back"]:
        score -= 15
    elif rest is not None and rest >= 3:
        score += 5
    if games >= 4:
        score -= 10
    if player["seconds_in_last_7_days"] is not None:
        minutes = Fraction(player["seconds_in_last_7_days"], 60)
        if minutes > 240:
            score -= 10
        if games and minutes / games > 35:
            score -= 8
    back_to_backs = player["back_to_backs_last_14_days"]
    score -= 12 if back_to_backs >= 2 else 5 * back_to_backs
    age = player["player_age"]
    if age is not None:
        score -= 10 if age >= 35 else 5 if age >= 30 else 0
    return min(max(score, 0), 100)


def _mismatch(zones: Row | None, defense: Row | None) -> Fraction:
    if zones is None or defense is None:
        return Fraction(0)
    zone = {"mid_range": "mid_range", "perimeter": "three_pt"}.get(
        zones["primary_scoring_zone"], "paint"
    )
    rate, weakness = zones[f"{zone}_rate_last_10"], defense[f"{zone}_defense_vs_league_avg"]
    if rate is None or weakness is None:
        return Fraction(0)
    score = _decimal(weakness) * min(_decimal(rate) / 50, Fraction(1))
    if abs(score) > 5:
        score *= Fraction(6, 5)
    return min(max(score, Fraction(-10)), Fraction(10))


def _decimal(value: float) -> Fraction:
    """Return the decimal that a float was written as."""
    return Fraction(repr(value))


def _pace(player: Row) -> tuple[Fraction | None, Fraction]:
    means = []
    for side in ("team", "opponent"):
        total, games = player[f"{side}_pace_e4_sum_last_10"], player[f"{side}_pace_games_last_10"]
        if total is None or not games:
            return None, Fraction(0)
        means.append(Fraction(total, games * 10_000))
    differential = round(means[0] - means[1], 2)
    return differential, min(max(differential / 2, Fraction(-3)), Fraction(3))


def _usage(player: Row) -> tuple[Fraction | None, Fraction | None, Fraction]:
    total, games = player["usage_e4_sum_last_7"], player["usage_games_last_7"]
    if total is None or not games:
        return None, None, Fraction(0)
    recent = round(Fraction(total, games * 10_000), 4)
    load, team_games = player["team_usage_load"], player["team_games_last_10"]
    if load is None or not team_games:
        return recent, None, Fraction(0)
    # Percent of plays times minutes, summed over the players who are expected on the floor.
    on_floor = Fraction(load, team_games * 420 * 420 * 10_000 * 60)
    ratio = Fraction(3, 2)
    if on_floor:
        ratio = min(max(4_800 / on_floor, Fraction(7, 10)), ratio)
    factor = 1 + Fraction(3, 10) * (ratio - 1)
    projected = round(min(Fraction(total, games * 10_000) * factor, Fraction(45)), 4)
    score = (projected - recent) * Fraction(3, 10)
    if score > 0:
        stars = player["star_teammates_out"] or 0
        score *= (Fraction(1), Fraction(115, 100), Fraction(130, 100))[min(stars, 2)]
    return recent, projected, min(max(score, Fraction(-3)), Fraction(3))
