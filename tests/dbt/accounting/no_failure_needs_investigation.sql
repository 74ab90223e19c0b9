-- No failure is one that somebody should look at: missing upstream data, a lock after repeated
-- attempts, or a processing error.
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
