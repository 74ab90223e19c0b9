{#
  Before a run of dbt by hand, delete the records of input builds: python_workers then builds the
  inputs again the next time. Its own runs record their builds and set the var.
#}
{% macro forget_input_builds() -%}
    {%- if execute and flags.WHICH in ('run', 'build') and not flag_var('notes_input_builds') -%}
        {%- set relation = adapter.get_relation(
            database=target.database,
            schema=generate_schema_name('nba_processing', none),
            identifier='input_builds'
        ) -%}
        {%- if relation is not none %}
            delete from {{ relation }} where true
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
