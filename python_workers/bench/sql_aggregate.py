"""One SQL statement that aggregates the workers' inputs, to compare with the compute stage.

It reads the three inputs tables, the games and the team defences, aggregates windows of ten and
twenty games, and writes a row for every player and date with enough games. It rounds in floats, and
it does not hash, compare with stored rows, explain failures or write contexts.
"""

from __future__ import annotations

from python_workers.processors import daily_cache, shot_zones
from python_workers.processors import factor_scores as scores
from python_workers.processors.base import PoolWork, Processor
from python_workers.processors.composite_factors import COMPOSITE_FACTORS
from python_workers.processors.team_defense import TEAM_DEFENSE

AGGREGATE_TABLE = "bench_sql.aggregate"

_MAX_USAGE = scores.PROJECTED_USAGE_MAX_E4 // 10**scores.USAGE_DECIMALS


def inputs_with_games(processor: Processor, database: str = "") -> str:
    """Return a relation of a processor's inputs; each row once for each game in its window.

    Parameters
    ----------
    processor
        A processor; without games, the relation is its inputs table.
    database
        The attached database with the tables, followed by a dot.
    """
    work = processor.work
    if not isinstance(work, PoolWork) or work.games is None:
        return f"{database}{processor.inputs}"
    columns = ", ".join(work.games.columns)
    return f"""(
        select
            inputs.*,
            games.* exclude (season_year, player_id),
            inputs.actual_game_count - games.game_number + 1 as game_rank
        from {database}{processor.inputs} as inputs
        left join (select {columns} from {database}{work.games.table}) as games
            on
                inputs.player_id = games.player_id
                and inputs.season_year = games.season_year
                and games.game_number > inputs.actual_game_count - {work.games.window}
                and games.game_number <= inputs.actual_game_count
    )"""  # noqa: S608 our own names


_PSZA = f"""
shot_zones as (
    select
        analysis_date,
        player_id,
        any_value(player_lookup) as player_lookup,
        any_value(season_year) as season_year,
        count(*) filter (where game_rank <= 10) as games_in_sample_10,
        count(*) as games_in_sample_20,
        sum(paint_makes) filter (where game_rank <= 10) as paint_makes,
        sum(paint_attempts) filter (where game_rank <= 10) as paint_attempts,
        sum(mid_range_makes) filter (where game_rank <= 10) as mid_range_makes,
        sum(mid_range_attempts) filter (where game_rank <= 10) as mid_range_attempts,
        sum(three_makes) filter (where game_rank <= 10) as three_makes,
        sum(three_attempts) filter (where game_rank <= 10) as three_attempts,
        sum(assisted_fg_makes) filter (where game_rank <= 10) as assisted_makes,
        sum(unassisted_fg_makes) filter (where game_rank <= 10) as unassisted_makes,
        sum(paint_makes) as paint_makes_20,
        sum(paint_attempts) as paint_attempts_20,
        sum(mid_range_attempts) + sum(three_attempts) as other_attempts_20,
    from {inputs_with_games(shot_zones.SHOT_ZONES)}
    where has_complete_shot_zones and actual_game_count >= {shot_zones.MIN_GAMES_REQUIRED}
    group by analysis_date, player_id
    having count(*) filter (where game_rank <= 10) = 10
),

zone_totals as (
    select
        *,
        paint_attempts + mid_range_attempts + three_attempts as total_shots_last_10,
        nullif(total_shots_last_10, 0) as shots,
        nullif(assisted_makes + unassisted_makes, 0) as makes,
        games_in_sample_20 >= {shot_zones.LONG_WINDOW_MIN_GAMES} as has_long_window,
    from shot_zones
),

psza as (
    select
        analysis_date,
        player_id,
        player_lookup,
        season_year,
        games_in_sample_10,
        games_in_sample_20,
        total_shots_last_10,
        round(100 * paint_attempts / shots, 2) as paint_rate_last_10,
        round(100 * mid_range_attempts / shots, 2) as mid_range_rate_last_10,
        round(100 * three_attempts / shots, 2) as three_pt_rate_last_10,
        round(paint_makes / nullif(paint_attempts, 0), 3) as paint_pct_last_10,
        round(mid_range_makes / nullif(mid_range_attempts, 0), 3) as mid_range_pct_last_10,
        round(three_makes / nullif(three_attempts, 0), 3) as three_pt_pct_last_10,
        round(paint_attempts / 10, 1) as paint_attempts_per_game,
        round(mid_range_attempts / 10, 1) as mid_range_attempts_per_game,
        round(three_attempts / 10, 1) as three_pt_attempts_per_game,
        round(100 * assisted_makes / makes, 2) as assisted_rate_last_10,
        round(100 * unassisted_makes / makes, 2) as unassisted_rate_last_10,
        if(
            has_long_window,
            round(
                100 * paint_attempts_20 / nullif(paint_attempts_20 + other_attempts_20, 0), 2
            ),
            null
        ) as paint_rate_last_20,
        if(
            has_long_window, round(paint_makes_20 / nullif(paint_attempts_20, 0), 3), null
        ) as paint_pct_last_20,
        case
            when paint_rate_last_10 is null then null
            when paint_rate_last_10 >= {shot_zones.PRIMARY_PAINT_MIN} then 'paint'
            when three_pt_rate_last_10 >= {shot_zones.PRIMARY_THREE_MIN} then 'perimeter'
            when mid_range_rate_last_10 >= {shot_zones.PRIMARY_MID_RANGE_MIN} then 'mid_range'
            else 'balanced'
        end as primary_scoring_zone,
    from zone_totals
)
"""  # noqa: S608 our own constants

