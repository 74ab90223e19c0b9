{#
  The range of the run. Cast the literals, never the column, so that BigQuery prunes partitions.
  The range includes both ends; without vars it includes every date. A model that the var without_rows
  names has no date: dbt creates its table empty.
#}
{% macro in_date_range(column) -%}
    {{ in_date_bounds(column) }}
    {%- set is_without_rows = model.name in (list_var('without_rows') or []) -%}
    {%- set only_dates = [] if is_without_rows else list_var('only_dates') -%}
    {%- if only_dates is not none %}
    and {{ column }} in ({{ date_literals(only_dates) }})
    {%- endif -%}
{%- endmacro %}

{#
  Only the ends of the range. A statement with many parts filters them with it and names the list of
  dates once, at its end: the list may be long, and BigQuery accepts at most a megabyte of SQL.
#}
{% macro in_date_bounds(column) -%}
    {%- set start_date = backcourt_date_var('start_date') -%}
    {%- set end_date = backcourt_date_var('end_date') -%}
    {%- if start_date and end_date and start_date > end_date -%}
        {{ exceptions.raise_compiler_error(
            "start_date " ~ start_date ~ " is after end_date " ~ end_date ~ "; swap the two"
        ) }}
    {%- endif -%}
    {{ column }} between date '{{ start_date or "1900-01-01" }}'
    and date '{{ end_date or "2199-12-31" }}'
{%- endmacro %}

{# Most partitions that one statement may modify; none where the engine has no limit. #}
{% macro most_dates() -%}
    {{ return(adapter.dispatch('most_dates')()) }}
{%- endmacro %}
{% macro duckdb__most_dates() -%}{{ return(none) }}{%- endmacro %}
{% macro bigquery__most_dates() -%}{{ return(4000) }}{%- endmacro %}

{#
  Before a statement that builds the range: refuse more dates than it may modify, and say how to go
  on. Without vars the range is the whole schedule, which only the table of games knows; without a
  connection nothing is built.
#}
{% macro check_number_of_dates(most) -%}
    {%- set cannot_ask = not execute or flags.INTROSPECT is sameas false -%}
    {%- if most is none or cannot_ask or _spans_at_most(most) -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set games = load_relation(api.Relation.create(
        database=target.database, schema=generate_schema_name('nba_raw', none), identifier='games'
    )) -%}
    {%- if games is none -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set found = run_query(
        'select count(distinct game_date) from ' ~ games ~ ' where ' ~ in_date_range('game_date')
    ).rows[0][0] -%}
    {%- if found > most -%}
        {{ exceptions.raise_compiler_error(
            'the range has ' ~ found ~ ' game dates, and one statement may modify ' ~ most
            ~ ' partitions; go in pieces with --vars and start_date, end_date, or run: '
            ~ 'backcourt backfill --all'
        ) }}
    {%- endif -%}
{%- endmacro %}

{% macro _spans_at_most(days) -%}
    {%- set first, last = backcourt_date_var('start_date'), backcourt_date_var('end_date') -%}
    {%- if not first or not last -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set day = modules.datetime.date.fromisoformat -%}
    {{ return((day(last) - day(first)).days < days) }}
{%- endmacro %}

{% macro date_literals(dates) -%}
    {%- if dates | length == 0 -%}
        {#- BigQuery refuses a NULL as the filter that a partitioned table requires. -#}
        date '0001-01-01'
    {%- else -%}
        {%- for day in dates -%}
            date '{{ backcourt_valid_date(day) }}'{{ ', ' if not loop.last }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{% macro backcourt_date_var(name) -%}
    {%- set value = var(name, none) -%}
    {{- return(none if value is none or value == '' else backcourt_valid_date(value)) -}}
{%- endmacro %}

{# Admit only ISO dates into SQL text; any other value stops the run, and the message names it. #}
{% macro backcourt_valid_date(value) -%}
    {%- set text = value | string -%}
    {%- set is_date = namespace(value=false) -%}
    {%- if modules.re.match('^[0-9]{4}-(0[1-9]|1[0-2])-[0-9]{2}$', text) -%}
        {%- set year, month, day = text[:4] | int, text[5:7] | int, text[8:] | int -%}
        {%- if 1900 <= year <= 2199 -%}
            {%- set next_month = modules.datetime.date(year + month // 12, month % 12 + 1, 1) -%}
            {%- set last_day = (next_month - modules.datetime.timedelta(days=1)).day -%}
            {%- set is_date.value = 1 <= day <= last_day -%}
        {%- endif -%}
    {%- endif -%}
    {%- if not is_date.value -%}
        {{ exceptions.raise_compiler_error("not a date: '" ~ text ~ "'; write it as YYYY-MM-DD") }}
    {%- endif -%}
    {{- return(text) -}}
{%- endmacro %}
