{{ config(pre_hook="{{ load_missing_seed('seasons') }}") }}

with

games as (

    select * from {{ ref('stg_games') }}

),

seasons as (

    select * from {{ ref('seasons') }}

),

-- A postponed game has no date; its make-up date comes as a correction of game_date.
played_or_due as (

    select
        games.game_id,
        games.season,
        games.season_type,
        games.home_team_abbr,
        games.away_team_abbr,
        games.game_status,
        cast(seasons.season_year as int64) as season_year,
        games.home_score,
        games.away_score,
        games.game_status = 'final' as is_final,
        games.game_date,
    from games
    inner join seasons on games.season = seasons.season
    where games.game_status != 'postponed' and {{ in_seasons('seasons.season_year') }}

)

select * from played_or_due
