"""What the page shows of a player or a team: zones, factors, rows and failures, as compact JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from markupsafe import Markup

from python_workers import table_names
from python_workers.processors.catalogue import BY_NAME, PROCESSORS
from python_workers.processors.composite_factors import COMPOSITE_FACTORS
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.failures import NEEDS_ATTENTION
from python_workers.processors.shot_zones import SHOT_ZONES
from python_workers.processors.team_defense import TEAM_DEFENSE
from python_workers.report.rows import RangeRows, Row

# Latest rows of the factors that a player's section lists.
SHOWN_FACTORS = 10
LONGEST_REASON = 300
ZONES = ("paint", "mid_range", "three_pt")

_ZONES = f"""
select
    player_lookup, player_position, analysis_date, season_year, games_in_sample_10,
    total_shots_last_10, primary_scoring_zone,
    {", ".join(f"{zone}_rate_last_10, {zone}_pct_last_10" for zone in ZONES)}
from {SHOT_ZONES.table}
where {{analysis_date}}
qualify row_number() over (partition by player_id order by analysis_date desc) = 1
"""  # noqa: S608 our own names

_FACTORS = f"""
select
    player_lookup, team_abbr, opponent_team_abbr, analysis_date, fatigue_score,
    shot_zone_mismatch_score, pace_score, usage_spike_score, total_composite_adjustment
from {COMPOSITE_FACTORS.table}
where {{analysis_date}}
qualify row_number() over (partition by player_id order by analysis_date desc) <= @shown
order by player_lookup, analysis_date desc
"""  # noqa: S608 our own names

_FORM = f"""
select
    player_lookup, team_abbr, analysis_date, games_played_season, points_avg_last_10,
    points_avg_season, minutes_avg_last_10, usage_rate_last_10, ts_pct_last_10
from {DAILY_CACHE.table}
where {{analysis_date}}
qualify row_number() over (partition by player_id order by analysis_date desc) = 1
"""  # noqa: S608 our own names

_DEFENCE = f"""
select
    team_abbr, analysis_date, games_in_sample, defensive_rating_last_15,
    {", ".join(f"{zone}_pct_allowed_last_15, {zone}_defense_vs_league_avg" for zone in ZONES)}
from {TEAM_DEFENSE.table}
where {{analysis_date}}
qualify row_number() over (partition by team_abbr order by analysis_date desc) = 1
"""  # noqa: S608 our own names

_FAILURES = f"""
select
    processor_name, entity_id, failure_category, count(*) as dates,
    min(analysis_date) as first_date, max(analysis_date) as last_date,
    min(case when {NEEDS_ATTENTION} then failure_reason end) as reason
from {table_names.PRECOMPUTE_FAILURES}
where {{analysis_date}}
group by processor_name, entity_id, failure_category
order by processor_name, entity_id, dates desc
"""  # noqa: S608 our own names

_LEAGUE = f"""
select
    season_year, sum(paint_makes) as paint_makes, sum(paint_attempts) as paint_attempts,
    sum(mid_range_makes) as mid_range_makes, sum(mid_range_attempts) as mid_range_attempts,
    sum(three_makes_pbp) as three_pt_makes, sum(three_attempts_pbp) as three_pt_attempts
from {table_names.PLAYER_GAME_SUMMARY}
where {{game_date}}
    and paint_attempts is not null
group by season_year
order by season_year
"""  # noqa: S608 our own names

_NAMES = f"""
select player_lookup, player_id, player_name
from {table_names.PLAYER_REGISTRY}
"""  # noqa: S608 our own names

_STORED = "\nunion all\n".join(
    f"""
select
    '{processor.key}' as processor, {processor.entity_name} as entity, count(*) as dates,
    min({processor.date_column}) as first_date, max({processor.date_column}) as last_date
from {processor.table}
where {{{processor.date_column}}}
group by {processor.entity_name}
"""  # noqa: S608 our own names
    for processor in PROCESSORS
)


def read_entities(reader: RangeRows) -> dict[str, Any]:
    """Return players by lookup and teams by abbreviation, with the league that they compare with.

    Returns
    -------
    dict
        ``league`` by the year of a season, ``players`` and ``teams``. A player has ``name``, ``id``
        and, as far as he has rows, ``zones``, ``form``, ``factors`` (latest first), ``rows`` and
        ``failures`` by processor; a team has ``defence``, ``rows`` and ``failures``. Lists are in
        the order of the columns that `columns` names.
    """
    players: dict[str, dict[str, Any]] = {}
    teams: dict[str, dict[str, Any]] = {}
    of_team = {processor.key for processor in PROCESSORS if processor.entity == "team_abbr"}

    def entry(key: str, entity: str) -> dict[str, Any]:
        return (teams if key in of_team else players).setdefault(entity, {})

    for row in reader.rows(_STORED):
        entry(row["processor"], row["entity"]).setdefault("rows", []).append(_values(row, 0, 2))
    for row in reader.rows(_FAILURES):
        processor = BY_NAME.get(row["processor_name"])
        if processor is not None:
            *counts, reason = _values(row, 3)
            shown = (reason or "")[:LONGEST_REASON]
            found = [processor.key, row["failure_category"], *counts, shown]
            entry(processor.key, row["entity_id"]).setdefault("failures", []).append(found)
    for row in reader.rows(_ZONES):
        players[row["player_lookup"]]["zones"] = _values(row, 1)
    for row in reader.rows(_FORM):
        players[row["player_lookup"]]["form"] = _values(row, 1)
    for row in reader.rows(_FACTORS, shown=SHOWN_FACTORS):
        players[row["player_lookup"]].setdefault("factors", []).append(_values(row, 1))
    for row in reader.rows(_DEFENCE):
        teams[row["team_abbr"]]["defence"] = _values(row, 1)
    for row in reader.rows(_NAMES):
        if row["player_lookup"] in players:
            players[row["player_lookup"]] |= {"id": row["player_id"], "name": row["player_name"]}
    league = {row["season_year"]: _shooting(row) for row in reader.rows(_LEAGUE)}
    return {
        "league": league,
        "players": dict(sorted(players.items())),
        "teams": dict(sorted(teams.items())),
    }


def team_of(entity: Mapping[str, Any]) -> str:
    """Return the team of a player's latest row, or ''."""
    if entity.get("factors"):
        return str(entity["factors"][0][0])
    return str(entity["form"][0]) if "form" in entity else ""


def as_json(entities: Mapping[str, Any]) -> Markup:
    """Return the contents of a script element that holds the entities as data."""
    text = json.dumps(
        {**entities, "titles": {processor.key: processor.title for processor in PROCESSORS}},
        default=str,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    # In a script element, only a `<` could end the data.
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 -- escaped


def _shooting(row: Row) -> list[float | None]:
    """Return share of attempts and share made by zone, percent."""
    attempts = sum(row[f"{zone}_attempts"] or 0 for zone in ZONES)
    found: list[float | None] = []
    for zone in ZONES:
        tried, made = row[f"{zone}_attempts"] or 0, row[f"{zone}_makes"] or 0
        found.append(round(100 * tried / attempts, 1) if attempts else None)
        found.append(round(100 * made / tried, 1) if tried else None)
    return found


def _values(row: Row, first: int, without: int | None = None) -> list[Any]:
    values: Sequence[Any] = list(row.values())
    chosen: Iterable[Any] = (
        value for index, value in enumerate(values) if index >= first and index + 1 != without
    )
    return [value.isoformat() if isinstance(value, date) else value for value in chosen]
