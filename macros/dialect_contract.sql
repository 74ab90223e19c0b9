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

{#
  dbt describes a contract as well as the select of its model. The engine's names of the types are
  known (dbt reads string as text): describe the select alone, and let dbt name what differs.
#}
{% macro duckdb__get_assert_columns_equivalent(sql) -%}
    {%- set names = {
        'int64': 'BIGINT', 'float64': 'DOUBLE', 'text': 'VARCHAR', 'bool': 'BOOLEAN',
        'date': 'DATE', 'timestamp': 'TIMESTAMP WITH TIME ZONE'
    } -%}
    {%- set declared = [] -%}
    {%- for column in model.columns.values() -%}
        {%- do declared.append((column.name, names.get(column.data_type | lower))) -%}
    {%- endfor -%}
    {%- set given = [] -%}
    {%- for column in get_column_schema_from_query(sql, config.get('sql_header', none)) -%}
        {%- do given.append((column.name, column.dtype)) -%}
    {%- endfor -%}
    {%- if not declared or given | sort != declared | sort -%}
        {{ return(default__get_assert_columns_equivalent(sql)) }}
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__get_table_columns_and_constraints() -%}
    (
    {%- for column in model.columns.values() %}
        {{ column.name }} {{ engine_type(column.data_type) }}{{ ',' if not loop.last }}
    {%- endfor %}
    )
{%- endmacro %}

{#
  BigQuery: the key that the test unique_key proves is the table's primary key, for its optimiser and
  its readers. Nothing enforces it.
#}
{% macro bigquery__get_table_columns_and_constraints() -%}
    {%- set key = tested_key() -%}
    (
    {%- for column in adapter.render_raw_columns_constraints(raw_columns=model['columns']) %}
        {{ column }}{{ ',' if key or not loop.last }}
    {%- endfor %}
    {%- if key %}
        primary key ({{ key | join(', ') }}) not enforced
    {%- endif %}
    )
{%- endmacro %}

{# The columns of this model's test unique_key; none if it has no such test. #}
{% macro tested_key() -%}
    {%- for node in graph.nodes.values() if
        node.resource_type == 'test'
        and node.attached_node == model.unique_id
        and (node.test_metadata or {}).get('name') == 'unique_key'
    -%}
        {{ return(node.test_metadata.kwargs['columns']) }}
    {%- endfor -%}
    {{ return([]) }}
{%- endmacro %}
