-- games: a table with the frames of ScheduleLeagueV2.
select
    gameId as game_id,
    concat(
        '20', substr(gameId, 4, 2), '-', format('%02d', mod(cast(substr(gameId, 4, 2) as int64) + 1, 100))
    ) as season,
    case substr(gameId, 1, 3)
        when '002' then 'regular' when '004' then 'playoffs' else 'play_in'
    end as season_type,
    cast(substr(gameDateEst, 1, 10) as date) as game_date,
    homeTeam_teamTricode as home_team_abbr,
    awayTeam_teamTricode as away_team_abbr,
    if(gameStatus > 1, homeTeam_score, null) as home_score,
    if(gameStatus > 1, awayTeam_score, null) as away_score,
    case gameStatus when 1 then 'scheduled' when 2 then 'in_progress' else 'final' end as status
from nba.schedule_league_v2
where substr(gameId, 1, 3) in ('002', '004', '005') and homeTeam_teamTricode != ''
