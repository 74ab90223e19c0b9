-- Every failure is a declared processor's and has a declared category.
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
            {%- for processor_name in processors() %}
            '{{ processor_name }}'{{ ',' if not loop.last }}
            {%- endfor %}
        )
    )
