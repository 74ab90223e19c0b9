{{ config(
    meta={'date_column': 'analysis_date'},
    partition_by=daily_partition('analysis_date'),
    cluster_by=['player_id'],
) }}

with

population as (

    select
        *,
        game_date as analysis_date,
    from {{ ref('upcoming_player_game_context') }}
    where {{ in_date_range('game_date') }}

),

as_of as (

    select * from {{ ref('int_player_as_of') }}
    where {{ in_date_range('analysis_date') }}

),

teams as (

    select * from {{ ref('upcoming_team_game_context') }}
    where {{ in_date_range('game_date') }}

),

player_games as (

    select * from {{ ref('int_player_games') }}

),

recent_actual as (

    select
        population.analysis_date,
        population.player_id,
        cast(countif(
            player_games.game_date >= {{ add_days('population.analysis_date', -7) }}
        ) as int64) as actual_games_in_last_7_days,
        cast(count(*) as int64) as actual_games_in_last_14_days,
        cast(countif(
            player_games.has_box_score
            and player_games.game_date >= {{ add_days('population.analysis_date', -7) }}
        ) as int64) as known_games_in_last_7_days,
        cast(countif(player_games.has_box_score) as int64) as known_games_in_last_14_days,
    from population
    inner join player_games
        on
            population.player_id = player_games.player_id
            and population.season_year = player_games.season_year
            and player_games.game_date >= {{ add_days('population.analysis_date', -14) }}
            and player_games.game_date < population.analysis_date
    group by population.analysis_date, population.player_id

),

-- actual_game_count is the number of the last game of the player's window.
final as (

    select
        population.player_id,
        population.player_lookup,
        population.universal_player_id,
        population.team_abbr,
        population.population_source,
        population.season_year,
        population.actual_game_count,
        population.games_played_season,
        population.known_games_season,
        coalesce(as_of.points_so_far, 0) as points_sum_season,
        coalesce(as_of.usage_e4_so_far, 0) as usage_e4_sum_season,
        coalesce(as_of.usage_games_so_far, 0) as usage_games_season,
        population.player_age,
        teams.pace_games_last_10 as team_pace_games_last_10,
        teams.pace_e4_sum_last_10 as team_pace_e4_sum_last_10,
        teams.rating_games_last_10 as team_rating_games_last_10,
        teams.offensive_rating_e4_sum_last_10 as team_off_rating_e4_sum_last_10,
        population.games_in_last_7_days,
        population.games_in_last_14_days,
        coalesce(recent_actual.actual_games_in_last_7_days, 0) as actual_games_in_last_7_days,
        coalesce(recent_actual.actual_games_in_last_14_days, 0) as actual_games_in_last_14_days,
        coalesce(recent_actual.known_games_in_last_7_days, 0) as known_games_in_last_7_days,
        coalesce(recent_actual.known_games_in_last_14_days, 0) as known_games_in_last_14_days,
        population.seconds_in_last_7_days,
        population.seconds_in_last_14_days,
        population.back_to_backs_last_14_days,
        population.is_bootstrap,
        population.is_season_boundary,
        population.analysis_date,
        population.last_played_date,
    from population
    inner join teams
        on
            population.game_id = teams.game_id
            and population.team_abbr = teams.team_abbr
    left join as_of
        on
            population.analysis_date = as_of.analysis_date
            and population.player_id = as_of.player_id
    left join recent_actual
        on
            population.analysis_date = recent_actual.analysis_date
            and population.player_id = recent_actual.player_id

)

select * from final
