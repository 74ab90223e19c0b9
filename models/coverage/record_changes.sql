{{ config(
    materialized='worker_table',
    partition_by=daily_partition('analysis_date'),
    cluster_by=['processor_name'],
    tags=['stage_inputs'],
) }}

{{ worker_rows(reads=processors().values() | map(attribute='inputs_model') | list) }}
