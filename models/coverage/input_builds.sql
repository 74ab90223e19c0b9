{{ config(materialized='worker_table', tags=['stage_inputs']) }}

-- Filled by python_workers.
{{ empty_select_from_contract() }}
