{# Datasets have the contract's names on every engine; shared BigQuery projects may set a prefix. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{- dataset_prefix() ~ (custom_schema_name or target.schema) | trim -}}
{%- endmacro %}

{% macro dataset_prefix() -%}
    {{- env_var('BACKCOURT_BQ_DATASET_PREFIX', '') if target.type == 'bigquery' else '' -}}
{%- endmacro %}
