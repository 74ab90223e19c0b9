{{ config(materialized='view', tags=['stage_coverage']) }}

-- Each game of a player whose box score or shot zones cannot be used, with what is wrong.

with

player_games as (

    select * from {{ ref('int_player_games') }}
    where not (has_box_score and has_complete_shot_zones)

),

lines as (

    select * from {{ ref('player_game_summary') }}

),

game_teams as (

    select * from {{ ref('int_game_teams') }}

),

final as (

    select
        player_games.game_id,
        player_games.player_id,
        player_games.team_abbr,
        game_teams.opponent_team_abbr,
        case
            when not player_games.is_played then 'no_box_score'
            when lines.contradiction is not null then 'contradictory_line'
            when not coalesce(game_teams.has_shots, false) then 'no_shots'
            else 'other_shots'
        end as gap,
        player_games.season_year,
        coalesce(game_teams.is_home, false) as is_home,
        player_games.is_known_gap,
        player_games.game_date,
    from player_games
    left join lines
        on
            player_games.game_id = lines.game_id
            and player_games.player_id = lines.player_id
    left join game_teams
        on
            player_games.game_id = game_teams.game_id
            and player_games.team_abbr = game_teams.team_abbr

)

select * from final
