select
    nba_game_id(gameId) as game_id,
    whole(personId) as player_id,
    name as player_name,
    teamTricode as team_abbr,
    flag(starter) as is_starter,
    not flag(played) as is_dnp,
    case when flag(played) then minutes end as minutes,
    whole(points) as points,
    whole(fieldGoalsMade) as fgm,
    whole(fieldGoalsAttempted) as fga,
    whole(threePointersMade) as fg3m,
    whole(threePointersAttempted) as fg3a,
    whole(freeThrowsMade) as ftm,
    whole(freeThrowsAttempted) as fta,
    whole(reboundsOffensive) as oreb,
    whole(reboundsDefensive) as dreb,
    whole(assists) as ast,
    whole(steals) as stl,
    whole(blocks) as blk,
    whole(turnovers) as tov,
    whole(foulsPersonal) as pf,
    nullif(position, '') as position,
    case when not flag(played) then reason end as dnp_reason,
    case when flag(played) then whole(plusMinusPoints) end as plus_minus,
    file_number
from box_score
-- Both teams of a game may list a player who was traded that day: the line with playing time counts.
-- Two such lines of one team stay, and end the conversion.
qualify rank() over (
    partition by game_id, player_id, file_number
    order by is_dnp, case when is_dnp then team_abbr end
) = 1
