{{ config(
    materialized='date_range',
    meta={'date_column': 'game_date'},
    partition_by=daily_partition('game_date'),
    cluster_by=['player_id'],
    tags=['stage_mlfs'],
) }}

with

inputs as (

    select * from {{ ref('ml_feature_store_inputs') }}
    where {{ in_date_range('analysis_date') }}

),

cache as (

    select * from {{ ref('player_daily_cache') }}
    where {{ in_date_range('analysis_date') }}

),

factors as (

    select * from {{ ref('player_composite_factors') }}
    where {{ in_date_range('analysis_date') }}

),

shot_zones as (

    select * from {{ ref('player_shot_zone_analysis') }}
    where {{ in_date_range('analysis_date') }}

),

defenses as (

    select * from {{ ref('team_defense_zone_analysis') }}
    where {{ in_date_range('analysis_date') }}

),

-- Sizes and numerators of the game-log features, all integers.
samples as (

    select
        *,
        {{ at_most('known_games_season', 2) }} as games_2,
        {{ at_most('known_games_season', 3) }} as games_3,
        {{ at_most('known_games_season', 5) }} as games_5,
        {{ at_most('known_games_season', 7) }} as games_7,
        {{ at_most('known_games_season', 10) }} as games_10,
        known_games_season - {{ at_most('known_games_season', 7) }} as games_before_last_7,
        known_games_season - {{ at_most('known_games_season', 10) }} as games_before_last_10,
        paint_attempts_last_10 + mid_range_attempts_last_10 + three_attempts_last_10
            as attempts_last_10,
    from inputs

),

-- Least squares over x = 1..n, oldest first; numbered_points carries the game's season number.
slopes as (

    select
        *,
        case
            when known_games_season >= 2
                then
                    12 * games_10
                    * (numbered_points_last_10 - games_before_last_10 * points_last_10)
                    - 6 * games_10 * (games_10 + 1) * points_last_10
        end as slope_10_num,
        games_10 * games_10 * (games_10 * games_10 - 1) as slope_10_den,
        case
            when known_games_season >= 2
                then
                    12 * games_7 * (numbered_points_last_7 - games_before_last_7 * points_last_7)
                    - 6 * games_7 * (games_7 + 1) * points_last_7
        end as slope_7_num,
        games_7 * games_7 * (games_7 * games_7 - 1) as slope_7_den,
        case
            when games_10 >= 2
                then games_10 * points_squared_last_10 - points_last_10 * points_last_10
        end as variance_10_num,
        games_10 * (games_10 - 1) as variance_10_den,
        -- (Last-five mean less season mean) over the season's sample deviation, squared.
        points_last_5 * known_games_season - points_so_far * games_5 as zscore_sign,
        (points_last_5 * known_games_season - points_so_far * games_5)
        * (points_last_5 * known_games_season - points_so_far * games_5)
        * (known_games_season - 1) as zscore_squared_num,
        games_5 * games_5 * known_games_season
        * (known_games_season * points_squared_so_far - points_so_far * points_so_far)
            as zscore_squared_den,
        -- Mean of the last two less mean of the three before, times six.
        case
            when known_games_season >= 5
                then 3 * points_last_2 - 2 * (points_last_5 - points_last_2)
        end as trend_times_6,
        seconds_last_10 * minutes_games_so_far as minutes_last_10_scaled,
        seconds_so_far * minutes_games_last_10 as minutes_so_far_scaled,
    from samples

),

