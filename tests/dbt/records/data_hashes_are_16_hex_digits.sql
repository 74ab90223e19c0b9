-- Every row of the pool's processors carries a hash of 16 lower-case hexadecimal digits.
with

data_hashes as (
    {% for processor in processors().values() | selectattr('built_by', 'equalto', 'pool') %}
    select
        '{{ processor.model }}' as table_name,
        {{ processor.date_column }} as analysis_date,
        {{ processor.entity }} as entity,
        data_hash,
    from {{ ref(processor.model) }}
    where {{ in_date_range(processor.date_column) }}
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
)

select * from data_hashes
where
    data_hash is null
    or not {{ full_match('data_hash', '[0-9a-f]{16}') }}
