-- games: one table of LeagueGameLog per season, game_log_2021 and so on, with a row per team.
-- A game without one row with "vs." and one with "@" is left out.
select
    home.GAME_ID as game_id,
    concat(home._table_suffix, '-', format('%02d', mod(cast(home._table_suffix as int64) + 1, 100))) as season,
    case substr(home.GAME_ID, 1, 3)
        when '002' then 'regular' when '004' then 'playoffs' else 'play_in'
    end as season_type,
    cast(home.GAME_DATE as date) as game_date,
    home.TEAM_ABBREVIATION as home_team_abbr,
    away.TEAM_ABBREVIATION as away_team_abbr,
    home.PTS as home_score,
    away.PTS as away_score,
    if(home.WL is null, 'in_progress', 'final') as status
from `nba.game_log_*` as home
inner join `nba.game_log_*` as away
    on home.GAME_ID = away.GAME_ID and home._table_suffix = away._table_suffix
where
    home.MATCHUP like '% vs. %'
    and away.MATCHUP like '% @ %'
    and substr(home.GAME_ID, 1, 3) in ('002', '004', '005')
