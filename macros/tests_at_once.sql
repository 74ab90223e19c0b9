{#
  The tests with a tag that fail, and the number of their failures. Ask for each singular test, and for
  the generic tests of each model, by itself: a statement over all tables would exceed DuckDB's memory
  limit.
#}
{% macro failing_tests(tag) -%}
    {%- set found = [] -%}
    {%- if execute and flags.WHICH in ('test', 'build') -%}
        {%- set selects = {} -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'test' and tag in node.tags -%}
            {%- set table = node.attached_node if node.test_metadata else node.unique_id -%}
            {%- do selects.setdefault(table, []).append(failures_of_test(node)) -%}
        {%- endfor -%}
        {%- for of_table in selects.values() -%}
            {%- for row in run_query(of_table | join(' union all ')).rows if row[1] -%}
                {%- do found.append(
                    "select '" ~ row[0] ~ "' as test_name, " ~ row[1] ~ " as failures"
                ) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set no_row = "select '' as test_name, 0 as failures from (select 1 as no_row) as nothing where false" -%}
    {{- found | join(' union all ') or no_row -}}
{%- endmacro %}

{# The select of a test's name and the number of its failures. #}
{% macro failures_of_test(node) -%}
    select '{{ node.name }}' as test_name, count(*) as failures
    from (
        {{ rows_of_generic_test(node) if node.test_metadata else render(node.raw_code) }}
    ) as failing
{%- endmacro %}

{% macro rows_of_generic_test(node) -%}
    {%- set tested = graph.nodes[node.attached_node] -%}
    {%- set relation = api.Relation.create(
        database=tested.database, schema=tested.schema, identifier=tested.alias
    ) -%}
    {%- set arguments = {} -%}
    {%- for name, value in node.test_metadata.kwargs.items() if name != 'model' -%}
        {%- do arguments.update({name: value}) -%}
    {%- endfor -%}
    {{ context['test_' ~ node.test_metadata.name](model=relation, **arguments) }}
{%- endmacro %}
