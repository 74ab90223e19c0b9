{{ config(
    materialized='date_range',
    date_column='analysis_date',
    partition_by=daily_partition('analysis_date'),
    cluster_by=['processor_name'],
    tags=['stage_inputs'],
) }}

with

shot_zone_players as (

    select
        player_id,
        player_lookup,
        actual_game_count,
        analysis_date,
    from {{ ref('player_shot_zone_inputs') }}
    where
        {{ in_date_range('analysis_date') }}
        and game_rank = 1

),

listed_players as (

    select
        player_id,
        player_lookup,
        actual_game_count,
        game_date as analysis_date,
    from {{ ref('upcoming_player_game_context') }}
    where {{ in_date_range('game_date') }}

),

teams as (

    select
        cast(null as int64) as player_id,
        team_abbr,
        actual_game_count,
        analysis_date,
    from {{ ref('team_defense_zone_inputs') }}
    where {{ in_date_range('analysis_date') }}

),

final as (

    select
        'TeamDefenseZoneAnalysisProcessor' as processor_name,
        team_abbr as entity_id,
        player_id,
        actual_game_count,
        analysis_date,
    from teams

    union all

    select
        'PlayerShotZoneAnalysisProcessor' as processor_name,
        player_lookup as entity_id,
        player_id,
        actual_game_count,
        analysis_date,
    from shot_zone_players
    {% for processor_name in [
        'PlayerCompositeFactorsProcessor', 'PlayerDailyCacheProcessor', 'MLFeatureStoreProcessor'
    ] %}
    union all

    select
        '{{ processor_name }}' as processor_name,
        player_lookup as entity_id,
        player_id,
        actual_game_count,
        analysis_date,
    from listed_players
    {% endfor %}
)

select * from final
