with

player_games as (

    select * from {{ ref('int_player_games') }}
    where {{ in_seasons() }}

),

lines as (

    select * from {{ ref('player_game_summary') }}
    where {{ in_seasons() }}

),

final as (

    select
        player_games.player_id,
        player_games.season_year,
        player_games.game_number,
        lines.offensive_rebounds + lines.defensive_rebounds as rebounds,
        lines.assists,
        player_games.seconds_played,
        player_games.has_box_score,
        player_games.is_known_gap,
        player_games.game_date,
    from player_games
    left join lines
        on
            player_games.game_id = lines.game_id
            and player_games.player_id = lines.player_id

)

select * from final