_PCF = f"""
factor_inputs as (
    select
        inputs.*,
        case psza.primary_scoring_zone
            when 'mid_range' then psza.mid_range_rate_last_10
            when 'perimeter' then psza.three_pt_rate_last_10
            else psza.paint_rate_last_10
        end as zone_rate,
        case psza.primary_scoring_zone
            when 'mid_range' then tdza.mid_range_defense_vs_league_avg
            when 'perimeter' then tdza.three_pt_defense_vs_league_avg
            else tdza.paint_defense_vs_league_avg
        end as defense,
        round(
            team_pace_e4_sum_last_10 / nullif(team_pace_games_last_10, 0) / 10000
            - opponent_pace_e4_sum_last_10 / nullif(opponent_pace_games_last_10, 0) / 10000,
            2
        ) as pace_differential,
        round(usage_e4_sum_last_7 / nullif(usage_games_last_7, 0) / 10000, 4) as recent_usage_rate,
    from {COMPOSITE_FACTORS.inputs} as inputs
    left join psza
        on inputs.analysis_date = psza.analysis_date and inputs.player_id = psza.player_id
    left join {TEAM_DEFENSE.table} as tdza
        on
            inputs.analysis_date = tdza.analysis_date
            and inputs.opponent_team_abbr = tdza.team_abbr
),

factors as (
    select
        analysis_date,
        player_id,
        player_lookup,
        season_year,
        star_teammates_out,
        days_rest,
        pace_differential,
        recent_usage_rate,
        team_games_last_10 * {scores.TEAM_LOAD_PCT_MINUTES}e0 * {scores.LOAD_UNITS_PER_PCT_MINUTE}e0
            as whole_load,
        case
            when whole_load > 1.5e0 * team_usage_load then 1.5e0
            when whole_load < 0.7e0 * team_usage_load then 0.7e0
            when team_usage_load > 0 then whole_load / team_usage_load
        end as load_ratio,
        recent_usage_rate * (0.7e0 + 0.3e0 * load_ratio) as uncapped_usage,
        round(if(uncapped_usage > {_MAX_USAGE}, {_MAX_USAGE}, uncapped_usage), 4)
            as projected_usage_rate,
        greatest(
            0,
            least(
                100,
                100
                + case
                    when is_back_to_back then {scores.BACK_TO_BACK_POINTS}
                    when days_rest >= {scores.RESTED_DAYS} then {scores.RESTED_POINTS}
                    else 0
                end
                + if(games_in_last_7_days >= {scores.BUSY_WEEK_GAMES}, -10, 0)
                + if(seconds_in_last_7_days > {scores.HEAVY_WEEK_SECONDS}, -10, 0)
                + if(
                    seconds_in_last_7_days
                    > {scores.LONG_GAMES_SECONDS} * games_in_last_7_days,
                    {scores.LONG_GAMES_POINTS},
                    0
                )
                + case
                    when back_to_backs_last_14_days >= 2 then -12
                    when back_to_backs_last_14_days = 1 then -5
                    else 0
                end
                + case when player_age >= 35 then -10 when player_age >= 30 then -5 else 0 end
            )
        ) as fatigue_score,
        -- least and greatest ignore NULL, so replace a missing input by 0 first.
        coalesce(defense * if(zone_rate > 50, 1, zone_rate / 50), 0) as plain_mismatch,
        greatest(-10, least(10, plain_mismatch * if(abs(plain_mismatch) > 5, 1.2e0, 1)))
            as mismatch,
        greatest(-3, least(3, coalesce(pace_differential, 0) / 2)) as pace,
        coalesce(projected_usage_rate - recent_usage_rate, 0) * 0.3e0 as plain_usage,
        greatest(
            -3,
            least(
                3,
                plain_usage * case
                    when plain_usage <= 0 or star_teammates_out = 0 then 1
                    when star_teammates_out = 1 then 1.15e0
                    else 1.3e0
                end
            )
        ) as usage,
    from factor_inputs
),

pcf as (
    select
        analysis_date,
        player_id,
        player_lookup,
        season_year,
        fatigue_score,
        round(mismatch, 1) as shot_zone_mismatch_score,
        round(pace, 1) as pace_score,
        round(usage, 1) as usage_spike_score,
        round((fatigue_score - 100) / 20 + mismatch + pace + usage, 2)
            as total_composite_adjustment,
        pace_differential,
        recent_usage_rate,
        projected_usage_rate,
        star_teammates_out,
        days_rest,
    from factors
)
"""  # noqa: S608 our own constants

