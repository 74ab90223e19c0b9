with

games as (

    select * from {{ ref('int_games') }}

),

seasons as (

    select * from {{ ref('seasons') }}

),

dates as (

    select
        game_date,
        min(season_year) as season_year,
        cast(count(*) as int64) as games_scheduled,
        cast(countif(is_final) as int64) as games_final,
    from games
    group by game_date

),

final as (

    select
        dates.season_year,
        cast({{ days_between('seasons.first_date', 'dates.game_date') }} as int64) as day_of_season,
        dates.games_scheduled,
        dates.games_final,
        {{ days_between('seasons.first_date', 'dates.game_date') }} < {{ var('bootstrap_days') }}
            as is_bootstrap,
        {{ days_between('seasons.first_date', 'dates.game_date') }} < {{ var('boundary_first_days') }}
        or {{ days_between('dates.game_date', 'seasons.regular_season_end') }}
        between 0 and {{ var('boundary_last_days') }} - 1
            as is_season_boundary,
        dates.game_date,
    from dates
    inner join seasons on dates.season_year = cast(seasons.season_year as int64)

)

select * from final
