with

lines as (

    select * from {{ ref('player_game_summary') }}
    where {{ in_seasons() }}

),

ranked as (

    select
        game_id,
        player_id,
        team_abbr,
        season_year,
        {{ int_sum('case when is_played then 0 else 1 end', 'last_ten') }} as dnp_last_10_listings,
        {{ int_sum('1', 'last_ten') }} as last_10_listings,
        game_date,
        lead(game_date) over (
            partition by player_id, season_year
            order by game_date, game_id
        ) as next_listing_date,
    from lines
    window last_ten as (
        partition by player_id, season_year
        order by game_date, game_id
        rows between 9 preceding and current row
    )

)

select * from ranked
