{#
  A table that dbt builds whole, unless the var seasons names the seasons to replace: then one
  transaction replaces only these. No analytics table reads across seasons.
  Config: the columns include season_year, and every season-wise ref is filtered by in_seasons(). Views
  between such tables are not filtered: the condition of their readers reaches the tables below.
#}
{% materialization season_table, adapter='duckdb' %}

    {%- if not replaces_seasons() -%}
        {{ return(materialization_table_duckdb()) }}
    {%- endif -%}

    {%- set target_relation = this.incorporate(type='table') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- call statement('main') -%}
        delete from {{ target_relation }} where {{ in_seasons() }};
        insert into {{ target_relation }} ({{ contract_columns() }})
        select {{ contract_columns() }} from ({{ compiled_code }}) as new_rows;
    {%- endcall -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}

{# If the table is missing, build it whole, whatever the var says. #}
{% macro replaces_seasons() -%}
    {%- if
        not execute
        or season_years() is none
        or config.get('materialized') != 'season_table'
        or should_full_refresh()
    -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set existing = load_cached_relation(this) -%}
    {{- return(existing is not none and existing.is_table) -}}
{%- endmacro %}

{# The seasons to replace; true if the table is built whole. #}
{% macro in_seasons(column='season_year') -%}
    {%- if replaces_seasons() -%}
        {{ column }} in ({{ season_years() | join(', ') }})
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}
