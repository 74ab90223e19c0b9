{#
  A DuckDB file stores the text of its views. dbt-duckdb writes the database's name, which is the
  file's name, before every table, so views of a renamed file would look for a missing database.
  Without the name, DuckDB looks in the database that contains the view, whatever its name or alias.
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
