-- A shot stands in ShotChartDetail, in the play-by-play, or in both under the same number.
with

actions as (

    select
        *,
        nba_game_id(gameId) as game_id,
        whole(personId) as player_id,
        isFieldGoal in ('1', '1.0', 'true') and shotResult in ('Made', 'Missed') as is_shot
    from play_by_play

),

-- The description names the assister without his id: Brown 26' 3PT Jump Shot (3 PTS) (Tatum 1 AST)
names as (

    select game_id, teamTricode, name, min(player_id) as player_id
    from (
        select distinct game_id, teamTricode, strip_accents(playerName) as name, player_id
        from actions where playerName <> ''
        union
        select distinct game_id, teamTricode, strip_accents(playerNameI) as name, player_id
        from actions where playerNameI <> ''
    )
    group by all
    -- Two players of a team may share a name.
    having count(distinct player_id) = 1

),

blocks as (

    select game_id, actionNumber, min(player_id) as player_id
    from actions
    where not is_shot and description like '%BLOCK%'
    group by all

),

played as (

    select
        actions.game_id,
        -- A number may stand for two shots; the order of actions does not.
        case
            when count(*) over (partition by actions.game_id, actions.actionNumber) = 1
                then whole(actions.actionNumber)
            else 1000000 + whole(actions.actionId)
        end as event_number,
        whole(period) as period,
        seconds_of_clock(clock) as clock_seconds,
        actions.player_id,
        nullif(actions.teamTricode, '') as team_abbr,
        coalesce(
            nullif(whole(shotValue), 0), case when description like '%3PT%' then 3 else 2 end
        ) as shot_value,
        shotResult = 'Made' as is_made,
        assister <> '' as is_assisted,
        names.player_id as assist_player_id,
        blocks.player_id as block_player_id,
        measure(xLegacy) as loc_x,
        measure(yLegacy) as loc_y,
        measure(shotDistance) as shot_distance_ft,
        actions.file_number
    from (
        select *, strip_accents(regexp_extract(description, '\(([^()]+) \d+ AST\)', 1)) as assister
        from actions
        where is_shot
    ) as actions
    left join names
        on actions.game_id = names.game_id and actions.teamTricode = names.teamTricode
        and actions.assister = names.name
    left join blocks
        on actions.game_id = blocks.game_id and actions.actionNumber = blocks.actionNumber

),

charted as (

    select
        nba_game_id(GAME_ID) as game_id,
        whole(GAME_EVENT_ID) as event_number,
        whole(PERIOD) as period,
        60 * whole(MINUTES_REMAINING) + whole(SECONDS_REMAINING)::double as clock_seconds,
        whole(PLAYER_ID) as player_id,
        nba_team(TEAM_ID, left(nba_season(nba_game_id(GAME_ID)), 4)::integer) as team_abbr,
        left(SHOT_TYPE, 1)::bigint as shot_value,
        whole(SHOT_MADE_FLAG) = 1 as is_made,
        nullif(SHOT_ZONE_BASIC, '') as zone_basic,
        measure(LOC_X) as loc_x,
        measure(LOC_Y) as loc_y,
        measure(SHOT_DISTANCE) as shot_distance_ft,
        file_number
    from shot_chart
    -- The same chart comes once for a player and once for a team.
    qualify row_number() over (
        partition by nba_game_id(GAME_ID), whole(GAME_EVENT_ID) order by file_number desc
    ) = 1

)

select
    coalesce(charted.game_id, played.game_id) as game_id,
    coalesce(charted.event_number, played.event_number) as event_number,
    coalesce(charted.period, played.period) as period,
    coalesce(charted.clock_seconds, played.clock_seconds) as clock_seconds,
    coalesce(charted.player_id, played.player_id) as player_id,
    coalesce(lines.team_abbr, played.team_abbr, charted.team_abbr) as team_abbr,
    coalesce(charted.shot_value, played.shot_value) as shot_value,
    coalesce(charted.is_made, played.is_made) as is_made,
    played.is_assisted,
    played.assist_player_id,
    played.block_player_id,
    charted.zone_basic,
    coalesce(charted.loc_x, played.loc_x) as loc_x,
    coalesce(charted.loc_y, played.loc_y) as loc_y,
    coalesce(
        charted.shot_distance_ft,
        -- Some actions have a place and the distance 0.
        case
            when played.shot_distance_ft = 0 and played.loc_x ** 2 + played.loc_y ** 2 >= 100
                then round(sqrt(played.loc_x ** 2 + played.loc_y ** 2) / 10)
            else played.shot_distance_ft
        end
    ) as shot_distance_ft,
    coalesce(charted.file_number, played.file_number) as file_number
from charted
full join played
    on charted.game_id = played.game_id and charted.event_number = played.event_number
left join player_box_scores as lines
    on lines.game_id = coalesce(charted.game_id, played.game_id)
    and lines.player_id = coalesce(charted.player_id, played.player_id)
