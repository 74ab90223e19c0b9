-- Every game on the schedule is of a season in the seasons seed; others are left out of everything.
with

games as (

    select * from {{ ref('stg_games') }}

),

seasons as (

    select * from {{ ref('seasons') }}

),

unknown as (

    select
        games.game_id,
        games.season,
        games.game_date,
    from games
    left join seasons on games.season = seasons.season
    where
        {{ in_date_range('games.game_date') }}
        and seasons.season is null

)

select * from unknown
