with

team_games as (

    select * from {{ ref('int_team_box_scores') }}

),

-- Pace = 48 * possessions / (team minutes / 5), reduced by 200.
-- Rating = 100 * points / possessions.
ratios as (

    select
        *,
        72 * possessions_num as pace_num,
        own_chances * opponent_chances * seconds_played as pace_den,
        100 * points * possessions_den as rating_num,
    from team_games

),

final as (

    select
        game_id,
        team_abbr,
        opponent_team_abbr,
        season_type,
        season_year,
        points,
        fg_makes,
        fg_attempts,
        ft_attempts,
        offensive_rebounds,
        defensive_rebounds,
        turnovers,
        seconds_played / 60 as team_minutes,
        {{ ratio('possessions_num', 'possessions_den', 4) }} as possessions,
        {{ team_rate('pace_num', 'pace_den') }} as pace,
        {{ team_rate('rating_num', 'possessions_num') }} as offensive_rating,
        is_home,
        win_flag,
        game_date,
    from ratios

)

select * from final
