-- A box score knows more of a game than a schedule, once the game has begun.
with

found as (

    select
        nba_game_id(gameId) as game_id,
        -- The evening in New York: in UTC, late games are on the next day.
        gameEt as game_date,
        homeTeam as home_team_abbr,
        awayTeam as away_team_abbr,
        whole(homeScore) as home_score,
        whole(awayScore) as away_score,
        whole(gameStatus) as game_status,
        false as is_postponed,
        file_number,
        1 as rank
    from game
    union all
    select
        nba_game_id(gameId) as game_id,
        gameDateEst as game_date,
        homeTeam_teamTricode as home_team_abbr,
        awayTeam_teamTricode as away_team_abbr,
        whole(homeTeam_score) as home_score,
        whole(awayTeam_score) as away_score,
        whole(gameStatus) as game_status,
        nba_postponed(postponedStatus, gameStatusText) as is_postponed,
        file_number,
        0 as rank
    from schedule

)

select
    game_id,
    nba_season(game_id) as season,
    nba_season_type(game_id) as season_type,
    left(game_date, 10)::date as game_date,
    nullif(home_team_abbr, '') as home_team_abbr,
    nullif(away_team_abbr, '') as away_team_abbr,
    case when game_status > 1 then home_score end as home_score,
    case when game_status > 1 then away_score end as away_score,
    nba_status(game_status, is_postponed) as status,
    file_number,
    10 * game_status + rank as rank
from found
