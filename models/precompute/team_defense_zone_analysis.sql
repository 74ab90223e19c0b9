{{ config(
    materialized='date_range',
    meta={'date_column': 'analysis_date'},
    partition_by=daily_partition('analysis_date'),
    cluster_by=['team_abbr'],
    tags=['stage_tdza'],
) }}

with

-- Teams with fewer than five games in the sample have no row; Python records a failure instead.
samples as (

    select * from {{ ref('team_defense_zone_inputs') }}
    where
        {{ in_date_range('analysis_date') }}
        and games_in_sample >= {{ processors()['TeamDefenseZoneAnalysisProcessor'].required_games }}

),

-- Team percentage less league percentage, in percentage points: makes / attempts against
-- sum / (teams * 10^6), brought to one denominator.
differences as (

    select
        *,
        100 * (
            paint_makes * league_paint_teams * 1000000 - league_paint_e6_sum * paint_attempts
        ) as paint_num,
        paint_attempts * league_paint_teams * 1000000 as paint_den,
        100 * (
            mid_range_makes * league_mid_range_teams * 1000000
            - league_mid_range_e6_sum * mid_range_attempts
        ) as mid_range_num,
        mid_range_attempts * league_mid_range_teams * 1000000 as mid_range_den,
        100 * (
            three_makes * league_three_teams * 1000000 - league_three_e6_sum * three_attempts
        ) as three_num,
        three_attempts * league_three_teams * 1000000 as three_den,
    from samples

),

rounded as (

    select
        *,
        {{ half_even('paint_num', 'paint_den', 2) }} as paint_vs_league_e2,
        {{ half_even('mid_range_num', 'mid_range_den', 2) }} as mid_range_vs_league_e2,
        {{ half_even('three_num', 'three_den', 2) }} as three_vs_league_e2,
    from differences

),

extremes as (

    select
        *,
        least(
            coalesce(paint_vs_league_e2, 1000000),
            coalesce(mid_range_vs_league_e2, 1000000),
            coalesce(three_vs_league_e2, 1000000)
        ) as lowest_vs_league_e2,
        greatest(
            coalesce(paint_vs_league_e2, -1000000),
            coalesce(mid_range_vs_league_e2, -1000000),
            coalesce(three_vs_league_e2, -1000000)
        ) as highest_vs_league_e2,
    from rounded

),

final as (

    select
        team_abbr,
        case
            when paint_vs_league_e2 = lowest_vs_league_e2 then 'paint'
            when mid_range_vs_league_e2 = lowest_vs_league_e2 then 'mid_range'
            when three_vs_league_e2 = lowest_vs_league_e2 then 'perimeter'
        end as strongest_zone,
        case
            when paint_vs_league_e2 = highest_vs_league_e2 then 'paint'
            when mid_range_vs_league_e2 = highest_vs_league_e2 then 'mid_range'
            when three_vs_league_e2 = highest_vs_league_e2 then 'perimeter'
        end as weakest_zone,
        case
            when games_in_sample >= 15 then 'high'
            when games_in_sample >= 10 then 'medium'
            else 'low'
        end as data_quality_tier,
        season_year,
        games_in_sample,
        {{ ratio('paint_makes', 'paint_attempts', 3) }} as paint_pct_allowed_last_15,
        {{ ratio('mid_range_makes', 'mid_range_attempts', 3) }} as mid_range_pct_allowed_last_15,
        {{ ratio('three_makes', 'three_attempts', 3) }} as three_pt_pct_allowed_last_15,
        {{ ratio('paint_attempts', 'zone_games_in_sample', 1) }} as paint_attempts_allowed_per_game,
        {{ ratio('mid_range_attempts', 'zone_games_in_sample', 1) }}
            as mid_range_attempts_allowed_per_game,
        {{ ratio('three_attempts', 'zone_games_in_sample', 1) }}
            as three_pt_attempts_allowed_per_game,
        {{ ratio('2 * paint_makes', 'zone_games_in_sample', 1) }} as paint_points_allowed_per_game,
        paint_vs_league_e2 / 100 as paint_defense_vs_league_avg,
        mid_range_vs_league_e2 / 100 as mid_range_defense_vs_league_avg,
        three_vs_league_e2 / 100 as three_pt_defense_vs_league_avg,
        {{ ratio('defensive_rating_e4_sum', '10000 * rating_games_in_sample', 4) }}
            as defensive_rating_last_15,
        {{ ratio('points_allowed_sum', 'points_games_in_sample', 1) }}
            as opponent_points_per_game,
        {{ ratio('opponent_pace_e4_sum', '10000 * pace_games_in_sample', 4) }} as opponent_pace,
        games_in_sample < 15 as early_season_flag,
        analysis_date,
    from extremes

)

select * from final
