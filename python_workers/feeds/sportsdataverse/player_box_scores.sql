select
    espn_game_id(game_id) as game_id,
    whole(athlete_id) as player_id,
    athlete_display_name as player_name,
    team_of_espn(team_abbreviation) as team_abbr,
    coalesce(flag(starter), false) as is_starter,
    is_dnp,
    -- A line with counts and without minutes stays so: its playing time is not known.
    case when not is_dnp then nullif(whole(minutes), 0) end as minutes,
    whole(points) as points,
    whole(field_goals_made) as fgm,
    whole(field_goals_attempted) as fga,
    whole(three_point_field_goals_made) as fg3m,
    whole(three_point_field_goals_attempted) as fg3a,
    whole(free_throws_made) as ftm,
    whole(free_throws_attempted) as fta,
    whole(offensive_rebounds) as oreb,
    whole(defensive_rebounds) as dreb,
    whole(assists) as ast,
    whole(steals) as stl,
    whole(blocks) as blk,
    whole(turnovers) as tov,
    whole(fouls) as pf,
    athlete_position_abbreviation as position,
    case when is_dnp then nullif(reason, '') end as dnp_reason,
    case when not is_dnp then whole(replace(plus_minus, '+', '')) end as plus_minus,
    file_number
from (
    select *, coalesce(flag(did_not_play), false) as is_dnp from player_box
)
-- Both teams of a game may list a player who was traded that day: the line with playing time counts.
-- Two such lines of one team stay, and end the conversion.
qualify rank() over (
    partition by game_id, player_id, file_number
    order by is_dnp, case when is_dnp then team_abbr end
) = 1
