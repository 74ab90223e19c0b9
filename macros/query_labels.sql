{#
  The sender of a statement, as JSON: a comment on DuckDB, labels of the job on BigQuery. The command
  line adds its own labels: run, stage and processor.
#}
{% macro query_labels(node) -%}
    {%- set labels = fromjson(env_var('BACKCOURT_JOB_LABELS', '') or '{"app": "backcourt"}') -%}
    {%- if node is not none -%}
        {%- do labels.update({'node': node.name}) -%}
    {%- endif -%}
    {{ return(tojson(labels)) }}
{%- endmacro %}
