with

team_games as (

    select * from {{ ref('int_team_box_scores') }}

),

ratios as (

    select
        *,
        72 * possessions_num as pace_num,
        own_chances * opponent_chances * opponent_seconds_played as pace_den,
        100 * opponent_points * possessions_den as rating_num,
    from team_games

),

final as (

    select
        game_id,
        team_abbr,
        opponent_team_abbr,
        season_type,
        season_year,
        opponent_points as points_allowed,
        opponent_paint_makes,
        opponent_paint_attempts,
        opponent_mid_range_makes,
        opponent_mid_range_attempts,
        opponent_three_makes,
        opponent_three_attempts,
        blocks,
        {{ team_rate('rating_num', 'possessions_num') }} as defensive_rating,
        {{ team_rate('pace_num', 'pace_den') }} as opponent_pace,
        is_home,
        win_flag,
        game_date,
    from ratios

)

select * from final
