{#
  One statement replaces exactly the dates of the range (vars start_date, end_date, only_dates) and
  leaves the others. The model's own filter is in_date_range(), so the first run honours the range,
  too. A date of the range that no longer has rows becomes empty; merge and delete+insert by key would
  keep its old rows.
  Config: meta.date_column, the DATE column that partitions the table. meta.drops_former_layout: drop a
  table with a column that the contract no longer has, since its other dates hold rows of another
  layout. These dates have no rows until they are built again.
#}
{% materialization date_range, default %}

    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing_relation = load_cached_relation(this) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if existing_relation is not none and not existing_relation.is_view -%}
        {%- do tell_lost_dates(existing_relation, config.get('meta')['date_column']) -%}
    {%- endif -%}
    {%- if existing_relation is not none and (existing_relation.is_view or should_full_refresh()) -%}
        {%- do adapter.drop_relation(existing_relation) -%}
        {%- set existing_relation = none -%}
    {%- endif -%}
    {%- set stored = none if existing_relation is none else stored_docs(existing_relation) -%}
    {%- if stored is not none and has_former_layout(stored.columns) -%}
        {%- do adapter.drop_relation(existing_relation) -%}
        {%- set existing_relation, stored = none, none -%}
    {%- endif -%}
    {%- if stored is not none -%}
        {%- do add_missing_columns(existing_relation, stored.columns) -%}
    {%- endif -%}

    {%- call statement('main') -%}
        {%- if existing_relation is none -%}
            {{ create_table_as(False, target_relation, compiled_code) }}
        {%- else -%}
            {{ get_assert_columns_equivalent(compiled_code) }}
            {{ replace_dates_sql(target_relation, compiled_code, config.get('meta')['date_column']) }}
        {%- endif -%}
    {%- endcall -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {% do persist_changed_docs(target_relation, stored) %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}

{% macro has_former_layout(columns) -%}
    {{- return(
        config.get('meta').get('drops_former_layout', false)
        and columns.keys() | reject('in', model.columns.keys()) | list | length > 0
    ) -}}
{%- endmacro %}

{#
  In a run by hand, --full-refresh drops the other dates, too, and --empty leaves no rows: print a
  warning that says how to restore them.
#}
{% macro tell_lost_dates(relation, date_column) -%}
    {%- if should_full_refresh() and flags.EMPTY -%}
        {%- set is_lost = 'true' -%}
    {%- elif should_full_refresh() -%}
        {%- set is_lost = 'not (' ~ in_date_range(date_column) ~ ')' -%}
    {%- elif flags.EMPTY -%}
        {%- set is_lost = in_date_range(date_column) -%}
    {%- else -%}
        {{ return(none) }}
    {%- endif -%}
    {#- BigQuery requires a condition on the partition column. -#}
    {%- set lost = run_query(
        'select count(distinct ' ~ date_column ~ ') as dates, min(' ~ date_column ~ ') as first, '
        ~ 'max(' ~ date_column ~ ') as last from ' ~ relation
        ~ ' where ' ~ date_column ~ " >= date '1900-01-01' and " ~ is_lost
    ).rows[0] -%}
    {%- if lost[0] -%}
        {%- do exceptions.warn(
            relation.schema ~ '.' ~ relation.identifier ~ ' now lacks ' ~ lost[0] ~ ' dates, '
            ~ lost[1] ~ ' to ' ~ lost[2] ~ '; restore them with: backcourt backfill --start '
            ~ lost[1] ~ ' --end ' ~ lost[2]
        ) -%}
    {%- endif -%}
{%- endmacro %}

{% macro replace_dates_sql(relation, sql, date_column) -%}
    {{ adapter.dispatch('replace_dates_sql')(relation, sql, date_column) }}
{%- endmacro %}

{# The statements run inside dbt's transaction. #}
{% macro duckdb__replace_dates_sql(relation, sql, date_column) -%}
    {%- set new_rows = '(' ~ sql ~ ')' -%}
    {%- if restates_rows(relation, date_column) -%}
        {%- set new_rows = 'rebuilt_rows' %}
        create or replace temp table rebuilt_rows as
        select {{ contract_columns() }} from ({{ sql }}) as new_rows;
        {{ log_record_changes(relation, new_rows, date_column) }};
    {%- endif %}
    delete from {{ relation }} where {{ in_date_range(date_column) }};
    insert into {{ relation }} ({{ contract_columns() }})
    select {{ contract_columns() }} from {{ new_rows }} as new_rows;
    {%- if new_rows == 'rebuilt_rows' %}
        drop table rebuilt_rows;
    {%- endif %}
{%- endmacro %}

{# One atomic MERGE: the literal range prunes partitions, and it costs one table modification. #}
{% macro bigquery__replace_dates_sql(relation, sql, date_column) -%}
    {%- set logs = restates_rows(relation, date_column) -%}
    {%- if logs %}
    begin transaction;
    {{ log_record_changes(relation, '(' ~ sql ~ ')', date_column) }};
    {%- endif %}
    merge into {{ relation }} as old_rows
    using (select {{ contract_columns() }} from ({{ sql }})) as new_rows
    on false
    when not matched by source and {{ in_date_range('old_rows.' ~ date_column) }} then delete
    when not matched then insert ({{ contract_columns() }}) values ({{ contract_columns() }})
    {%- if logs %};
    commit transaction;
    {%- endif %}
{%- endmacro %}

{# Columns that a newer version adds are NULL on dates that are not built again. #}
{% macro add_missing_columns(relation, known) -%}
    {%- for column in model.columns.values() if column.name not in known -%}
        {%- call statement('add_' ~ column.name) -%}
            alter table {{ relation }}
            add column {{ column.name }} {{ engine_type(column.data_type) }}
        {%- endcall -%}
    {%- endfor -%}
{%- endmacro %}

{% macro contract_columns() -%}
    {{ model.columns.values() | map(attribute='name') | join(', ') }}
{%- endmacro %}

{# Partitioning of a per-date table: only for BigQuery; DuckDB's zone maps need none. #}
{% macro daily_partition(column) -%}
    {%- if target.type == 'bigquery' -%}
        {{ return({'field': column, 'data_type': 'date', 'granularity': 'day'}) }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}
