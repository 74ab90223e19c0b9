select
    nba_game_id(gameId) as game_id,
    whole(actionNumber) as event_number,
    whole(period) as period,
    seconds_of_clock(clock) as clock_seconds,
    whole(personId) as player_id,
    teamTricode as team_abbr,
    left(actionType, 1)::bigint as shot_value,
    made(shotResult) as is_made,
    whole(assistPersonId) is not null as is_assisted,
    whole(assistPersonId) as assist_player_id,
    whole(blockPersonId) as block_player_id,
    case when area in (
        'Restricted Area', 'In The Paint (Non-RA)', 'Mid-Range', 'Left Corner 3', 'Right Corner 3',
        'Above the Break 3', 'Backcourt'
    ) then area end as zone_basic,
    measure(xLegacy) as loc_x,
    measure(yLegacy) as loc_y,
    measure(shotDistance) as shot_distance_ft,
    file_number
from play_by_play as actions
-- A corrected play-by-play may lack an action of the former one.
anti join (
    select
        gameId,
        file_number,
        min(whole(orderNumber)) as first_order,
        max(whole(orderNumber)) as last_order
    from play_by_play
    group by all
) as later
    on actions.gameId = later.gameId and actions.file_number < later.file_number
    and whole(actions.orderNumber) between later.first_order and later.last_order
where flag(isFieldGoal)