_PDC = f"""
cache_windows as (
    select
        analysis_date,
        player_id,
        any_value(player_lookup) as player_lookup,
        any_value(season_year) as season_year,
        any_value(actual_game_count) as actual_game_count,
        any_value(last_played_date) as last_played_date,
        any_value(games_played_season) as games_played_season,
        any_value(known_games_season) as known_games_season,
        any_value(points_sum_season) as points_sum_season,
        any_value(usage_e4_sum_season) as usage_e4_sum_season,
        any_value(usage_games_season) as usage_games_season,
        any_value(team_pace_games_last_10) as team_pace_games_last_10,
        any_value(team_pace_e4_sum_last_10) as team_pace_e4_sum_last_10,
        any_value(team_rating_games_last_10) as team_rating_games_last_10,
        any_value(team_off_rating_e4_sum_last_10) as team_off_rating_e4_sum_last_10,
        any_value(games_in_last_7_days) as games_in_last_7_days,
        any_value(games_in_last_14_days) as games_in_last_14_days,
        any_value(seconds_in_last_7_days) as seconds_in_last_7_days,
        any_value(seconds_in_last_14_days) as seconds_in_last_14_days,
        any_value(back_to_backs_last_14_days) as back_to_backs_last_14_days,
        any_value(player_age) as player_age,
        avg(points) filter (where game_rank <= 5) as points_5,
        avg(points) as points_10,
        stddev_samp(points) as points_std_10,
        avg(seconds_played) as seconds_10,
        avg(seconds_played) filter (where game_date >= analysis_date - {daily_cache.WEEK_DAYS})
            as seconds_week,
        avg(usage_e4) as usage_10,
        avg(ts_e4) as ts_10,
        sum(assisted_fg_makes) as assisted_makes,
        sum(unassisted_fg_makes) as unassisted_makes,
    from {inputs_with_games(daily_cache.DAILY_CACHE)}
    where actual_game_count >= {daily_cache.ABSOLUTE_MIN_GAMES}
    group by analysis_date, player_id
    having
        bool_and(has_box_score)
        and any_value(last_played_date) >= analysis_date - {daily_cache.STALE_AFTER_DAYS}
),

pdc as (
    select
        cache_windows.analysis_date,
        cache_windows.player_id,
        cache_windows.player_lookup,
        cache_windows.season_year,
        round(points_5, 4) as points_avg_last_5,
        round(points_10, 4) as points_avg_last_10,
        round(points_sum_season / nullif(known_games_season, 0), 4) as points_avg_season,
        round(points_std_10, 4) as points_std_last_10,
        round(seconds_10 / 60, 4) as minutes_avg_last_10,
        round(usage_10 / 10000, 4) as usage_rate_last_10,
        round(ts_10 / 10000, 4) as ts_pct_last_10,
        round(usage_e4_sum_season / nullif(usage_games_season, 0) / 10000, 4)
            as player_usage_rate_season,
        games_played_season,
        round(assisted_makes / nullif(assisted_makes + unassisted_makes, 0), 9)
            as assisted_rate_last_10,
        round(team_pace_e4_sum_last_10 / nullif(team_pace_games_last_10, 0) / 10000, 4)
            as team_pace_last_10,
        round(team_off_rating_e4_sum_last_10 / nullif(team_rating_games_last_10, 0) / 10000, 4)
            as team_off_rating_last_10,
        games_in_last_7_days,
        games_in_last_14_days,
        round(seconds_in_last_7_days / 60, 2) as minutes_in_last_7_days,
        round(seconds_in_last_14_days / 60, 2) as minutes_in_last_14_days,
        back_to_backs_last_14_days,
        round(seconds_week / 60, 4) as avg_minutes_per_game_last_7,
        player_age,
        psza.primary_scoring_zone,
        psza.paint_rate_last_10,
        psza.three_pt_rate_last_10,
        actual_game_count < {daily_cache.EARLY_SEASON_GAMES} as early_season_flag,
    from cache_windows
    left join psza
        on
            cache_windows.analysis_date = psza.analysis_date
            and cache_windows.player_id = psza.player_id
)
"""  # noqa: S608 our own constants

STATEMENT = f"""
create or replace table {AGGREGATE_TABLE} as
with
{_PSZA},
{_PCF},
{_PDC}
select 'psza' as processor, * from psza
union all by name
select 'pcf' as processor, * from pcf
union all by name
select 'pdc' as processor, * from pdc
"""  # noqa: S608 our own constants
"""Writes AGGREGATE_TABLE; its schema must exist."""
