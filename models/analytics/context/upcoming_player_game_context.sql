with

lines as (

    select * from {{ ref('player_game_summary') }}
    where {{ in_seasons() }}

),

rosters as (

    select * from {{ ref('int_roster_status') }}
    where {{ in_seasons() }}

),

teams as (

    select * from {{ ref('upcoming_team_game_context') }}
    where {{ in_seasons() }}

),

as_of as (

    select * from {{ ref('int_player_as_of') }}
    where {{ in_seasons() }}

),

player_games as (

    select * from {{ ref('int_player_games') }}
    where {{ in_seasons() }} and is_played

),

players as (

    select
        *,
        {{ is_birth_date_placeholder('birth_date') }} as is_birth_date_placeholder,
    from {{ ref('stg_players') }}

),

registry as (

    select * from {{ ref('stg_player_registry') }}

),

-- Read only two facts from the date's own box score: which players are listed, and which are out
-- (marked as not playing, without data to the contrary). If a player is listed twice on a date
-- (traded that day), take the team for which he is active. int_date_games chooses a team's game.
listed as (

    select
        game_date,
        player_id,
        team_abbr,
        'box_score' as population_source,
        row_number() over (
            partition by game_date, player_id
            order by is_dnp and not is_played, game_id desc
        ) as choice,
    from lines

),

on_roster as (

    select
        analysis_date as game_date,
        player_id,
        team_abbr,
        'recent_roster' as population_source,
        row_number() over (
            partition by analysis_date, player_id
            order by game_id desc
        ) as choice,
    from rosters
    where not has_player_list

),

population as (

    select * from listed
    where choice = 1

    union all

    select on_roster.*
    from on_roster
    left join listed
        on
            on_roster.game_date = listed.game_date
            and on_roster.player_id = listed.player_id
            and listed.choice = 1
    where
        on_roster.choice = 1
        and listed.player_id is null

),

-- The minutes of a window are unknown if those of any of its games are.
recent_games as (

    select
        population.game_date,
        population.player_id,
        cast(count(*) as int64) as games_in_last_14_days,
        case
            when count(player_games.seconds_played) = count(*)
                then {{ int_sum('player_games.seconds_played') }}
        end as seconds_in_last_14_days,
        cast(countif(
            player_games.game_date >= {{ add_days('population.game_date', -7) }}
        ) as int64) as games_in_last_7_days,
        case
            when
                countif(
                    player_games.game_date >= {{ add_days('population.game_date', -7) }}
                    and player_games.seconds_played is null
                ) = 0
                then {{ int_sum(
                    'case when player_games.game_date >= ' ~ add_days('population.game_date', -7)
                    ~ ' then player_games.seconds_played else 0 end'
                ) }}
        end as seconds_in_last_7_days,
        cast(countif(
            player_games.previous_played_date >= {{ add_days('population.game_date', -14) }}
            and {{ days_between(
                'player_games.previous_played_date', 'player_games.game_date'
            ) }} = 1
        ) as int64) as back_to_backs_last_14_days,
    from population
    inner join player_games
        on
            population.player_id = player_games.player_id
            and player_games.game_date >= {{ add_days('population.game_date', -14) }}
            and player_games.game_date < population.game_date
    inner join teams
        on
            population.game_date = teams.game_date
            and population.team_abbr = teams.team_abbr
            and player_games.season_year = teams.season_year
    group by population.game_date, population.player_id

),

own_roster_row as (

    select
        analysis_date,
        player_id,
        team_abbr,
        is_star_out,
    from rosters

),

final as (

    select
        population.player_id,
        registry.player_lookup,
        registry.universal_player_id,
        teams.game_id,
        population.team_abbr,
        teams.opponent_team_abbr,
        teams.season_type,
        population.population_source,
        teams.season_year,
        coalesce(as_of.actual_game_count, 0) as actual_game_count,
        coalesce(as_of.games_played, 0) as games_played_season,
        coalesce(as_of.known_games, 0) as known_games_season,
        case
            when as_of.last_played_date is not null
                then cast(
                    {{ days_between('as_of.last_played_date', 'population.game_date') }} - 1
                    as int64
                )
        end as days_rest,
        coalesce(recent_games.games_in_last_7_days, 0) as games_in_last_7_days,
        coalesce(recent_games.games_in_last_14_days, 0) as games_in_last_14_days,
        case
            when recent_games.player_id is null then 0
            else recent_games.seconds_in_last_7_days
        end as seconds_in_last_7_days,
        case
            when recent_games.player_id is null then 0
            else recent_games.seconds_in_last_14_days
        end as seconds_in_last_14_days,
        coalesce(recent_games.back_to_backs_last_14_days, 0) as back_to_backs_last_14_days,
        case
            when {{ age_on('players.birth_date', 'population.game_date') }} between 10 and 80
                then cast({{ age_on('players.birth_date', 'population.game_date') }} as int64)
        end as player_age,
        teams.stars_out
        - case when own_roster_row.is_star_out then 1 else 0 end as star_teammates_out,
        teams.is_home,
        teams.season_type = 'playoffs' as is_playoffs,
        teams.is_bootstrap,
        teams.is_season_boundary,
        coalesce(players.is_birth_date_placeholder, false) as is_age_approximate,
        population.game_date,
        as_of.last_played_date,
    from population
    inner join teams
        on
            population.game_date = teams.game_date
            and population.team_abbr = teams.team_abbr
    left join as_of
        on
            population.game_date = as_of.analysis_date
            and population.player_id = as_of.player_id
    left join recent_games
        on
            population.game_date = recent_games.game_date
            and population.player_id = recent_games.player_id
    left join players on population.player_id = players.player_id
    left join registry on population.player_id = registry.player_id
    left join own_roster_row
        on
            population.game_date = own_roster_row.analysis_date
            and population.player_id = own_roster_row.player_id
            and population.team_abbr = own_roster_row.team_abbr

)

-- Order by date, so that tables made from these rows lie by date and a range reads few blocks.
select * from final
order by game_date, player_id
