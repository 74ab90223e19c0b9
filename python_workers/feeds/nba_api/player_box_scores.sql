with

third as (

    select
        nba_game_id(gameId) as game_id,
        whole(personId) as player_id,
        full_name(firstName, familyName) as player_name,
        teamTricode as team_abbr,
        nullif(position, '') as position,
        nullif(comment, '') as dnp_reason,
        nullif(minutes, '') as minutes,
        points, fieldGoalsMade as fgm, fieldGoalsAttempted as fga, threePointersMade as fg3m,
        threePointersAttempted as fg3a, freeThrowsMade as ftm, freeThrowsAttempted as fta,
        reboundsOffensive as oreb, reboundsDefensive as dreb, assists as ast, steals as stl,
        blocks as blk, turnovers as tov, foulsPersonal as pf, plusMinusPoints as plus_minus,
        file_number,
        3 as rank
    from box_score_v3

),

second as (

    select
        nba_game_id(GAME_ID) as game_id,
        whole(PLAYER_ID) as player_id,
        PLAYER_NAME as player_name,
        TEAM_ABBREVIATION as team_abbr,
        nullif(START_POSITION, '') as position,
        nullif(trim(COMMENT), '') as dnp_reason,
        nullif(MIN, '') as minutes,
        PTS as points, FGM as fgm, FGA as fga, FG3M as fg3m, FG3A as fg3a, FTM as ftm, FTA as fta,
        OREB as oreb, DREB as dreb, AST as ast, STL as stl, BLK as blk, "TO" as tov, PF as pf,
        PLUS_MINUS as plus_minus,
        file_number,
        2 as rank
    from box_score_v2

),

inactive as (

    select
        nba_game_id(GAME_ID) as game_id,
        whole(PLAYER_ID) as player_id,
        full_name(FIRST_NAME, LAST_NAME) as player_name,
        TEAM_ABBREVIATION as team_abbr,
        'Inactive' as dnp_reason,
        file_number,
        1 as rank
    from inactive_players
    union all
    select
        nba_game_id(gameId) as game_id,
        whole(personId) as player_id,
        full_name(firstName, familyName) as player_name,
        teamTricode as team_abbr,
        'Inactive' as dnp_reason,
        file_number,
        1 as rank
    from inactive_players_v3

),

lines as (

    select * from third
    union all by name
    select * from second
    union all by name
    select * from inactive

)

select
    game_id,
    player_id,
    player_name,
    team_abbr,
    -- Both endpoints give a position to the five who start, and to nobody else.
    position is not null as is_starter,
    minutes is null as is_dnp,
    minutes,
    whole(points) as points,
    whole(fgm) as fgm,
    whole(fga) as fga,
    whole(fg3m) as fg3m,
    whole(fg3a) as fg3a,
    whole(ftm) as ftm,
    whole(fta) as fta,
    whole(oreb) as oreb,
    whole(dreb) as dreb,
    whole(ast) as ast,
    whole(stl) as stl,
    whole(blk) as blk,
    whole(tov) as tov,
    whole(pf) as pf,
    position,
    case when minutes is null then dnp_reason end as dnp_reason,
    case when minutes is not null then whole(plus_minus) end as plus_minus,
    file_number,
    rank
from lines
-- Both teams of a game may list a player who was traded that day: the line with playing time counts.
-- Two such lines of one team stay, and end the conversion.
qualify rank() over (
    partition by game_id, player_id, rank, file_number
    order by is_dnp, case when is_dnp then team_abbr end
) = 1
