-- No entity has both a row and a failure, nor two of either, for one processor and date.
select
    processor_name,
    analysis_date,
    duplicated,
from {{ ref('backfill_coverage') }}
where
    {{ in_date_range('analysis_date') }}
    and duplicated > 0
