with

games as (

    select * from {{ ref('int_games') }}
    where {{ in_seasons() }}

),

sides as (

    select
        game_id,
        season_type,
        home_team_abbr as team_abbr,
        away_team_abbr as opponent_team_abbr,
        season_year,
        home_score as team_points,
        away_score as opponent_points,
        true as is_home,
        is_final,
        has_box_score,
        has_shots,
        game_date,
    from games

    union all

    select
        game_id,
        season_type,
        away_team_abbr as team_abbr,
        home_team_abbr as opponent_team_abbr,
        season_year,
        away_score as team_points,
        home_score as opponent_points,
        false as is_home,
        is_final,
        has_box_score,
        has_shots,
        game_date,
    from games

),

final as (

    select
        *,
        case
            when is_final and team_points != opponent_points then team_points > opponent_points
        end as win_flag,
    from sides

)

select * from final
