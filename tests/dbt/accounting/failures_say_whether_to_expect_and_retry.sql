-- A failure is unexpected where data is missing or the computation failed, and retryable where data
-- is missing.
select
    processor_name,
    analysis_date,
    entity_id,
    failure_category,
    is_expected,
    can_retry,
from {{ ref('precompute_failures') }}
where
    {{ in_date_range('analysis_date') }}
    and (
        is_expected is distinct from (failure_category not in {{ unexpected_category_list() }})
        or can_retry is distinct from (failure_category = 'INCOMPLETE_UPSTREAM')
    )
