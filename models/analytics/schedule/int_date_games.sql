with

game_teams as (

    select * from {{ ref('int_game_teams') }}
    where {{ in_seasons() }}

),

-- A team plays once a day. Should the schedule say otherwise (a game under two ids, too), the first
-- game that has lines of the team stands: for everything that asks which game of a date is meant.
numbered as (

    select
        *,
        row_number() over (
            partition by game_date, team_abbr
            order by has_box_score desc, game_id
        ) as game_of_day,
    from game_teams

)

select * from numbered
where game_of_day = 1
