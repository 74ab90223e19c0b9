with

available as (

    select * from {{ ref('int_team_games') }}
    where has_box_score

),

-- Each sum, and the number of games with a known value: means skip games with unknown values.
rolling as (

    select
        team_abbr,
        season_year,
        available_games,
        {{ int_sum('pace_e4', 'last_10') }} as pace_e4_last_10,
        cast(count(pace_e4) over last_10 as int64) as pace_games_last_10,
        {{ int_sum('offensive_rating_e4', 'last_10') }} as offensive_rating_e4_last_10,
        cast(count(offensive_rating_e4) over last_10 as int64) as rating_games_last_10,
        cast(count(*) over last_15 as int64) as games_last_15,
        {{ int_sum('defensive_rating_e4', 'last_15') }} as defensive_rating_e4_last_15,
        cast(count(defensive_rating_e4) over last_15 as int64) as rating_games_last_15,
        {{ int_sum('opponent_pace_e4', 'last_15') }} as opponent_pace_e4_last_15,
        cast(count(opponent_pace_e4) over last_15 as int64) as pace_games_last_15,
        {{ int_sum('points_allowed', 'last_15') }} as points_allowed_last_15,
        cast(count(points_allowed) over last_15 as int64) as points_games_last_15,
        cast(count(paint_attempts) over last_15 as int64) as zone_games_last_15,
        {{ int_sum('paint_makes', 'last_15') }} as paint_makes_last_15,
        {{ int_sum('paint_attempts', 'last_15') }} as paint_attempts_last_15,
        {{ int_sum('mid_range_makes', 'last_15') }} as mid_range_makes_last_15,
        {{ int_sum('mid_range_attempts', 'last_15') }} as mid_range_attempts_last_15,
        {{ int_sum('three_makes', 'last_15') }} as three_makes_last_15,
        {{ int_sum('three_attempts', 'last_15') }} as three_attempts_last_15,
    from available
    window
        last_10 as (
            partition by team_abbr, season_year
            order by available_games rows between 9 preceding and current row
        ),
        last_15 as (
            partition by team_abbr, season_year
            order by available_games rows between 14 preceding and current row
        )

)

select * from rolling
