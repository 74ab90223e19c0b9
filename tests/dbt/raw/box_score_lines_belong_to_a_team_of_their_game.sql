-- Every box-score line is of a game on the schedule and of one of its two teams.
with

lines as (

    select * from {{ ref('stg_player_box_scores') }}

),

games as (

    select * from {{ ref('stg_games') }}

),

strays as (

    select
        lines.game_id,
        lines.player_id,
        lines.team_abbr,
        games.home_team_abbr,
        games.away_team_abbr,
        games.game_date,
    from lines
    left join games on lines.game_id = games.game_id
    where
        games.game_id is null
        or (
            {{ in_date_range('games.game_date') }}
            and coalesce(
                lines.team_abbr not in (games.home_team_abbr, games.away_team_abbr),
                true
            )
        )

)

select * from strays
