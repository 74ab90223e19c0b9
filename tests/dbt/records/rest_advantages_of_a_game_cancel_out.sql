-- The advantage of a team, the same for all its players, is the disadvantage of its opponent: both
-- are known and sum to 0, or neither is known.
with

teams as (

    select
        game_date,
        game_id,
        team_abbr,
        min(rest_advantage) as rest_advantage,
        case
            when count(rest_advantage) not in (0, count(*)) then 1
            when min(rest_advantage) != max(rest_advantage) then 1
            else 0
        end as differs,
    from {{ ref('ml_feature_store_v2') }}
    where {{ in_date_range('game_date') }}
    group by game_date, game_id, team_abbr

),

games as (

    select
        game_date,
        game_id,
        count(*) as teams,
        count(rest_advantage) as known_teams,
        {{ int_sum('rest_advantage') }} as sum_of_both,
        max(differs) as differs,
    from teams
    group by game_date, game_id

)

select * from games
where
    differs = 1
    or (teams = 2 and known_teams = 1)
    or (teams = 2 and sum_of_both != 0)
