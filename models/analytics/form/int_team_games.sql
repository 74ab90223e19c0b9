with

game_teams as (

    select * from {{ ref('int_game_teams') }}
    where {{ in_seasons() }}

),

offense as (

    select * from {{ ref('team_offense_game_summary') }}
    where {{ in_seasons() }}

),

defense as (

    select * from {{ ref('team_defense_game_summary') }}
    where {{ in_seasons() }}

),

-- Every finished game of a team: with a box score its numbers count, without one it is a gap.
joined as (

    select
        game_teams.game_id,
        game_teams.team_abbr,
        game_teams.season_year,
        offense.game_id is not null as has_box_score,
        game_teams.win_flag,
        {{ fixed_point('offense.pace', 4) }} as pace_e4,
        {{ fixed_point('offense.offensive_rating', 4) }} as offensive_rating_e4,
        {{ fixed_point('defense.defensive_rating', 4) }} as defensive_rating_e4,
        {{ fixed_point('defense.opponent_pace', 4) }} as opponent_pace_e4,
        defense.points_allowed,
        defense.opponent_paint_makes as paint_makes,
        defense.opponent_paint_attempts as paint_attempts,
        defense.opponent_mid_range_makes as mid_range_makes,
        defense.opponent_mid_range_attempts as mid_range_attempts,
        defense.opponent_three_makes as three_makes,
        defense.opponent_three_attempts as three_attempts,
        game_teams.game_date,
    from game_teams
    left join offense
        on
            game_teams.game_id = offense.game_id
            and game_teams.team_abbr = offense.team_abbr
    left join defense
        on
            game_teams.game_id = defense.game_id
            and game_teams.team_abbr = defense.team_abbr
    where game_teams.is_final or offense.game_id is not null

),

numbered as (

    select
        *,
        row_number() over in_order as actual_games,
        {{ int_sum('case when has_box_score then 1 else 0 end', 'so_far') }} as available_games,
        {{ int_sum('case when win_flag then 1 else 0 end', 'so_far') }} as wins_so_far,
        {{ int_sum('case when win_flag is null then 0 else 1 end', 'so_far') }} as decided_so_far,
        lead(game_date) over in_order as next_game_date,
    from joined
    window
        in_order as (
            partition by team_abbr, season_year
            order by game_date, game_id
        ),
        so_far as (
            partition by team_abbr, season_year
            order by game_date, game_id
            rows between unbounded preceding and current row
        )

)

select * from numbered
