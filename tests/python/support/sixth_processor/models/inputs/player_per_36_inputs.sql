{{ config(
    meta={'date_column': 'analysis_date'},
    partition_by=daily_partition('analysis_date'),
    cluster_by=['player_id'],
) }}

with

as_of as (

    select * from {{ ref('int_player_as_of') }}
    where
        {{ in_date_range('analysis_date') }}
        and games_played > 0

),

registry as (

    select * from {{ ref('stg_player_registry') }}

),

-- actual_game_count is the number of the last game of the player's window.
final as (

    select
        as_of.player_id,
        registry.player_lookup,
        registry.universal_player_id,
        as_of.season_year,
        as_of.actual_game_count,
        as_of.analysis_date,
    from as_of
    left join registry on as_of.player_id = registry.player_id

)

select * from final
