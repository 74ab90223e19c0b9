{#
  A table that python_workers fills: dbt creates it empty from its contract where it is missing and
  never touches its rows, not even with --full-refresh. Columns that it lacks are added.
#}
{% materialization worker_table, default %}

    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing_relation = load_cached_relation(this) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if existing_relation is not none -%}
        {%- do add_missing_columns(existing_relation) -%}
    {%- endif -%}

    {%- call statement('main') -%}
        {%- if existing_relation is none -%}
            {{ create_table_as(False, target_relation, compiled_code) }}
        {%- else -%}
            select 1 as table_exists
        {%- endif -%}
    {%- endcall -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}

{# A typed select without rows, from the contract of the model it stands in. #}
{% macro empty_select_from_contract() -%}
    select
    {%- for column in model.columns.values() %}
        cast(null as {{ engine_type(column.data_type) }}) as {{ column.name }},
    {%- endfor %}
    from (select 1 as no_row) as nothing
    where false
{%- endmacro %}
