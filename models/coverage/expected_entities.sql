{{ config(
    materialized='date_range',
    meta={'date_column': 'analysis_date'},
    partition_by=daily_partition('analysis_date'),
    cluster_by=['processor_name'],
    tags=['stage_inputs'],
) }}

{# Read from schedule and listings, not from the models whose rows are held against this. #}

with

game_dates as (

    select
        game_date as analysis_date,
        season_year,
    from {{ ref('game_dates') }}
    where {{ in_date_range('game_date') }}

),

game_teams as (

    select * from {{ ref('int_game_teams') }}

),

games as (

    select * from {{ ref('int_games') }}

),

listings as (

    select * from {{ ref('int_player_listings') }}

),

registry as (

    select * from {{ ref('stg_player_registry') }}

),

teams_of_season as (

    select distinct
        season_year,
        team_abbr,
    from game_teams

),

-- Population scheduled_teams: every team of the season, on every date.
scheduled_teams as (

    select
        cast(null as int64) as player_id,
        teams_of_season.team_abbr as entity_id,
        team_as_of.actual_games as actual_game_count,
        game_dates.analysis_date,
    from game_dates
    inner join teams_of_season on game_dates.season_year = teams_of_season.season_year
    left join {{ ref('int_team_as_of') }} as team_as_of
        on
            game_dates.analysis_date = team_as_of.analysis_date
            and teams_of_season.team_abbr = team_as_of.team_abbr

),

first_games as (

    select
        player_id,
        season_year,
        min(game_date) as first_played_date,
    from {{ ref('player_game_summary') }}
    where is_played
    group by player_id, season_year

),

-- Population players_with_a_game: every player who has played in the season before the date.
players_with_a_game as (

    select
        first_games.player_id,
        game_dates.analysis_date,
    from game_dates
    inner join first_games
        on
            game_dates.season_year = first_games.season_year
            and game_dates.analysis_date > first_games.first_played_date

),

-- Population listed_players: every player in a box score of the date, or, if a team has none, on
-- its recent roster.
listed as (

    select
        lines.player_id,
        games.game_date as analysis_date,
    from {{ ref('stg_player_box_scores') }} as lines
    inner join games on lines.game_id = games.game_id
    where {{ in_date_range('games.game_date') }}

),

unlisted_teams as (

    select
        game_date,
        season_year,
        team_abbr,
    from game_teams
    where {{ in_date_range('game_date') }}
    group by game_date, season_year, team_abbr
    having countif(has_box_score) = 0

),

listed_players as (

    select * from listed

    union distinct

    select
        listings.player_id,
        unlisted_teams.game_date as analysis_date,
    from unlisted_teams
    inner join listings on {{ is_on_roster('listings', 'unlisted_teams') }}

),

players as (

    select
        'players_with_a_game' as population,
        player_id,
        analysis_date,
    from players_with_a_game

    union all

    select
        'listed_players' as population,
        player_id,
        analysis_date,
    from listed_players

),

populations as (

    select
        'scheduled_teams' as population,
        entity_id,
        player_id,
        coalesce(actual_game_count, 0) as actual_game_count,
        analysis_date,
    from scheduled_teams

    union all

    select
        players.population,
        registry.player_lookup as entity_id,
        players.player_id,
        coalesce(as_of.actual_game_count, 0) as actual_game_count,
        players.analysis_date,
    from players
    left join registry on players.player_id = registry.player_id
    left join {{ ref('int_player_as_of') }} as as_of
        on
            players.analysis_date = as_of.analysis_date
            and players.player_id = as_of.player_id

),

processors as (
    {% for processor_name, processor in processors().items() %}
    select
        '{{ processor_name }}' as processor_name,
        '{{ processor.population }}' as population,
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

final as (

    select
        processors.processor_name,
        populations.entity_id,
        populations.player_id,
        populations.actual_game_count,
        populations.analysis_date,
    from populations
    inner join processors on populations.population = processors.population

)

select * from final
