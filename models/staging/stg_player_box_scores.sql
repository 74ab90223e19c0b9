with

source as (

    select * from {{ source('nba_raw', 'player_box_scores') }}

),

renamed as (

    select
        game_id,
        cast(player_id as int64) as player_id,
        player_name as player_full_name,
        team_abbr,
        position as player_position,
        dnp_reason,
        cast(points as int64) as points,
        cast(fgm as int64) as fg_makes,
        cast(fga as int64) as fg_attempts,
        cast(fg3m as int64) as three_pt_makes,
        cast(fg3a as int64) as three_pt_attempts,
        cast(ftm as int64) as ft_makes,
        cast(fta as int64) as ft_attempts,
        cast(oreb as int64) as offensive_rebounds,
        cast(dreb as int64) as defensive_rebounds,
        cast(ast as int64) as assists,
        cast(stl as int64) as steals,
        cast(blk as int64) as blocks,
        cast(tov as int64) as turnovers,
        cast(pf as int64) as personal_fouls,
        cast(plus_minus as int64) as plus_minus,
        cast({{ whole_seconds('minutes') }} as int64) as seconds_played,
        is_starter,
        is_dnp,
    from source

)

select * from renamed
