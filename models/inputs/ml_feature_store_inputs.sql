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

listings as (

    select * from {{ ref('int_player_listings') }}

),

lines as (

    select * from {{ ref('player_game_summary') }}

),

latest_listing as (

    select
        population.game_date,
        population.player_id,
        listings.dnp_last_10_listings,
        listings.last_10_listings,
    from population
    inner join listings
        on
            population.player_id = listings.player_id
            and population.season_year = listings.season_year
            and listings.game_date < population.game_date
            and (
                listings.next_listing_date is null
                or population.game_date <= listings.next_listing_date
            )

),

versus_opponent as (

    select
        population.game_date,
        population.player_id,
        cast(count(*) as int64) as games_vs_opponent,
        cast(count(case when lines.contradiction is null then lines.points end) as int64)
            as known_games_vs_opponent,
        {{ int_sum('case when lines.contradiction is null then lines.points end') }}
            as points_vs_opponent,
    from population
    inner join lines
        on
            population.player_id = lines.player_id
            and population.season_year = lines.season_year
            and population.opponent_team_abbr = lines.opponent_team_abbr
            and lines.game_date < population.game_date
    where lines.is_played
    group by population.game_date, population.player_id

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
        population.known_games_season,
        form.points_last_2,
        form.points_last_3,
        form.points_last_5,
        form.points_last_7,
        form.points_last_10,
        form.points_so_far,
        form.points_squared_last_10,
        form.points_squared_so_far,
        form.numbered_points_last_7,
        form.numbered_points_last_10,
        form.ft_points_last_10,
        form.usage_e4_last_5,
        form.usage_games_last_5,
        form.seconds_last_10,
        form.minutes_games_last_10,
        form.seconds_so_far,
        form.minutes_games_so_far,
        form.paint_attempts_last_10,
        form.mid_range_attempts_last_10,
        form.three_attempts_last_10,
        form.consecutive_games_below_avg,
        latest_listing.dnp_last_10_listings,
        latest_listing.last_10_listings,
        coalesce(versus_opponent.games_vs_opponent, 0) as games_vs_opponent,
        coalesce(versus_opponent.known_games_vs_opponent, 0) as known_games_vs_opponent,
        versus_opponent.points_vs_opponent,
        population.days_rest,
        own.days_rest as team_days_rest,
        opponent.days_rest as opponent_days_rest,
        population.games_in_last_7_days,
        population.seconds_in_last_7_days,
        population.star_teammates_out,
        own.pace_games_last_10 as team_pace_games_last_10,
        own.pace_e4_sum_last_10 as team_pace_e4_sum_last_10,
        own.rating_games_last_10 as team_rating_games_last_10,
        own.offensive_rating_e4_sum_last_10 as team_off_rating_e4_sum_last_10,
        own.wins_so_far as team_wins,
        own.decided_games_so_far as team_decided_games,
        opponent.pace_games_last_10 as opponent_pace_games_last_10,
        opponent.pace_e4_sum_last_10 as opponent_pace_e4_sum_last_10,
        population.is_home,
        population.is_playoffs,
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
    left join latest_listing
        on
            population.game_date = latest_listing.game_date
            and population.player_id = latest_listing.player_id
    left join versus_opponent
        on
            population.game_date = versus_opponent.game_date
            and population.player_id = versus_opponent.player_id

)

select * from final
