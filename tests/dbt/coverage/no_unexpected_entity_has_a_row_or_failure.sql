-- Only expected entities have rows or failures; on a date without games nobody has.
select
    processor_name,
    analysis_date,
    unexpected,
from {{ ref('backfill_coverage') }}
where
    {{ in_date_range('analysis_date') }}
    and unexpected > 0
