-- A game without a schedule row stands in its box score, too: a row per player, from either side.
-- A final game counts more than the same game on an earlier schedule.
with

boxed as (

    select
        game_id,
        season,
        season_type,
        game_date,
        max(case is_home when true then team_abbreviation when false then opponent_team_abbreviation end)
            as home_abbreviation,
        max(case is_home when false then team_abbreviation when true then opponent_team_abbreviation end)
            as away_abbreviation,
        max(case is_home when true then team_score when false then opponent_team_score end)
            as home_score,
        max(case is_home when false then team_score when true then opponent_team_score end)
            as away_score,
        'true' as status_type_completed,
        file_number,
        0 as rank
    from (select *, either(home_away, ['home'], ['away']) as is_home from player_box)
    group by game_id, season, season_type, game_date, file_number

),

found as (

    select *, 1 as rank from schedule
    union all by name
    select
        * replace (
            -- Without opponent_team_score, a team's rows may stand in another file.
            coalesce(home_score, max(home_score) over (partition by game_id)) as home_score,
            coalesce(away_score, max(away_score) over (partition by game_id)) as away_score
        )
    from boxed

)

select
    espn_game_id(game_id) as game_id,
    -- The source names a season by the year in which it ends.
    season_from(whole(season)::integer - 1) as season,
    case
        when whole(season_type) = 1 then 'preseason'
        -- The source has these two among the games that count.
        when home_team_abbr not in (select code from nba_teams) then 'All-Star'
        when whole(season_type) = 2 and notes_headline ilike '%championship%' then 'Cup final'
        when whole(season_type) = 2 then 'regular'
        when whole(season_type) = 3 then 'playoffs'
        when whole(season_type) = 5 then 'play_in'
        else 'other'
    end as season_type,
    left(game_date, 10)::date as game_date,
    home_team_abbr,
    away_team_abbr,
    case when is_final then whole(home_score) end as home_score,
    case when is_final then whole(away_score) end as away_score,
    case when is_final then 'final' else 'scheduled' end as status,
    file_number,
    case when is_final then 10 else 0 end + rank as rank
from (
    select
        * exclude (notes_headline),
        -- A schedule alone names the kind of a game, before and after it.
        max(notes_headline) over (partition by whole(game_id)) as notes_headline,
        team_of_espn(home_abbreviation) as home_team_abbr,
        team_of_espn(away_abbreviation) as away_team_abbr,
        coalesce(flag(status_type_completed), false) as is_final
    from found
)
