{#
  Stores descriptions of tables and columns in the warehouse. dbt itself describes everything that it
  creates again on each run (views, seeds, whole tables). Our own materialisations keep their tables:
  persist_changed_docs() describes a new table, and later only if the project's descriptions change.
#}

{# Use one statement per relation: a statement costs dbt more than its comments cost DuckDB. #}
{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- if config.persist_relation_docs() -%}
        {%- call statement('persist_docs') -%}
            comment on {{ relation.type }} {{ relation }}
            is {{ duckdb_escape_comment(model.description) }};
            {%- for column in model.columns.values() %}
            comment on column {{ relation }}.{{ column.name }}
            is {{ duckdb_escape_comment(column.description) }};
            {%- endfor %}
        {%- endcall -%}
    {%- endif -%}
{%- endmacro %}

{# The DDL of a table or view contains its description; descriptions of columns need a request of their own. #}
{% macro bigquery__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- if config.persist_relation_docs() -%}
        {%- do adapter.update_columns(relation, model.columns) -%}
    {%- endif -%}
{%- endmacro %}

{#
  The stored descriptions of a table: {'description': text, 'columns': {name: description}}, with ''
  for missing ones. The columns stand in the table's order.
#}
{% macro stored_docs(relation) -%}
    {{ return(adapter.dispatch('stored_docs')(relation)) }}
{%- endmacro %}

{% macro duckdb__stored_docs(relation) -%}
    {%- set rows = run_query(
        "select column_name, coalesce(columns.comment, ''), coalesce(tables.comment, '') "
        ~ "from duckdb_columns() as columns "
        ~ "inner join duckdb_tables() as tables using (database_oid, table_oid) "
        ~ "where columns.database_name = current_database() "
        ~ "and columns.schema_name = '" ~ relation.schema ~ "' "
        ~ "and columns.table_name = '" ~ relation.identifier ~ "' order by column_index"
    ).rows -%}
    {%- set columns = {} -%}
    {%- for row in rows -%}
        {%- do columns.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {{ return({'description': rows[0][2] if rows else '', 'columns': columns}) }}
{%- endmacro %}

{% macro bigquery__stored_docs(relation) -%}
    {%- set table = adapter.get_bq_table(relation) -%}
    {%- set columns = {} -%}
    {%- for field in table.schema -%}
        {%- do columns.update({field.name: field.description or ''}) -%}
    {%- endfor -%}
    {{ return({'description': table.description or '', 'columns': columns}) }}
{%- endmacro %}

{#
  Describe a table that the run has created (stored is none), or whose descriptions have changed. Do
  so after the commit of its rows: in DuckDB no transaction can comment on a table and then write it.
#}
{% macro persist_changed_docs(relation, stored) -%}
    {%- set stored = stored or {'description': '', 'columns': {}} -%}
    {%- set changed = [] -%}
    {%- for column in model.columns.values() -%}
        {%- if stored.columns.get(column.name, '') != column.description -%}
            {%- do changed.append(column.name) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if stored.description != model.description -%}
        {%- do adapter.dispatch('describe_table')(relation) -%}
        {%- do changed.append(relation.identifier) -%}
    {%- endif -%}
    {%- if changed -%}
        {%- do persist_docs(relation, model) -%}
        {%- do adapter.commit() -%}
    {%- endif -%}
{%- endmacro %}

{# On DuckDB one statement sets the comments of the table and its columns. #}
{% macro duckdb__describe_table(relation) -%}{%- endmacro %}
{% macro bigquery__describe_table(relation) -%}
    {%- do adapter.update_table_description(
        relation.database, relation.schema, relation.identifier, model.description
    ) -%}
{%- endmacro %}
