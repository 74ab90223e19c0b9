-- A shot stands in ShotChartDetail, in the play-by-play, or in both under the same number.
with

actions as (

    select
        actions.*,
        nba_game_id(actions.gameId) as game_id,
        whole(personId) as player_id,
        coalesce(flag(isFieldGoal), false) as is_shot
    from play_by_play as actions
    -- A corrected play-by-play may lack an action of the former one, and number it otherwise; the
    -- second part of one has other actions. In one file, two actions may have one number.
    anti join (
        select
            nba_game_id(gameId) as game_id,
            file_number,
            min(whole(actionId)) as first_id,
            max(whole(actionId)) as last_id
        from play_by_play
        group by all
    ) as later
        on nba_game_id(actions.gameId) = later.game_id
        and actions.file_number < later.file_number
        and whole(actions.actionId) between later.first_id and later.last_id

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
            when min(whole(actions.actionId)) over same_number
                = max(whole(actions.actionId)) over same_number
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
        made(shotResult) as is_made,
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
    window same_number as (partition by actions.game_id, actions.actionNumber)

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
        made(SHOT_MADE_FLAG) as is_made,
        nullif(SHOT_ZONE_BASIC, '') as zone_basic,
        measure(LOC_X) as loc_x,
        measure(LOC_Y) as loc_y,
        measure(SHOT_DISTANCE) as shot_distance_ft,
        file_number
    from shot_chart

),

dumped as (

    select
        nba_game_id(GAME_ID) as game_id,
        whole(QUARTER) as period,
        60 * whole(MINS_LEFT) + whole(SECS_LEFT)::double as clock_seconds,
        whole(PLAYER_ID) as player_id,
        nba_team(TEAM_ID, left(nba_season(nba_game_id(GAME_ID)), 4)::integer) as team_abbr,
        left(SHOT_TYPE, 1)::bigint as shot_value,
        made(SHOT_MADE) as is_made,
        nullif(BASIC_ZONE, '') as zone_basic,
        -- Feet from the baseline, with left and right exchanged.
        round(-10 * measure(LOC_X)) as loc_x,
        round(10 * (measure(LOC_Y) - 5.25)) as loc_y,
        measure(SHOT_DISTANCE) as shot_distance_ft,
        file_number
    from shot_dump
    where nba_game_id(GAME_ID) not in (select game_id from charted)

),

-- Without a number of the event, a shot is one of its player in its second: he may miss twice in it,
-- even from one spot, but makes a shot once.
told_apart as (

    select
        *,
        case
            when is_made and count(*) over same_place > 1
                -- This cast fails with the text.
                then cast('a made shot is there twice: ' || game_id as bigint)
            else row_number() over same_second
        end as nth
    from dumped
    window
        same_place as (
            partition by game_id, period, clock_seconds, player_id, is_made, loc_x, loc_y,
                file_number
        ),
        same_second as (
            partition by game_id, period, clock_seconds, player_id, is_made, file_number
            order by shot_value, loc_x, loc_y
        )

),

numbered as (

    select
        *,
        dense_rank() over (
            partition by game_id
            order by period, clock_seconds desc, player_id, is_made, nth
        ) as place
    from told_apart

),

-- The play-by-play has the number of a shot of the same player in the same second; a game without
-- one gets numbers in the order of its shots.
labelled as (

    select
        numbered.* exclude (place, nth),
        coalesce(plays.event_number, numbered.place) as event_number
    from numbered
    left join (
        select
            *,
            -- A file may repeat its lines.
            dense_rank() over (
                partition by game_id, period, floor(clock_seconds), player_id, is_made
                order by event_number
            ) as nth
        from played
    ) as plays
        on numbered.game_id = plays.game_id and numbered.period = plays.period
        and numbered.clock_seconds = floor(plays.clock_seconds)
        and numbered.player_id = plays.player_id and numbered.is_made = plays.is_made
        and numbered.nth = plays.nth
    where
        plays.event_number is not null
        or numbered.game_id not in (select game_id from played)

),

found as (

    select * from charted
    union all by name
    select * from labelled

)

select
    coalesce(found.game_id, played.game_id) as game_id,
    coalesce(found.event_number, played.event_number) as event_number,
    coalesce(found.period, played.period) as period,
    coalesce(found.clock_seconds, played.clock_seconds) as clock_seconds,
    coalesce(found.player_id, played.player_id) as player_id,
    coalesce(lines.team_abbr, played.team_abbr, found.team_abbr) as team_abbr,
    coalesce(found.shot_value, played.shot_value) as shot_value,
    coalesce(found.is_made, played.is_made) as is_made,
    played.is_assisted,
    played.assist_player_id,
    played.block_player_id,
    found.zone_basic,
    coalesce(found.loc_x, played.loc_x) as loc_x,
    coalesce(found.loc_y, played.loc_y) as loc_y,
    coalesce(
        found.shot_distance_ft,
        -- Some actions have a place and the distance 0.
        case
            when played.shot_distance_ft = 0 and played.loc_x ** 2 + played.loc_y ** 2 >= 100
                then round(sqrt(played.loc_x ** 2 + played.loc_y ** 2) / 10)
            else played.shot_distance_ft
        end
    ) as shot_distance_ft,
    coalesce(found.file_number, played.file_number) as file_number
from found
full join played
    on found.game_id = played.game_id and found.event_number = played.event_number
left join player_box_scores as lines
    on lines.game_id = coalesce(found.game_id, played.game_id)
    and lines.player_id = coalesce(found.player_id, played.player_id)
