with

games as (

    select * from {{ ref('int_games') }}
    where {{ in_seasons() }}

),

listed_teams as (

    select distinct
        game_id,
        team_abbr,
    from {{ ref('stg_player_box_scores') }}

),

shooting_teams as (

    select
        game_id,
        team_abbr,
        cast(count(*) as int64) as shots_taken,
        cast(max(period) as int64) as last_period,
    from {{ ref('stg_shots') }}
    group by game_id, team_abbr

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
        game_date,
    from games

),

-- Judge the data of a game by team: a feed may deliver only one side.
final as (

    select
        sides.*,
        max(shooting_teams.last_period) over (partition by sides.game_id) as periods,
        shooting_teams.shots_taken,
        listed_teams.game_id is not null as has_box_score,
        shooting_teams.game_id is not null as has_shots,
        case
            when is_final and team_points != opponent_points then team_points > opponent_points
        end as win_flag,
    from sides
    left join listed_teams
        on
            sides.game_id = listed_teams.game_id
            and sides.team_abbr = listed_teams.team_abbr
    left join shooting_teams
        on
            sides.game_id = shooting_teams.game_id
            and sides.team_abbr = shooting_teams.team_abbr

)

select * from final
