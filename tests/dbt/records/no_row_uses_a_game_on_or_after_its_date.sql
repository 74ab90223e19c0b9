-- No input of a date comes from a game on that date or after it.
with

used_games as (

    select
        'player_shot_zone_inputs' as table_name,
        analysis_date,
        player_id,
        game_date as used_date,
    from {{ ref('player_shot_zone_inputs') }}
    where {{ in_date_range('analysis_date') }}

    union all

    select
        'player_daily_cache_inputs' as table_name,
        analysis_date,
        player_id,
        greatest(
            coalesce(game_date, date '1900-01-01'),
            coalesce(last_played_date, date '1900-01-01')
        ) as used_date,
    from {{ ref('player_daily_cache_inputs') }}
    where {{ in_date_range('analysis_date') }}

    union all

    select
        'upcoming_player_game_context' as table_name,
        game_date as analysis_date,
        player_id,
        last_played_date as used_date,
    from {{ ref('upcoming_player_game_context') }}
    where {{ in_date_range('game_date') }}

)

select * from used_games
where used_date >= analysis_date
