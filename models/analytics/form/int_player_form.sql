with

lines as (

    select * from {{ ref('player_game_summary') }}
    where {{ in_seasons() }}

),

played as (

    select
        player_id,
        game_id,
        team_abbr,
        season_year,
        points,
        ft_makes,
        seconds_played,
        {{ fixed_point('usage_rate', 4) }} as usage_e4,
        paint_attempts,
        mid_range_attempts,
        three_attempts_pbp as three_attempts,
        game_date,
        row_number() over (
            partition by player_id, season_year
            order by game_date, game_id
        ) as played_number,
    from lines
    where is_played and contradiction is null

),

-- Rolling sums up to and including each game. The values known on D are in the row of the last game
-- before D. numbered_points gives least-squares slopes without a self-join.
rolling as (

    select
        player_id,
        game_id,
        team_abbr,
        season_year,
        played_number,
        points,
        seconds_played,
        {{ int_sum('points', 'last_2') }} as points_last_2,
        {{ int_sum('points', 'last_3') }} as points_last_3,
        {{ int_sum('points', 'last_5') }} as points_last_5,
        {{ int_sum('points', 'last_7') }} as points_last_7,
        {{ int_sum('points', 'last_10') }} as points_last_10,
        {{ int_sum('points', 'so_far') }} as points_so_far,
        {{ int_sum('points * points', 'last_10') }} as points_squared_last_10,
        {{ int_sum('points * points', 'so_far') }} as points_squared_so_far,
        {{ int_sum('played_number * points', 'last_7') }} as numbered_points_last_7,
        {{ int_sum('played_number * points', 'last_10') }} as numbered_points_last_10,
        {{ int_sum('ft_makes', 'last_10') }} as ft_points_last_10,
        {{ int_sum('usage_e4', 'last_5') }} as usage_e4_last_5,
        cast(count(usage_e4) over last_5 as int64) as usage_games_last_5,
        {{ int_sum('usage_e4', 'last_7') }} as usage_e4_last_7,
        cast(count(usage_e4) over last_7 as int64) as usage_games_last_7,
        {{ int_sum('seconds_played', 'last_7') }} as seconds_last_7,
        cast(count(seconds_played) over last_7 as int64) as minutes_games_last_7,
        {{ int_sum('seconds_played', 'last_10') }} as seconds_last_10,
        cast(count(seconds_played) over last_10 as int64) as minutes_games_last_10,
        {{ int_sum('seconds_played', 'so_far') }} as seconds_so_far,
        cast(count(seconds_played) over so_far as int64) as minutes_games_so_far,
        {{ int_sum('paint_attempts', 'last_10') }} as paint_attempts_last_10,
        {{ int_sum('mid_range_attempts', 'last_10') }} as mid_range_attempts_last_10,
        {{ int_sum('three_attempts', 'last_10') }} as three_attempts_last_10,
        game_date,
    from played
    window
        last_2 as (
            partition by player_id, season_year
            order by played_number rows between 1 preceding and current row
        ),
        last_3 as (
            partition by player_id, season_year
            order by played_number rows between 2 preceding and current row
        ),
        last_5 as (
            partition by player_id, season_year
            order by played_number rows between 4 preceding and current row
        ),
        last_7 as (
            partition by player_id, season_year
            order by played_number rows between 6 preceding and current row
        ),
        last_10 as (
            partition by player_id, season_year
            order by played_number rows between 9 preceding and current row
        ),
        so_far as (
            partition by player_id, season_year
            order by played_number rows between unbounded preceding and current row
        )

),

-- How many of the latest games, counted back without a break, stayed below the season's mean.
recent as (

    select
        latest.player_id,
        latest.season_year,
        latest.played_number,
        min(
            case
                when earlier.points * latest.played_number >= latest.points_so_far
                    then latest.played_number - earlier.played_number
            end
        ) as games_since_mean_reached,
        count(*) as games_looked_at,
    from rolling as latest
    inner join rolling as earlier
        on
            latest.player_id = earlier.player_id
            and latest.season_year = earlier.season_year
            and earlier.played_number between latest.played_number - 9 and latest.played_number
    group by latest.player_id, latest.season_year, latest.played_number

),

final as (

    select
        rolling.*,
        cast(coalesce(recent.games_since_mean_reached, recent.games_looked_at) as int64)
            as consecutive_games_below_avg,
    from rolling
    inner join recent
        on
            rolling.player_id = recent.player_id
            and rolling.season_year = recent.season_year
            and rolling.played_number = recent.played_number

)

select * from final
