{{ config(materialized='view', tags=['stage_inputs']) }}

-- This ref loads missing seasons: depends_on: {{ ref('int_games') }}

with

seasons as (

    select * from {{ ref('seasons') }}

),

games as (

    select
        stg_games.*,
        seasons.first_date,
        seasons.last_date,
    from {{ ref('stg_games') }} as stg_games
    left join seasons on stg_games.season = seasons.season

),

shots_of_players as (

    select
        game_id,
        player_id,
        cast(count(*) as int64) as shots_taken,
        cast(countif(is_made) as int64) as shots_made,
        cast(countif(shot_value = 3) as int64) as threes_taken,
        cast(countif(shot_value = 3 and is_made) as int64) as threes_made,
    from {{ ref('stg_shots') }}
    group by game_id, player_id

),

shots_of_teams as (

    select
        game_id,
        team_abbr,
        max(period) as periods,
        cast(count(*) as int64) as shots_taken,
    from {{ ref('stg_shots') }}
    group by game_id, team_abbr

),

lines_of_teams as (

    select
        game_id,
        team_abbr,
        {{ int_sum('points') }} as points,
        {{ int_sum(box_score_counts() | join(' + ')) }} as counts,
        {{ int_sum('seconds_played') }} as seconds_played,
        cast(count(*) as int64) as lines_listed,
    from {{ ref('stg_player_box_scores') }}
    group by game_id, team_abbr

),

lengths as (

    select
        lines_of_teams.game_id,
        max(lines_of_teams.seconds_played) as longer_side_seconds,
        min(lines_of_teams.seconds_played) as shorter_side_seconds,
        {{ overtimes('max(shots_of_teams.periods)', 'max(lines_of_teams.seconds_played)') }}
            as overtimes,
    from lines_of_teams
    left join shots_of_teams on lines_of_teams.game_id = shots_of_teams.game_id
    group by lines_of_teams.game_id

),

lines_with_shots as (

    select
        lines.*,
        games.season,
        games.home_team_abbr,
        games.away_team_abbr,
        games.game_status,
        games.game_date,
        lengths.overtimes,
        coalesce(shots_of_players.shots_taken, 0) as shots_taken,
        coalesce(shots_of_players.shots_made, 0) as shots_made,
        coalesce(shots_of_players.threes_taken, 0) as threes_taken,
        coalesce(shots_of_players.threes_made, 0) as threes_made,
        coalesce(shots_of_teams.shots_taken, 0) as team_shots,
    from {{ ref('stg_player_box_scores') }} as lines
    left join games on lines.game_id = games.game_id
    left join lengths on lines.game_id = lengths.game_id
    left join shots_of_players
        on
            lines.game_id = shots_of_players.game_id
            and lines.player_id = shots_of_players.player_id
    left join shots_of_teams
        on
            lines.game_id = shots_of_teams.game_id
            and lines.team_abbr = shots_of_teams.team_abbr

),

lines as (

    select
        *,
        {{ line_contradiction('seconds_played', 'shots_taken') }} as contradiction,
    from lines_with_shots

),

games_with_lines as (

    select distinct game_id from {{ ref('stg_player_box_scores') }}

),

shots as (

    select
        stg_shots.*,
        games.season,
        games.home_team_abbr,
        games.away_team_abbr,
        games.game_date,
        lines.team_abbr as line_team_abbr,
        games_with_lines.game_id is not null as has_lines,
    from {{ ref('stg_shots') }} as stg_shots
    left join games on stg_shots.game_id = games.game_id
    left join games_with_lines on stg_shots.game_id = games_with_lines.game_id
    left join {{ ref('stg_player_box_scores') }} as lines
        on
            stg_shots.game_id = lines.game_id
            and stg_shots.player_id = lines.player_id

),

teams as (

    select
        game_id,
        season,
        home_team_abbr as team_abbr,
        game_status,
        home_score as score,
        game_date,
    from games

    union all

    select
        game_id,
        season,
        away_team_abbr as team_abbr,
        game_status,
        away_score as score,
        game_date,
    from games

),

sides as (

    select
        teams.*,
        lines_of_teams.points,
        lines_of_teams.counts,
        lines_of_teams.seconds_played,
        lengths.longer_side_seconds,
        lengths.shorter_side_seconds,
        lengths.overtimes,
        coalesce(lines_of_teams.lines_listed, 0) as lines_listed,
        coalesce(shots_of_teams.shots_taken, 0) as shots_taken,
    from teams
    left join lengths on teams.game_id = lengths.game_id
    left join lines_of_teams
        on
            teams.game_id = lines_of_teams.game_id
            and teams.team_abbr = lines_of_teams.team_abbr
    left join shots_of_teams
        on
            teams.game_id = shots_of_teams.game_id
            and teams.team_abbr = shots_of_teams.team_abbr
    where teams.game_status = 'final'

),

dates_of_teams as (

    select
        teams.*,
        count(*) over (partition by teams.team_abbr, teams.game_date) as games_on_date,
    from teams
    where teams.game_status != 'postponed'

),

codes_of_seasons as (

    select
        season,
        team_abbr,
        {{ franchise('team_abbr') }} as franchise,
        min(game_id) as game_id,
        min(game_date) as game_date,
    from teams
    group by season, team_abbr

),

codes_of_franchises as (

    select
        *,
        min(team_abbr) over (partition by season, franchise) as first_code,
        max(team_abbr) over (partition by season, franchise) as last_code,
    from codes_of_seasons
    where franchise is not null

),

players as (

    select
        stg_players.*,
        {{ is_birth_date_placeholder('stg_players.birth_date') }} as is_birth_date_placeholder,
        {{ age_on('stg_players.birth_date', 'registry.first_game_date') }} as age_at_first_game,
    from {{ ref('stg_players') }} as stg_players
    left join {{ ref('stg_player_registry') }} as registry
        on stg_players.player_id = registry.player_id

),

findings as (
    {% for kind in raw_finding_kinds() %}
    {%- set is_of_players = kind.relation == 'players' %}
    {%- set is_of_games = kind.relation == 'games' %}
    {%- set has_player = kind.relation in ('lines', 'shots', 'players') %}
    select
        {{ 'cast(null as string) as game_id' if is_of_players else 'game_id' }},
        {{ 'player_id' if has_player else 'cast(null as int64) as player_id' }},
        '{{ kind.finding }}' as finding,
        '{{ kind.table_name }}' as table_name,
        {{ 'cast(null as string) as season' if is_of_players else 'season' }},
        {{ 'cast(null as string) as team_abbr' if is_of_players or is_of_games else 'team_abbr' }},
        concat({{ kind.detail | join(', ') }}) as detail,
        {{ kind.is_error }} as is_error,
        {{ 'cast(null as date) as game_date' if is_of_players else 'game_date' }},
    from {{ kind.relation }}
    where {{ kind.condition }}
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
)

select * from findings
