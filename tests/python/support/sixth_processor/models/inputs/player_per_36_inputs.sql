{{ config(
    date_column='analysis_date',
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

lines as (

    select * from {{ ref('player_game_summary') }}

),

registry as (

    select * from {{ ref('stg_player_registry') }}

),

-- The ten most recent actual games of each player before each date.
final as (

    select
        as_of.player_id,
        {{ first_rank_only('registry.player_lookup', 'as_of') }} as player_lookup,
        {{ first_rank_only('registry.universal_player_id', 'as_of') }} as universal_player_id,
        as_of.season_year,
        as_of.actual_game_count,
        as_of.actual_game_count - player_games.game_number + 1 as game_rank,
        lines.offensive_rebounds + lines.defensive_rebounds as rebounds,
        lines.assists,
        player_games.seconds_played,
        player_games.has_box_score,
        as_of.analysis_date,
        player_games.game_date,
    from as_of
    inner join player_games
        on
            as_of.player_id = player_games.player_id
            and as_of.season_year = player_games.season_year
            and player_games.game_number > as_of.actual_game_count - 10
            and player_games.game_number <= as_of.actual_game_count
    left join lines
        on
            player_games.game_id = lines.game_id
            and player_games.player_id = lines.player_id
    left join registry on as_of.player_id = registry.player_id

)

select * from final
