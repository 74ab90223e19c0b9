with

game_teams as (

    select * from {{ ref('int_game_teams') }}
    where {{ in_seasons() }}

),

-- A team plays once a day; should the schedule say otherwise, the first game stands.
numbered as (

    select
        *,
        row_number() over (
            partition by game_date, team_abbr
            order by game_id
        ) as game_of_day,
    from game_teams

)

select * from numbered
where game_of_day = 1
