-- Only expected entities have rows or failures; a date without games has neither.
with
{% for processor_name, output in processors().items() %}
{{ output.key }}_outcomes as (

    select
        {{ output.date_column }} as analysis_date,
        {{ output.entity }} as entity,
    from {{ ref(output.model) }}
    where {{ in_date_bounds(output.date_column) }}

    union all

    select
        analysis_date,
        {{ entity_column(output) }} as entity,
    from {{ ref('precompute_failures') }}
    where
        {{ in_date_bounds('analysis_date') }}
        and processor_name = '{{ processor_name }}'

),

{{ output.key }}_expected as (

    select
        analysis_date,
        {{ entity_column(output) }} as entity,
    from {{ ref('expected_entities') }}
    where
        {{ in_date_bounds('analysis_date') }}
        and processor_name = '{{ processor_name }}'

),

{{ output.key }}_unexpected as (

    select
        '{{ processor_name }}' as processor_name,
        outcomes.analysis_date,
        cast(outcomes.entity as string) as entity,
    from {{ output.key }}_outcomes as outcomes
    left join {{ output.key }}_expected as expected
        on
            outcomes.analysis_date = expected.analysis_date
            and outcomes.entity = expected.entity
    where expected.entity is null

),
{% endfor %}
unexpected as (
    {% for output in processors().values() %}
    select * from {{ output.key }}_unexpected
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
)

select * from unexpected
where {{ in_date_range('analysis_date') }}
