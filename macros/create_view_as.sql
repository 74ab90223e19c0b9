{#
  A view's text is stored in the file. dbt-duckdb writes the name of the database before every table,
  which is the name of the file: a copy under another name would look for a database that is not
  there. Without it DuckDB looks in the database that the view is in, whatever its name or alias.
#}
{% macro duckdb__create_view_as(relation, sql) -%}
    {%- set catalog = relation.include(schema=false, identifier=false).render() ~ '.' -%}
    {%- if config.get('contract').enforced %}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif %}
    create view {{ relation }} as (
        {{ sql | replace(catalog, '') }}
    );
{%- endmacro %}
