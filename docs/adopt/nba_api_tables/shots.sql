-- shots: the frames of ShotChartDetail, with assists from those of PlayByPlayV3.
select
    chart.GAME_ID as game_id,
    chart.GAME_EVENT_ID as event_number,
    chart.PERIOD as period,
    60 * chart.MINUTES_REMAINING + chart.SECONDS_REMAINING as clock_seconds,
    chart.PLAYER_ID as player_id,
    lines.teamTricode as team_abbr,
    cast(substr(chart.SHOT_TYPE, 1, 1) as int64) as shot_value,
    chart.SHOT_MADE_FLAG = 1 as is_made,
    regexp_contains(plays.description, r'\d+ AST\)') as is_assisted,
    chart.SHOT_ZONE_BASIC as zone_basic,
    chart.LOC_X as loc_x,
    chart.LOC_Y as loc_y,
    chart.SHOT_DISTANCE as shot_distance_ft
from nba.shot_chart_detail as chart
inner join nba.box_score_traditional_v3 as lines
    on chart.GAME_ID = lines.gameId and chart.PLAYER_ID = lines.personId
left join nba.play_by_play_v3 as plays
    on
        chart.GAME_ID = plays.gameId
        and chart.GAME_EVENT_ID = plays.actionNumber
        and plays.isFieldGoal = 1
where substr(chart.GAME_ID, 1, 3) in ('002', '004', '005')
