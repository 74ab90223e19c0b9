-- No entity has both a row and a failure for one processor and date.
{% for processor_name, output in processors().items() %}
select
    failures.processor_name,
    failures.analysis_date,
    failures.entity_id,
    failures.player_id,
from {{ ref('precompute_failures') }} as failures
inner join {{ ref(output.model) }} as records
    on
        failures.analysis_date = records.{{ output.date_column }}
        and failures.{{ entity_column(output) }} = records.{{ output.entity }}
where
    {{ in_date_range('failures.analysis_date') }}
    and {{ in_date_range('records.' ~ output.date_column) }}
    and failures.processor_name = '{{ processor_name }}'
{% if not loop.last %}
union all
{% endif %}
{%- endfor %}
