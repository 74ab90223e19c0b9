{{ config(
    materialized='worker_table',
    partition_by=daily_partition('analysis_date'),
    cluster_by=['player_id'],
    tags=['stage_inputs'],
) }}

{{ worker_rows() }}
