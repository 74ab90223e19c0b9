{#
  `dbt run` by itself loads no seeds. If one was never loaded, read it from its file before the first
  model that needs it.
#}
{% macro load_missing_seed(name) -%}
    {%- if execute -%}
        {%- set seed = graph.nodes['seed.' ~ project_name ~ '.' ~ name] -%}
        {%- set relation = api.Relation.create(
            database=seed.database, schema=seed.schema, identifier=seed.alias, type='table'
        ) -%}
        {%- if load_cached_relation(relation) is none -%}
            {{ adapter.dispatch('seed_from_file')(seed, relation) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# BigQuery's SQL cannot read a local file. #}
{% macro bigquery__seed_from_file(seed, relation) -%}
    {{ exceptions.raise_compiler_error(
        relation.render() ~ " is missing; load it once with: dbt seed"
    ) }}
{%- endmacro %}

{% macro duckdb__seed_from_file(seed, relation) -%}
    {%- do adapter.create_schema(relation) -%}
    create table {{ relation }} as
    select
    {%- for name, type in seed.config.column_types.items() %}
        cast({{ name }} as {{ type }}) as {{ name }},
    {%- endfor %}
    from read_csv(
        '{{ (seed.root_path ~ "/" ~ seed.original_file_path) | replace("'", "''") }}',
        header = true,
        delim = ',',
        all_varchar = true
    )
{%- endmacro %}
