{#
  Contracts use BigQuery's types. DuckDB lacks FLOAT64, and its TIMESTAMP has no zone: translate
  these two types where dbt turns a contract into SQL.
#}
{% macro engine_type(data_type) -%}
    {{ return(adapter.dispatch('engine_type')(data_type)) }}
{%- endmacro %}

{% macro bigquery__engine_type(data_type) -%}
    {{ return(data_type) }}
{%- endmacro %}

{% macro duckdb__engine_type(data_type) -%}
    {{ return({'float64': 'double', 'timestamp': 'timestamptz'}.get(data_type, data_type)) }}
{%- endmacro %}

{% macro duckdb__get_empty_schema_sql(columns) -%}
    {%- set translated = {} -%}
    {%- for name, column in columns.items() -%}
        {%- do translated.update(
            {name: {'name': column['name'], 'data_type': engine_type(column['data_type'])}}
        ) -%}
    {%- endfor -%}
    {{ return(default__get_empty_schema_sql(translated)) }}
{%- endmacro %}

{% macro duckdb__get_table_columns_and_constraints() -%}
    (
    {%- for column in model.columns.values() %}
        {{ column.name }} {{ engine_type(column.data_type) }}{{ ',' if not loop.last }}
    {%- endfor %}
    )
{%- endmacro %}
