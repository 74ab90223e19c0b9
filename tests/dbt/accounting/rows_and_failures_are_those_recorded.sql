-- The rows and failures of every processor and date are those that were recorded when they were
-- written. Processors that the vars do not require, and rows that `dbt run` built at an unknown
-- time, are not tested.
with

processed as (

    select * from {{ ref('processed_dates') }}
    where
        {{ in_date_range('analysis_date') }}
        and upstream_digests != 'unverified'
        and processor_name in (
            {%- for processor_name in required_processors() %}
            '{{ processor_name }}'{{ ',' if not loop.last }}
            {%- endfor %}
        )

),

stored_failures as (

    {{ stored_fingerprints(ref('precompute_failures'), 'analysis_date', ['processor_name']) }}

),

stored_rows as (
    {% for processor_name, output in processors().items() %}
    select
        '{{ processor_name }}' as processor_name,
        {{ output.date_column }} as analysis_date,
        stored_fingerprint,
    from ({{ stored_fingerprints(ref(output.model), output.date_column) }}) as rows_of_processor
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
)

select
    processed.processor_name,
    processed.analysis_date,
    processed.rows_fingerprint,
    stored_rows.stored_fingerprint as stored_rows,
    processed.failures_fingerprint,
    stored_failures.stored_fingerprint as stored_failures,
from processed
left join stored_rows
    on
        processed.processor_name = stored_rows.processor_name
        and processed.analysis_date = stored_rows.analysis_date
left join stored_failures
    on
        processed.processor_name = stored_failures.processor_name
        and processed.analysis_date = stored_failures.analysis_date
where
    coalesce(processed.rows_fingerprint, '0') != coalesce(stored_rows.stored_fingerprint, '0')
    or coalesce(processed.failures_fingerprint, '0')
    != coalesce(stored_failures.stored_fingerprint, '0')
