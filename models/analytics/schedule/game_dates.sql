with

games as (

    select * from {{ ref('int_games') }}
    where {{ in_seasons() }}

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

dated as (

    select
        dates.season_year,
        dates.games_scheduled,
        dates.games_final,
        dates.game_date,
        {{ days_between('seasons.first_date', 'dates.game_date') }} as day_of_season,
        {{ days_between('dates.game_date', 'seasons.regular_season_end') }}
            as days_left_of_regular_season,
    from dates
    inner join seasons on dates.season_year = cast(seasons.season_year as int64)

),

final as (

    select
        season_year,
        cast(day_of_season as int64) as day_of_season,
        games_scheduled,
        games_final,
        day_of_season < {{ days_var('bootstrap_days') }} as is_bootstrap,
        day_of_season < {{ days_var('boundary_first_days') }}
        or days_left_of_regular_season between 0 and {{ days_var('boundary_last_days') }} - 1
            as is_season_boundary,
        game_date,
    from dated

)

select * from final
