{# Who sent a statement, as JSON: a comment on DuckDB, labels of the job on BigQuery. #}
{% macro query_labels(node) -%}
    {%- set labels = {'app': 'backcourt', 'invocation_id': invocation_id} -%}
    {%- if node is not none -%}
        {%- do labels.update({'node': node.name}) -%}
    {%- endif -%}
    {{ return(tojson(labels)) }}
{%- endmacro %}
