-- player_box_scores: a table with the frames of BoxScoreTraditionalV3.
select
    gameId as game_id,
    personId as player_id,
    trim(concat(coalesce(firstName, ''), ' ', coalesce(familyName, ''))) as player_name,
    teamTricode as team_abbr,
    position != '' as is_starter,
    minutes = '' as is_dnp,
    -- 34:12, in minutes
    if(
        minutes = '', null,
        (60 * cast(split(minutes, ':')[offset(0)] as int64) + cast(split(minutes, ':')[offset(1)] as int64))
        / 60
    ) as minutes,
    points,
    fieldGoalsMade as fgm,
    fieldGoalsAttempted as fga,
    threePointersMade as fg3m,
    threePointersAttempted as fg3a,
    freeThrowsMade as ftm,
    freeThrowsAttempted as fta,
    reboundsOffensive as oreb,
    reboundsDefensive as dreb,
    assists as ast,
    steals as stl,
    blocks as blk,
    turnovers as tov,
    foulsPersonal as pf,
    nullif(comment, '') as dnp_reason,
    cast(plusMinusPoints as int64) as plus_minus
from nba.box_score_traditional_v3
where substr(gameId, 1, 3) in ('002', '004', '005')
