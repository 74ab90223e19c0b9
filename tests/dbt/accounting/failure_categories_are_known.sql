-- Every failure is one of the five processors' and has one of the five categories.
select
    processor_name,
    analysis_date,
    entity_id,
    failure_category,
from {{ ref('precompute_failures') }}
where
    {{ in_date_range('analysis_date') }}
    and (
        coalesce(failure_category, '') not in {{ failure_category_list() }}
        or coalesce(processor_name, '') not in (
            {%- for processor_name in processor_inputs() %}
            '{{ processor_name }}'{{ ',' if not loop.last }}
            {%- endfor %}
        )
    )
