{{ config(
    meta={'date_column': 'analysis_date'},
    partition_by=daily_partition('analysis_date'),
    cluster_by=['team_abbr'],
) }}

{%- set required_games = processors()['TeamDefenseZoneAnalysisProcessor'].required_games %}

with

teams as (

    select * from {{ ref('int_team_as_of') }}
    where {{ in_date_range('analysis_date') }}

),

team_form as (

    select * from {{ ref('int_team_form') }}

),

team_games as (

    select * from {{ ref('int_team_games') }}

),

known_gaps as (

    select distinct game_id
    from {{ ref('known_source_gaps') }}
    where player_id is null

),

-- For each team with too few games for a row: how many of its missing box scores are known gaps of
-- the source.
missing_games as (

    select
        teams.analysis_date,
        teams.team_abbr,
        cast(count(known_gaps.game_id) as int64) as known_gap_count,
    from teams
    inner join team_games
        on
            teams.team_abbr = team_games.team_abbr
            and teams.season_year = team_games.season_year
            and team_games.game_date < teams.analysis_date
    left join known_gaps on team_games.game_id = known_gaps.game_id
    where
        teams.available_games < {{ required_games }}
        and not team_games.has_box_score
    group by teams.analysis_date, teams.team_abbr

),

-- The league over the last 30 days: the percentages of each team with at least 10 games in them, in
-- millionths, so that their sum is exact.
team_month as (

    select
        teams.analysis_date,
        teams.team_abbr,
        {{ int_sum('team_games.paint_makes') }} as paint_makes,
        {{ int_sum('team_games.paint_attempts') }} as paint_attempts,
        {{ int_sum('team_games.mid_range_makes') }} as mid_range_makes,
        {{ int_sum('team_games.mid_range_attempts') }} as mid_range_attempts,
        {{ int_sum('team_games.three_makes') }} as three_makes,
        {{ int_sum('team_games.three_attempts') }} as three_attempts,
    from teams
    inner join team_games
        on
            teams.team_abbr = team_games.team_abbr
            and teams.season_year = team_games.season_year
            and team_games.game_date >= {{ add_days('teams.analysis_date', -30) }}
            and team_games.game_date < teams.analysis_date
    where
        team_games.has_box_score
        and team_games.paint_attempts is not null
    group by teams.analysis_date, teams.team_abbr
    having count(*) >= 10

),

team_rates as (

    select
        analysis_date,
        {{ half_even('paint_makes', 'paint_attempts', 6) }} as paint_e6,
        {{ half_even('mid_range_makes', 'mid_range_attempts', 6) }} as mid_range_e6,
        {{ half_even('three_makes', 'three_attempts', 6) }} as three_e6,
    from team_month

),

league as (

    select
        analysis_date,
        cast(count(*) as int64) as league_teams,
        {{ int_sum('paint_e6') }} as league_paint_e6_sum,
        cast(count(paint_e6) as int64) as league_paint_teams,
        {{ int_sum('mid_range_e6') }} as league_mid_range_e6_sum,
        cast(count(mid_range_e6) as int64) as league_mid_range_teams,
        {{ int_sum('three_e6') }} as league_three_e6_sum,
        cast(count(three_e6) as int64) as league_three_teams,
    from team_rates
    group by analysis_date
    having count(*) >= 10

),

-- With fewer than ten such teams, use the league's long-run percentages: 0.580, 0.410, 0.355.
final as (

    select
        teams.team_abbr,
        teams.season_year,
        teams.actual_games as actual_game_count,
        teams.available_games as available_game_count,
        coalesce(missing_games.known_gap_count, 0) as known_gap_count,
        coalesce(team_form.games_last_15, 0) as games_in_sample,
        coalesce(team_form.rating_games_last_15, 0) as rating_games_in_sample,
        team_form.defensive_rating_e4_last_15 as defensive_rating_e4_sum,
        coalesce(team_form.pace_games_last_15, 0) as pace_games_in_sample,
        team_form.opponent_pace_e4_last_15 as opponent_pace_e4_sum,
        coalesce(team_form.points_games_last_15, 0) as points_games_in_sample,
        team_form.points_allowed_last_15 as points_allowed_sum,
        coalesce(team_form.zone_games_last_15, 0) as zone_games_in_sample,
        team_form.paint_makes_last_15 as paint_makes,
        team_form.paint_attempts_last_15 as paint_attempts,
        team_form.mid_range_makes_last_15 as mid_range_makes,
        team_form.mid_range_attempts_last_15 as mid_range_attempts,
        team_form.three_makes_last_15 as three_makes,
        team_form.three_attempts_last_15 as three_attempts,
        coalesce(league.league_teams, 0) as league_teams,
        coalesce(league.league_paint_e6_sum, 580000) as league_paint_e6_sum,
        coalesce(league.league_paint_teams, 1) as league_paint_teams,
        coalesce(league.league_mid_range_e6_sum, 410000) as league_mid_range_e6_sum,
        coalesce(league.league_mid_range_teams, 1) as league_mid_range_teams,
        coalesce(league.league_three_e6_sum, 355000) as league_three_e6_sum,
        coalesce(league.league_three_teams, 1) as league_three_teams,
        teams.analysis_date,
    from teams
    left join team_form
        on
            teams.team_abbr = team_form.team_abbr
            and teams.season_year = team_form.season_year
            and teams.available_games = team_form.available_games
    left join missing_games
        on
            teams.analysis_date = missing_games.analysis_date
            and teams.team_abbr = missing_games.team_abbr
    left join league on teams.analysis_date = league.analysis_date

)

select * from final
