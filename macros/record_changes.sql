{#
  The log of restated rows of the processors that dbt builds (nba_processing.record_changes).
  python_workers logs those of its own processors.
#}

{#
  Whether replacing the dates of a relation can restate rows: the relation belongs to a processor, the
  log exists, and the range has rows.
#}
{% macro restates_rows(relation, date_column) -%}
    {%- if processor_of_model() is none or load_cached_relation(record_changes_relation()) is none -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set found = run_query(
        'select 1 from ' ~ relation ~ ' where ' ~ in_date_range(date_column) ~ ' limit 1'
    ) -%}
    {{ return(found.rows | length > 0) }}
{%- endmacro %}

{#
  The statement that logs which rows of the range the new rows update or delete.

  new_rows: a relation or a select in parentheses, with the columns of the contract.
#}
{% macro log_record_changes(relation, new_rows, date_column) -%}
    {%- set name, processor = processor_of_model() -%}
    {%- set is_of_teams = processor.entity == 'team_abbr' -%}
    {%- set keys = [date_column, processor.entity] -%}
    insert into {{ record_changes_relation() }} (
        processor_name, run_id, change, entity_id, player_id,
        old_hash, new_hash, changed_columns, analysis_date, changed_at
    )
    select
        '{{ name }}' as processor_name,
        '{{ env_var('BACKCOURT_RUN_ID', '') or invocation_id }}' as run_id,
        case when is_deleted then 'deleted' else 'updated' end as change,
        entity_id,
        player_id,
        old_hash,
        case when not is_deleted then new_hash end as new_hash,
        case when not is_deleted then substr(changed_columns, 3) end as changed_columns,
        analysis_date,
        current_timestamp as changed_at
    from (
        select
            {#- A damaged row may lack its name, or have that of another row. #}
            {%- if is_of_teams %}
            coalesce(old_rows.team_abbr, '?') as entity_id,
            {%- else %}
            coalesce(
                new_rows.player_lookup, old_rows.player_lookup,
                cast(old_rows.player_id as string), '?'
            ) as entity_id,
            {%- endif %}
            {{ 'cast(null as int64)' if is_of_teams else 'old_rows.player_id' }} as player_id,
            cast({{ row_hash('old_rows') }} as string) as old_hash,
            cast({{ row_hash('new_rows') }} as string) as new_hash,
            new_rows.{{ date_column }} is null as is_deleted,
            concat(
                {%- for column in model.columns if column not in keys %}
                case
                    when old_rows.{{ column }} is distinct from new_rows.{{ column }}
                        then ', {{ column }}'
                    else ''
                end{{ ',' if not loop.last }}
                {%- endfor %}
            ) as changed_columns,
            old_rows.{{ date_column }} as analysis_date
        from (
            select {{ contract_columns() }} from {{ relation }}
            where {{ in_date_range(date_column) }}
        ) as old_rows
        left join (select {{ contract_columns() }} from {{ new_rows }}) as new_rows
            on
                {%- for key in keys %}
                old_rows.{{ key }} = new_rows.{{ key }}{{ ' and' if not loop.last }}
                {%- endfor %}
    ) as compared
    where is_deleted or changed_columns != ''
    qualify row_number() over (
        partition by analysis_date, entity_id order by is_deleted, player_id, old_hash
    ) = 1
{%- endmacro %}

{# Name and facts of the processor whose rows the current model builds; none of another model. #}
{% macro processor_of_model() -%}
    {%- for name, processor in processors().items() -%}
        {%- if processor.model == model.name and processor.built_by == 'dbt' -%}
            {{ return((name, processor)) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(none) }}
{%- endmacro %}

{% macro record_changes_relation() -%}
    {%- set log = graph.nodes['model.' ~ project_name ~ '.record_changes'] -%}
    {{ return(api.Relation.create(
        database=log.database, schema=log.schema, identifier=log.alias, type='table'
    )) }}
{%- endmacro %}
