-- Every expected entity of every processor and date has a row or a failure.
select
    processor_name,
    analysis_date,
    expected,
    unaccounted,
from {{ ref('backfill_coverage') }}
where
    {{ in_date_range('analysis_date') }}
    and unaccounted > 0
