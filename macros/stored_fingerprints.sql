{#
  Fingerprints of a table's rows by date, as python_workers records them in processed_dates: the number
  of rows, and a hash of all columns except the bookkeeping. Without a connection, use the declared
  columns.
#}
{% macro stored_fingerprints(relation, date_column, by=[]) -%}
    {%- set hashed = [] -%}
    {%- if execute -%}
        {%- if flags.INTROSPECT is sameas false -%}
            {%- set model = graph.nodes['model.' ~ project_name ~ '.' ~ relation.identifier] -%}
            {%- set columns = model.columns -%}
        {%- else -%}
            {%- set columns = stored_docs(relation).columns -%}
        {%- endif -%}
        {%- for column in columns if column not in ('run_id', 'created_at', 'processed_at') -%}
            {%- do hashed.append(column) -%}
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
