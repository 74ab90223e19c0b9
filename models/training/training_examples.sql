{{ config(materialized='view', tags=['stage_coverage']) }}

-- Labels come from the current box scores, features from the stored rows, which know no result.

with

features as (

    select * from {{ ref('ml_feature_store_v2') }}

),

game_teams as (

    select * from {{ ref('int_game_teams') }}

),

lines as (

    select
        *,
        is_played and contradiction is null as is_known,
    from {{ ref('player_game_summary') }}

),

final as (

    select
        features.player_id,
        features.player_lookup,
        features.universal_player_id,
        features.game_id,
        features.team_abbr,
        features.opponent_team_abbr,
        features.population_source,
        features.data_source,
        features.feature_version,
        features.season_year,
        {%- for feature in ml_features() %}
        features.{{ feature }},
        {%- endfor %}
        features.feature_quality_score,
        features.is_quality_ready,
        -- A team's list names all of its eligible players: a player who is not on it did not play.
        case
            when game_teams.is_final and game_teams.has_box_score
                then coalesce(lines.is_played, false)
        end as did_play,
        {%- for label, column in ml_labels().items() %}
        case when game_teams.is_final and lines.is_known then {{ column }} end
            as {{ label }},
        {%- endfor %}
        features.game_date,
    from features
    left join game_teams
        on
            features.game_id = game_teams.game_id
            and features.team_abbr = game_teams.team_abbr
    left join lines
        on
            features.game_id = lines.game_id
            and features.player_id = lines.player_id

)

select * from final
