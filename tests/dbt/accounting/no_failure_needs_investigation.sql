-- No failure needs attention: no missing upstream data, lock after repeated attempts, or processing
-- error.
{{ config(severity=var('investigate_severity')) }}

select
    processor_name,
    analysis_date,
    entity_id,
    failure_category,
    failure_reason,
from {{ ref('precompute_failures') }}
where
    {{ in_date_range('analysis_date') }}
    and failure_category in {{ investigate_category_list() }}
