with

players as (

    select * from {{ ref('player_game_summary') }}

),

game_teams as (

    select * from {{ ref('int_game_teams') }}

),

sums as (

    select
        game_id,
        team_abbr,
        {{ int_sum('points') }} as players_points,
        {{ int_sum('fg_makes') }} as fg_makes,
        {{ int_sum('fg_attempts') }} as fg_attempts,
        {{ int_sum('ft_attempts') }} as ft_attempts,
        {{ int_sum('offensive_rebounds') }} as offensive_rebounds,
        {{ int_sum('defensive_rebounds') }} as defensive_rebounds,
        {{ int_sum('turnovers') }} as turnovers,
        {{ int_sum('blocks') }} as blocks,
        {{ int_sum('seconds_played') }} as seconds_played,
        {{ int_sum('paint_makes') }} as paint_makes,
        {{ int_sum('paint_attempts') }} as paint_attempts,
        {{ int_sum('mid_range_makes') }} as mid_range_makes,
        {{ int_sum('mid_range_attempts') }} as mid_range_attempts,
        {{ int_sum('three_makes_pbp') }} as three_makes,
        {{ int_sum('three_attempts_pbp') }} as three_attempts,
        min(case when has_whole_team then 1 else 0 end) = 1 as is_whole,
    from players
    group by game_id, team_abbr

),

-- If the lines do not cover the game, their sums are unknown; zones come from the play-by-play.
totals as (

    select
        game_id,
        team_abbr,
        {% for total in [
            'players_points', 'fg_makes', 'fg_attempts', 'ft_attempts', 'offensive_rebounds',
            'defensive_rebounds', 'turnovers', 'blocks', 'seconds_played',
        ] %}
        case when is_whole then {{ total }} end as {{ total }},
        {% endfor %}
        paint_makes,
        paint_attempts,
        mid_range_makes,
        mid_range_attempts,
        three_makes,
        three_attempts,
    from sums

),

-- Take points from the final score if it is known: a few feeds lose a basket in the lines.
sides as (

    select
        game_teams.game_id,
        game_teams.team_abbr,
        game_teams.opponent_team_abbr,
        game_teams.season_type,
        game_teams.season_year,
        coalesce(game_teams.team_points, totals.players_points) as points,
        totals.fg_makes,
        totals.fg_attempts,
        totals.ft_attempts,
        totals.offensive_rebounds,
        totals.defensive_rebounds,
        totals.turnovers,
        totals.blocks,
        totals.seconds_played,
        totals.paint_makes,
        totals.paint_attempts,
        totals.mid_range_makes,
        totals.mid_range_attempts,
        totals.three_makes,
        totals.three_attempts,
        game_teams.is_home,
        game_teams.win_flag,
        game_teams.game_date,
    from game_teams
    inner join totals
        on
            game_teams.game_id = totals.game_id
            and game_teams.team_abbr = totals.team_abbr

),

-- Oliver's possessions as a ratio of integers: hundredths of plays less the share of missed shots
-- that came back, over the common denominator of both teams' rebound chances.
both_sides as (

    select
        own.*,
        opponent.points as opponent_points,
        opponent.seconds_played as opponent_seconds_played,
        opponent.paint_makes as opponent_paint_makes,
        opponent.paint_attempts as opponent_paint_attempts,
        opponent.mid_range_makes as opponent_mid_range_makes,
        opponent.mid_range_attempts as opponent_mid_range_attempts,
        opponent.three_makes as opponent_three_makes,
        opponent.three_attempts as opponent_three_attempts,
        100 * own.fg_attempts + 40 * own.ft_attempts + 100 * own.turnovers
        + 100 * opponent.fg_attempts + 40 * opponent.ft_attempts + 100 * opponent.turnovers
            as plays_e2,
        107 * own.offensive_rebounds * (own.fg_attempts - own.fg_makes) as own_rebounded_e2,
        107 * opponent.offensive_rebounds * (opponent.fg_attempts - opponent.fg_makes)
            as opponent_rebounded_e2,
        {{ at_least('own.offensive_rebounds + opponent.defensive_rebounds', 1) }} as own_chances,
        {{ at_least('opponent.offensive_rebounds + own.defensive_rebounds', 1) }}
            as opponent_chances,
    from sides as own
    inner join sides as opponent
        on
            own.game_id = opponent.game_id
            and own.opponent_team_abbr = opponent.team_abbr

),

{% set possessions_num -%}
    plays_e2 * own_chances * opponent_chances
        - own_rebounded_e2 * opponent_chances
        - opponent_rebounded_e2 * own_chances
{%- endset -%}

possessions as (

    select
        *,
        case when {{ possessions_num }} > 0 then {{ possessions_num }} end as possessions_num,
        200 * own_chances * opponent_chances as possessions_den,
    from both_sides

)

select * from possessions
