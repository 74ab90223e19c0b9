{{ config(materialized='view', tags=['stage_coverage']) }}

-- Lines of known_source_gaps that stand for no gap: the source has delivered, or the line is wrong.

with

known as (

    select * from {{ ref('known_source_gaps') }}

),

games as (

    select * from {{ ref('int_games') }}

),

gaps as (

    select
        game_id,
        player_id,
    from {{ ref('source_gaps') }}

),

-- A game without lines of a team is a gap even if the team's roster was empty.
gaps_of_games as (

    select game_id from gaps

    union distinct

    select game_id from {{ ref('int_game_teams') }}
    where is_final and not has_box_score

),

final as (

    select
        known.game_id,
        known.player_id,
        known.reason,
        case when games.game_id is null then 'unknown_game' else 'no_gap' end as mismatch,
        known.noted_on,
        games.game_date,
    from known
    left join games on known.game_id = games.game_id
    left join gaps
        on
            known.game_id = gaps.game_id
            and known.player_id = gaps.player_id
    left join gaps_of_games
        on
            known.game_id = gaps_of_games.game_id
            and known.player_id is null
    where gaps.game_id is null and gaps_of_games.game_id is null

)

select * from final
