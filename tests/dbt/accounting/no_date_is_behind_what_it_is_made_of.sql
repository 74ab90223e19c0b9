-- No date has rows whose inputs, upstream rows or raw data have changed since. Processors that the
-- vars do not require are not tested.
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
