{{ config(materialized='worker_table', tags=['stage_inputs']) }}

{{ worker_rows(reads=[
    'stg_games', 'stg_player_box_scores', 'stg_player_registry', 'stg_players', 'stg_shots',
]) }}
