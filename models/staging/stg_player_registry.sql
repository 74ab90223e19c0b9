with

source as (

    select * from {{ source('nba_raw', 'player_registry') }}

),

renamed as (

    select
        cast(player_id as int64) as player_id,
        player_lookup,
        universal_player_id,
        player_name as registered_name,
        first_game_date,
    from source

)

select * from renamed
