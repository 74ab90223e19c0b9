{{ config(
    materialized='worker_table',
    partition_by=daily_partition('analysis_date'),
    cluster_by=['player_id'],
    tags=['stage_inputs'],
) }}

-- Filled by python_workers from {{ ref('player_per_36_inputs') }}.
{{ empty_select_from_contract() }}
