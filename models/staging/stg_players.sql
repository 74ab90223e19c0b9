with

source as (

    select * from {{ source('nba_raw', 'players') }}

),

renamed as (

    select
        cast(player_id as int64) as player_id,
        player_name as player_full_name,
        position as player_position,
        birth_date,
    from source

)

select * from renamed
