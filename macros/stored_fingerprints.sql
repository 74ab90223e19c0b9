{#
  Fingerprints of the rows of a table by date, as python_workers records them in processed_dates: number
  and hash of all columns but the bookkeeping.
#}
{% macro stored_fingerprints(relation, date_column, by=[]) -%}
    {%- set hashed = [] -%}
    {%- if execute -%}
        {%- for column in adapter.get_columns_in_relation(relation)
            if column.name not in ('run_id', 'created_at', 'processed_at')
        -%}
            {%- do hashed.append(column.name) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set keys = by + [date_column] -%}
    select
        {{ keys | join(', ') }},
        {{ fingerprint('row_hash') }} as stored_fingerprint,
    from (
        select
            {{ keys | join(', ') }},
            {{ hash_of(hashed or [date_column]) }} as row_hash,
        from {{ relation }}
        where {{ in_date_range(date_column) }}
    ) as hashed
    group by {{ keys | join(', ') }}
{%- endmacro %}