game_log as (

    select
        *,
        {{ ratio('points_last_3', 'games_3', 4) }} as log_points_avg_last_3,
        {{ ratio('points_last_5', 'games_5', 4) }} as log_points_avg_last_5,
        {{ ratio('points_last_10', 'games_10', 4) }} as log_points_avg_last_10,
        {{ ratio('points_so_far', 'known_games_season', 4) }} as log_points_avg_season,
        {{ sqrt_half_even('variance_10_num', 'variance_10_den', 4) }} / 10000
            as log_points_std_last_10,
        {{ ratio('seconds_last_10', '60 * minutes_games_last_10', 4) }}
            as log_minutes_avg_last_10,
        {{ ratio('team_pace_e4_sum_last_10', '10000 * team_pace_games_last_10', 4) }}
            as log_team_pace,
        {{ ratio('team_off_rating_e4_sum_last_10', '10000 * team_rating_games_last_10', 4) }}
            as log_team_off_rating,
        {{ ratio('opponent_pace_e4_sum_last_10', '10000 * opponent_pace_games_last_10', 4) }}
            as log_opponent_pace,
        case
            when trend_times_6 >= 30 then 2
            when trend_times_6 >= 12 then 1
            when trend_times_6 <= -30 then -2
            when trend_times_6 <= -12 then -1
            when trend_times_6 is not null then 0
        end as trend,
        case
            when minutes_so_far_scaled is null or minutes_so_far_scaled = 0 then null
            when 10 * minutes_last_10_scaled >= 12 * minutes_so_far_scaled then 2
            when 10 * minutes_last_10_scaled >= 11 * minutes_so_far_scaled then 1
            when 10 * minutes_last_10_scaled <= 8 * minutes_so_far_scaled then -2
            when 10 * minutes_last_10_scaled <= 9 * minutes_so_far_scaled then -1
            else 0
        end as minutes_step,
        {{ ratio('paint_attempts_last_10', 'attempts_last_10', 4) }} as log_pct_paint,
        {{ ratio('mid_range_attempts_last_10', 'attempts_last_10', 4) }} as log_pct_mid_range,
        {{ ratio('three_attempts_last_10', 'attempts_last_10', 4) }} as log_pct_three,
        {{ ratio('ft_points_last_10', 'points_last_10', 4) }} as pct_free_throw,
        {{ ratio('team_wins', 'team_decided_games', 4) }} as team_win_pct,
        {{ ratio('points_vs_opponent', 'known_games_vs_opponent', 4) }} as avg_points_vs_opponent,
        {{ ratio('60 * points_last_10', 'seconds_last_10', 4) }} as ppm_avg_last_10,
        {{ ratio('dnp_last_10_listings', 'last_10_listings', 4) }} as dnp_rate,
        {{ ratio('slope_10_num', 'slope_10_den', 4) }} as pts_slope_10g,
        {{ ratio('slope_7_num', 'slope_7_den', 4) }} as scoring_trend_slope,
        {{ ratio('usage_e4_last_5', '10000 * usage_games_last_5', 4) }} as usage_rate_last_5,
        {{ ratio(
            'points_last_3 * known_games_season - points_so_far * games_3',
            'games_3 * known_games_season',
            4
        ) }} as deviation_from_avg_last3,
        sign(zscore_sign)
        * {{ sqrt_half_even('zscore_squared_num', 'zscore_squared_den', 3) }} / 1000
            as pts_vs_season_zscore,
    from slopes

),

