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

player_games as (

    select * from {{ ref('int_player_games') }}

),

players as (

    select * from {{ ref('stg_players') }}

),

registry as (

    select * from {{ ref('stg_player_registry') }}

),

-- The twenty most recent actual games of each player before each date. Only the row of the most
-- recent game has the text columns: five million copies took most of this table's time.
final as (

    select
        as_of.player_id,
        {{ first_rank_only('registry.player_lookup', 'as_of') }} as player_lookup,
        {{ first_rank_only('registry.universal_player_id', 'as_of') }} as universal_player_id,
        {{ first_rank_only("nullif(players.player_position, '')", 'as_of') }} as player_position,
        as_of.season_year,
        as_of.actual_game_count,
        as_of.actual_game_count - player_games.game_number + 1 as game_rank,
        player_games.paint_makes,
        player_games.paint_attempts,
        player_games.mid_range_makes,
        player_games.mid_range_attempts,
        player_games.three_makes,
        player_games.three_attempts,
        player_games.assisted_fg_makes,
        player_games.unassisted_fg_makes,
        player_games.has_complete_shot_zones,
        as_of.analysis_date,
        player_games.game_date,
    from as_of
    inner join player_games
        on
            as_of.player_id = player_games.player_id
            and as_of.season_year = player_games.season_year
            and player_games.game_number > as_of.actual_game_count - 20
            and player_games.game_number <= as_of.actual_game_count
    left join players on as_of.player_id = players.player_id
    left join registry on as_of.player_id = registry.player_id

)

select * from final
