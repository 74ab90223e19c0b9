{#
  A run of dbt by hand replaces the records of input builds with one of its own, so python_workers builds
  the inputs again the next time. Runs that python_workers starts record their builds and set the var.
#}
{% macro forget_input_builds() -%}
    {%- set relation = input_builds_of_a_run_by_hand() -%}
    {%- if relation is not none %}
        delete from {{ relation }} where true
    {%- endif -%}
{%- endmacro %}

{# Without this record, an empty table would mean that something has deleted the records. #}
{% macro note_run_by_hand() -%}
    {%- set relation = input_builds_of_a_run_by_hand() -%}
    {%- if relation is not none %}
        insert into {{ relation }} (build_id, raw_state, project_state, built_at)
        values ('dbt run', 'unknown', 'unknown', current_timestamp)
    {%- endif -%}
{%- endmacro %}

{% macro input_builds_of_a_run_by_hand() -%}
    {%- if execute and flags.WHICH in ('run', 'build') and not flag_var('notes_input_builds') -%}
        {{ return(adapter.get_relation(
            database=target.database,
            schema=generate_schema_name('nba_processing', none),
            identifier='input_builds'
        )) }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}
