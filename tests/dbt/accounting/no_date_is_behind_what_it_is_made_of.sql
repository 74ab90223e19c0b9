-- No date has rows of inputs, upstream rows or raw data that have changed since. Of a processor
-- that does not have to have run nothing is asked.
select
    processor_name,
    analysis_date,
    stale_reason,
from {{ ref('stale_dates') }}
where
    {{ in_date_range('analysis_date') }}
    and processor_name in (
        {%- for processor_name in required_processors() %}
        '{{ processor_name }}'{{ ',' if not loop.last }}
        {%- endfor %}
    )
