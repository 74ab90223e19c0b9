-- A final game counts more than the same game on an earlier schedule.
with

lines as (

    select distinct
        nba_game_id(GAME_ID) as game_id,
        whole(TEAM_ID) as team_id,
        TEAM_ABBREVIATION,
        PTS,
        file_number
    from line_score

),

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
    left join lines as home
        on nba_game_id(game.GAME_ID) = home.game_id and whole(game.HOME_TEAM_ID) = home.team_id
    left join lines as away
        on nba_game_id(game.GAME_ID) = away.game_id and whole(game.VISITOR_TEAM_ID) = away.team_id
    -- An answer has both sets; as tables they are two files.
    qualify rank() over (
        partition by nba_game_id(game.GAME_ID), game.file_number
        order by
            coalesce(home.file_number = game.file_number, false) desc,
            home.file_number desc nulls last,
            coalesce(away.file_number = game.file_number, false) desc,
            away.file_number desc nulls last
    ) = 1

),

-- A log has a row per team.
sides as (

    select distinct
        nba_game_id(GAME_ID) as game_id,
        GAME_DATE as game_date,
        TEAM_ABBREVIATION as team_abbr,
        MATCHUP like '%@%' as is_away,
        whole(PTS) as points,
        either(WL, ['w'], ['l']) is not null as has_ended,
        file_number
    from game_log

),

logged as (

    select
        home.game_id,
        home.game_date,
        home.team_abbr as home_team_abbr,
        away.team_abbr as away_team_abbr,
        home.points as home_score,
        away.points as away_score,
        case when home.has_ended and away.has_ended then 'final' else 'in_progress' end as status,
        greatest(home.file_number, away.file_number) as file_number
    from sides as home
    inner join sides as away on home.game_id = away.game_id
    where not home.is_away and away.is_away
    -- The other team may be in an earlier file.
    qualify rank() over (
        partition by home.game_id, greatest(home.file_number, away.file_number)
        order by least(home.file_number, away.file_number) desc
    ) = 1

),

-- Games whose rows do not say who was at home. Without teams the conversion leaves them out by name,
-- unless another source has them.
without_sides as (

    select game_id, max(file_number) as file_number
    from (
        select game_id, file_number from sides
        where game_id not in (select game_id from logged)
        union all
        select game_id, file_number from lines
        where game_id not in (select game_id from summaries)
    )
    group by game_id

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
    union all by name
    select *, -1 as rank from without_sides

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
