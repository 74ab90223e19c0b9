{#
  dbt gives the database's name in quotes, with which dbt-duckdb finds no schema, so dbt would create
  those that are there again in each invocation.
#}
{% macro duckdb__list_schemas(database) -%}
    {{ return(run_query(
        "select schema_name from system.information_schema.schemata "
        ~ "where lower(catalog_name) = '" ~ database | replace('"', '') | lower ~ "'"
    )) }}
{%- endmacro %}
