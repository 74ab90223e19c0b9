-- Every expected entity of every processor and date has a row or a failure. A processor that the
-- vars do not require is tested only on dates on which it has run.
with

processed as (

    select
        processor_name,
        analysis_date,
    from {{ ref('processed_dates') }}
    where {{ in_date_bounds('analysis_date') }}

),
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

{{ output.key }}_unaccounted as (

    select
        expected.processor_name,
        expected.analysis_date,
        expected.entity_id,
        expected.player_id,
    from {{ ref('expected_entities') }} as expected
    left join {{ output.key }}_outcomes as outcomes
        on
            expected.analysis_date = outcomes.analysis_date
            and expected.{{ entity_column(output) }} = outcomes.entity
    where
        {{ in_date_bounds('expected.analysis_date') }}
        and expected.processor_name = '{{ processor_name }}'
        and outcomes.entity is null
        and (
            {{ 'true' if processor_name in required_processors() else 'false' }}
            or expected.analysis_date in (
                select processed.analysis_date from processed
                where processed.processor_name = '{{ processor_name }}'
            )
        )

),
{% endfor %}
unaccounted as (
    {% for output in processors().values() %}
    select * from {{ output.key }}_unaccounted
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
)

select * from unaccounted
where {{ in_date_range('analysis_date') }}
