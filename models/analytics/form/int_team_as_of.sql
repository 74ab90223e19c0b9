with

team_games as (

    select * from {{ ref('int_team_games') }}
    where {{ in_seasons() }}

),

game_teams as (

    select * from {{ ref('int_game_teams') }}
    where {{ in_seasons() }}

),

game_dates as (

    select * from {{ ref('game_dates') }}
    where {{ in_seasons() }}

),

season_teams as (

    select distinct
        season_year,
        team_abbr,
    from game_teams

),

latest as (

    select
        team_games.team_abbr,
        team_games.actual_games,
        team_games.available_games,
        team_games.wins_so_far,
        team_games.decided_so_far,
        team_games.game_date as last_game_date,
        game_dates.game_date as analysis_date,
    from team_games
    inner join game_dates
        on
            team_games.season_year = game_dates.season_year
            and game_dates.game_date > team_games.game_date
            and (
                team_games.next_game_date is null
                or game_dates.game_date <= team_games.next_game_date
            )

),

final as (

    select
        season_teams.team_abbr,
        season_teams.season_year,
        coalesce(latest.actual_games, 0) as actual_games,
        coalesce(latest.available_games, 0) as available_games,
        coalesce(latest.wins_so_far, 0) as wins_so_far,
        coalesce(latest.decided_so_far, 0) as decided_so_far,
        game_dates.game_date as analysis_date,
        latest.last_game_date,
    from game_dates
    inner join season_teams on game_dates.season_year = season_teams.season_year
    left join latest
        on
            game_dates.game_date = latest.analysis_date
            and season_teams.team_abbr = latest.team_abbr

)

select * from final
