-- A final game counts more than the same game on an earlier schedule.
with

summaries as (

    select
        nba_game_id(game.GAME_ID) as game_id,
        game.GAME_DATE_EST as game_date,
        coalesce(home.TEAM_ABBREVIATION, nba_team(game.HOME_TEAM_ID, first_year)) as home_team_abbr,
        coalesce(away.TEAM_ABBREVIATION, nba_team(game.VISITOR_TEAM_ID, first_year))
            as away_team_abbr,
        whole(home.PTS) as home_score,
        whole(away.PTS) as away_score,
        nba_status(whole(game.GAME_STATUS_ID), false) as status,
        game.file_number
    from (
        select *, left(nba_season(nba_game_id(GAME_ID)), 4)::integer as first_year from game_summary
    ) as game
    left join line_score as home
        on game.GAME_ID = home.GAME_ID and game.HOME_TEAM_ID = home.TEAM_ID
        and game.file_number = home.file_number
    left join line_score as away
        on game.GAME_ID = away.GAME_ID and game.VISITOR_TEAM_ID = away.TEAM_ID
        and game.file_number = away.file_number

),

logged as (

    select
        nba_game_id(GAME_ID) as game_id,
        min(GAME_DATE) as game_date,
        max(TEAM_ABBREVIATION) filter (where MATCHUP not like '%@%') as home_team_abbr,
        max(TEAM_ABBREVIATION) filter (where MATCHUP like '%@%') as away_team_abbr,
        max(whole(PTS)) filter (where MATCHUP not like '%@%') as home_score,
        max(whole(PTS)) filter (where MATCHUP like '%@%') as away_score,
        case when bool_and(WL in ('W', 'L')) then 'final' else 'in_progress' end as status,
        file_number
    from game_log
    group by nba_game_id(GAME_ID), file_number
    -- A game of which one team is on a later page of the log is not known yet.
    having count(*) = 2

),

-- Dumps of shots name the teams and the date; the end of the play-by-play gives the score.
charted as (

    select
        charts.*,
        scores.home_score,
        scores.away_score,
        'final' as status
    from (
        select
            nba_game_id(GAME_ID) as game_id,
            min(GAME_DATE) as game_date,
            min(HTM) as home_team_abbr,
            min(VTM) as away_team_abbr,
            max(file_number) as file_number
        from shot_chart
        where HTM is not null
        group by nba_game_id(GAME_ID)
        union all
        select
            nba_game_id(GAME_ID) as game_id,
            -- 11-12-2024 is the 12th of November.
            strftime(strptime(min(GAME_DATE), '%m-%d-%Y'), '%Y%m%d') as game_date,
            min(HOME_TEAM) as home_team_abbr,
            min(AWAY_TEAM) as away_team_abbr,
            max(file_number) as file_number
        from shot_dump
        where HOME_TEAM is not null
        group by nba_game_id(GAME_ID)
    ) as charts
    left join (
        select
            nba_game_id(gameId) as game_id,
            max(whole(scoreHome)) as home_score,
            max(whole(scoreAway)) as away_score
        from play_by_play
        group by nba_game_id(gameId)
        having count(*) filter (where actionType = 'game' or subType = 'end') > 0
    ) as scores
        on charts.game_id = scores.game_id

),

scheduled as (

    select
        nba_game_id(gameId) as game_id,
        gameDateEst as game_date,
        homeTeam_teamTricode as home_team_abbr,
        awayTeam_teamTricode as away_team_abbr,
        case when whole(gameStatus) > 1 then whole(homeTeam_score) end as home_score,
        case when whole(gameStatus) > 1 then whole(awayTeam_score) end as away_score,
        nba_status(whole(gameStatus), nba_postponed(postponedStatus, gameStatusText)) as status,
        file_number
    from schedule

),

found as (

    select *, 2 as rank from scheduled
    union all by name
    select *, 2 as rank from summaries
    union all by name
    select *, 1 as rank from logged
    union all by name
    select *, 0 as rank from charted

)

select
    game_id,
    nba_season(game_id) as season,
    nba_season_type(game_id) as season_type,
    -- 2021-10-19T00:00:00, 10/19/2021 00:00:00, 20211019
    case
        when game_date like '____-__-__%' then left(game_date, 10)::date
        when game_date like '__/__/____%' then strptime(left(game_date, 10), '%m/%d/%Y')::date
        else strptime(left(game_date, 8), '%Y%m%d')::date
    end as game_date,
    nullif(home_team_abbr, '') as home_team_abbr,
    nullif(away_team_abbr, '') as away_team_abbr,
    home_score,
    away_score,
    status,
    file_number,
    case when status = 'final' then 10 else 0 end + rank as rank
from found
