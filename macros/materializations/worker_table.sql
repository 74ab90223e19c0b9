{#
  A table that python_workers fills: dbt creates a missing table empty from its contract, adds missing
  columns, and never touches its rows, not even with --full-refresh.
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
  The select of a table that python_workers fills: the contract's typed columns, without rows. It refs
  the models that python_workers reads, so that the lineage includes the workers, and marks the node
  in the docs.

  reads: names of these models; for a processor's table its inputs and the tables of its upstream.
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

{# The models that the workers of this table's processor read. #}
{% macro worker_reads() -%}
    {%- set own = processors().values() | selectattr('model', 'equalto', model.name) | first -%}
    {%- set upstream = processors().values() | selectattr('key', 'in', own.upstream) -%}
    {%- set games = [own.games.model] if own.games else [] -%}
    {{ return([own.inputs_model] + games + upstream | map(attribute='model') | list) }}
{%- endmacro %}
