{#
  A table that python_workers fills: dbt creates it empty from its contract where it is missing and
  never touches its rows, not even with --full-refresh. Columns that it lacks are added.
#}
{% materialization worker_table, default %}

    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing_relation = load_cached_relation(this) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- set stored = none if existing_relation is none else stored_docs(existing_relation) -%}
    {%- if stored is not none -%}
        {%- do add_missing_columns(existing_relation, stored.columns) -%}
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
    {% do persist_changed_docs(target_relation, stored) %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}

{#
  The select of a table that python_workers fills: its typed columns, from the contract, and no row.
  It refs what python_workers reads to write the rows, so that the lineage runs on through the
  workers, and marks the node in the docs.

  reads: names of these models; of a processor's table its inputs and the tables of its upstream.
#}
{% macro worker_rows(reads=none) -%}
    {{- config(meta={'written_by': 'python_workers'}, docs={'node_color': '#e8710a'}) -}}
    {%- for name in (worker_reads() if reads is none else reads) %}
        {%- do ref(name) -%}
    {%- endfor %}
    select
    {%- for column in model.columns.values() %}
        cast(null as {{ engine_type(column.data_type) }}) as {{ column.name }},
    {%- endfor %}
    from (select 1 as no_row) as nothing
    where false
{%- endmacro %}

{# What the workers of the processor read whose table this model is. #}
{% macro worker_reads() -%}
    {%- set own = processors().values() | selectattr('model', 'equalto', model.name) | first -%}
    {%- set upstream = processors().values() | selectattr('key', 'in', own.upstream) -%}
    {{ return([own.inputs_model] + upstream | map(attribute='model') | list) }}
{%- endmacro %}
