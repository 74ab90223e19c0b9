with

game_teams as (

    select * from {{ ref('int_game_teams') }}

),

-- A team plays once a day. If the schedule has two games (or one game under two ids), every model
-- takes the first game that has lines of the team.
numbered as (

    select
        *,
        row_number() over (
            partition by game_date, team_abbr
            order by has_box_score desc, game_id asc
        ) as game_of_day,
    from game_teams

)

select * from numbered
where game_of_day = 1
