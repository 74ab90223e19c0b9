{{ config(
    meta={'date_column': 'analysis_date'},
    partition_by=daily_partition('analysis_date'),
    cluster_by=['player_id'],
) }}

with

population as (

    select * from {{ ref('upcoming_player_game_context') }}
    where {{ in_date_range('game_date') }}

),

teams as (

    select * from {{ ref('upcoming_team_game_context') }}
    where {{ in_date_range('game_date') }}

),

form as (

    select * from {{ ref('int_player_form') }}

),

final as (

    select
        population.player_id,
        population.player_lookup,
        population.universal_player_id,
        population.game_id,
        population.team_abbr,
        population.opponent_team_abbr,
        population.population_source,
        population.season_year,
        population.days_rest,
        population.games_in_last_7_days,
        population.seconds_in_last_7_days,
        population.back_to_backs_last_14_days,
        population.player_age,
        own.pace_games_last_10 as team_pace_games_last_10,
        own.pace_e4_sum_last_10 as team_pace_e4_sum_last_10,
        opponent.pace_games_last_10 as opponent_pace_games_last_10,
        opponent.pace_e4_sum_last_10 as opponent_pace_e4_sum_last_10,
        coalesce(form.usage_games_last_7, 0) as usage_games_last_7,
        form.usage_e4_last_7 as usage_e4_sum_last_7,
        own.games_last_10 as team_games_last_10,
        own.usage_load as team_usage_load,
        population.star_teammates_out,
        population.is_home,
        coalesce(population.days_rest = 0, false) as is_back_to_back,
        population.is_bootstrap,
        population.is_season_boundary,
        population.game_date as analysis_date,
    from population
    inner join teams as own
        on
            population.game_id = own.game_id
            and population.team_abbr = own.team_abbr
    inner join teams as opponent
        on
            population.game_date = opponent.game_date
            and population.opponent_team_abbr = opponent.team_abbr
    left join form
        on
            population.player_id = form.player_id
            and population.season_year = form.season_year
            and population.known_games_season = form.played_number

)

select * from final
