with

source as (

    select * from {{ source('nba_raw', 'games') }}

),

renamed as (

    select
        game_id,
        season,
        season_type,
        home_team_abbr,
        away_team_abbr,
        status as game_status,
        cast(home_score as int64) as home_score,
        cast(away_score as int64) as away_score,
        game_date,
    from source

)

select * from renamed