features as (

    select
        game_log.player_id,
        game_log.player_lookup,
        game_log.universal_player_id,
        game_log.game_id,
        game_log.team_abbr,
        game_log.opponent_team_abbr,
        game_log.population_source,
        game_log.season_year,
        game_log.log_points_avg_last_3 as points_avg_last_3,
        coalesce(cache.points_avg_last_5, game_log.log_points_avg_last_5) as points_avg_last_5,
        coalesce(cache.points_avg_last_10, game_log.log_points_avg_last_10) as points_avg_last_10,
        coalesce(cache.points_avg_season, game_log.log_points_avg_season) as points_avg_season,
        coalesce(cache.points_std_last_10, game_log.log_points_std_last_10) as points_std_last_10,
        game_log.games_in_last_7_days,
        factors.fatigue_score,
        factors.shot_zone_mismatch_score,
        factors.pace_score,
        factors.usage_spike_score,
        cast(
            {{ at_least(at_most('game_log.team_days_rest - game_log.opponent_days_rest', 2), -2) }}
            as int64
        ) as rest_advantage,
        cast(game_log.trend as int64) as recent_trend,
        cast(game_log.minutes_step as int64) as minutes_change,
        defenses.defensive_rating_last_15 as opponent_def_rating,
        game_log.log_opponent_pace as opponent_pace,
        coalesce(
            {{ percent_as_fraction('shot_zones.paint_rate_last_10') }},
            game_log.log_pct_paint
        ) as pct_paint,
        coalesce(
            {{ percent_as_fraction('shot_zones.mid_range_rate_last_10') }},
            game_log.log_pct_mid_range
        ) as pct_mid_range,
        coalesce(
            {{ percent_as_fraction('shot_zones.three_pt_rate_last_10') }},
            game_log.log_pct_three
        ) as pct_three,
        game_log.pct_free_throw,
        coalesce(cache.team_pace_last_10, game_log.log_team_pace) as team_pace,
        coalesce(cache.team_off_rating_last_10, game_log.log_team_off_rating) as team_off_rating,
        game_log.team_win_pct,
        game_log.avg_points_vs_opponent,
        game_log.games_vs_opponent,
        coalesce(cache.minutes_avg_last_10, game_log.log_minutes_avg_last_10)
            as minutes_avg_last_10,
        game_log.ppm_avg_last_10,
        game_log.dnp_rate,
        game_log.pts_slope_10g,
        game_log.pts_vs_season_zscore,
        game_log.star_teammates_out,
        game_log.days_rest,
        {{ ratio('game_log.seconds_in_last_7_days', 60, 2) }} as minutes_load_last_7d,
        game_log.scoring_trend_slope,
        game_log.deviation_from_avg_last3,
        game_log.consecutive_games_below_avg,
        game_log.usage_rate_last_5,
        game_log.is_home,
        coalesce(game_log.days_rest = 0, false) as back_to_back,
        game_log.is_playoffs,
        cache.player_id is not null as has_cache,
        factors.player_id is not null as has_factors,
        coalesce(factors.upstream_psza_ready and factors.upstream_tdza_ready, false)
            as has_zone_matchup,
        factors.pace_differential is not null as has_pace_differential,
        factors.projected_usage_rate is not null as has_projected_usage,
        shot_zones.player_id is not null as has_shot_zones,
        defenses.team_abbr is not null as has_defense,
        game_log.analysis_date,
    from game_log
    left join cache
        on
            game_log.analysis_date = cache.analysis_date
            and game_log.player_id = cache.player_id
    left join factors
        on
            game_log.analysis_date = factors.analysis_date
            and game_log.player_id = factors.player_id
    left join shot_zones
        on
            game_log.analysis_date = shot_zones.analysis_date
            and game_log.player_id = shot_zones.player_id
    left join defenses
        on
            game_log.analysis_date = defenses.analysis_date
            and game_log.opponent_team_abbr = defenses.team_abbr

),

scored as (

    select
        *,
        (
            {%- for feature, source in ml_features().items() %}
            case
                {%- if feature in ml_nothing_to_know() %}
                when {{ ml_nothing_to_know()[feature] }} then 100
                {%- endif %}
                when {{ feature }} is null then 0
                {%- if source %}
                when not {{ source }} then 75
                {%- endif %}
                else 100
            end{{ ' +' if not loop.last }}
            {%- endfor %}
        ) as quality_points,
    from features

),

final as (

    select
        player_id,
        player_lookup,
        universal_player_id,
        game_id,
        team_abbr,
        opponent_team_abbr,
        population_source,
        case
            when has_cache and has_factors and has_shot_zones then 'precompute'
            when has_cache or has_factors or has_shot_zones then 'mixed'
            else 'game_log'
        end as data_source,
        '{{ processors()['MLFeatureStoreProcessor'].calculation_version }}' as feature_version,
        season_year,
        {%- for feature in ml_features() if feature not in ml_boolean_features() %}
        {{ feature }},
        {%- endfor %}
        {{ ratio('quality_points', ml_features() | length, 2) }} as feature_quality_score,
        {%- for feature in ml_boolean_features() %}
        {{ feature }},
        {%- endfor %}
        quality_points >= 75 * {{ ml_features() | length }} as is_quality_ready,
        analysis_date as game_date,
    from scored

)

select * from final
