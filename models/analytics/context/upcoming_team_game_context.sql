with

date_games as (

    select * from {{ ref('int_date_games') }}
    where {{ in_seasons() }}

),

game_dates as (

    select * from {{ ref('game_dates') }}
    where {{ in_seasons() }}

),

team_as_of as (

    select * from {{ ref('int_team_as_of') }}
    where {{ in_seasons() }}

),

team_form as (

    select * from {{ ref('int_team_form') }}
    where {{ in_seasons() }}

),

-- A team's load is unknown if a part of it is unknown.
rosters as (

    select
        analysis_date,
        team_abbr,
        case
            when countif(load_weight > 0 and usage_load is null) = 0
                then {{ int_sum(
                    'case when load_weight > 0'
                    ~ ' then load_weight * usage_load else 0 end'
                ) }}
        end as usage_load,
        cast(countif(is_star_out) as int64) as stars_out,
    from {{ ref('int_roster_status') }}
    where {{ in_seasons() }}
    group by analysis_date, team_abbr

),

final as (

    select
        date_games.team_abbr,
        date_games.game_id,
        date_games.opponent_team_abbr,
        date_games.season_type,
        date_games.season_year,
        case
            when team_as_of.last_game_date is not null
                then cast(
                    {{ days_between('team_as_of.last_game_date', 'date_games.game_date') }} - 1
                    as int64
                )
        end as days_rest,
        coalesce(team_form.pace_games_last_10, 0) as pace_games_last_10,
        team_form.pace_e4_last_10 as pace_e4_sum_last_10,
        coalesce(team_form.rating_games_last_10, 0) as rating_games_last_10,
        team_form.offensive_rating_e4_last_10 as offensive_rating_e4_sum_last_10,
        team_as_of.wins_so_far,
        team_as_of.decided_so_far as decided_games_so_far,
        least(coalesce(team_as_of.available_games, 0), 10) as games_last_10,
        case when date_games.has_box_score then rosters.usage_load end as usage_load,
        case when date_games.has_box_score then coalesce(rosters.stars_out, 0) end as stars_out,
        date_games.is_home,
        date_games.has_box_score as has_player_list,
        game_dates.is_bootstrap,
        game_dates.is_season_boundary,
        date_games.game_date,
    from date_games
    inner join game_dates on date_games.game_date = game_dates.game_date
    inner join team_as_of
        on
            date_games.game_date = team_as_of.analysis_date
            and date_games.team_abbr = team_as_of.team_abbr
    left join team_form
        on
            date_games.team_abbr = team_form.team_abbr
            and date_games.season_year = team_form.season_year
            and team_as_of.available_games = team_form.available_games
    left join rosters
        on
            date_games.game_date = rosters.analysis_date
            and date_games.team_abbr = rosters.team_abbr

)

select * from final
