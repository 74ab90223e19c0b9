with

source as (

    select * from {{ source('nba_raw', 'shots') }}

),

renamed as (

    select
        game_id,
        cast(event_number as int64) as event_number,
        cast(player_id as int64) as player_id,
        cast(assist_player_id as int64) as assist_player_id,
        cast(block_player_id as int64) as block_player_id,
        team_abbr,
        zone_basic,
        cast(period as int64) as period,
        cast(clock_seconds as {{ type_float64() }}) as clock_seconds,
        cast(shot_value as int64) as shot_value,
        cast(loc_x as int64) as loc_x,
        cast(loc_y as int64) as loc_y,
        cast(shot_distance_ft as int64) as shot_distance_ft,
        is_made,
        is_assisted,
        is_paint,
    from source

)

select * from renamed
