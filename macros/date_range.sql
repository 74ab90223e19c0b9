{#
  The range of the run. Cast the literals, never the column, so that BigQuery prunes partitions.
  The range includes both ends; without vars it includes every date.
#}
{% macro in_date_range(column) -%}
    {%- set start_date = backcourt_date_var('start_date') -%}
    {%- set end_date = backcourt_date_var('end_date') -%}
    {%- if start_date and end_date and start_date > end_date -%}
        {{ exceptions.raise_compiler_error(
            "start_date " ~ start_date ~ " is after end_date " ~ end_date ~ "; swap the two"
        ) }}
    {%- endif -%}
    {{ column }} between date '{{ start_date or "1900-01-01" }}'
    and date '{{ end_date or "2199-12-31" }}'
    {%- set only_dates = list_var('only_dates') -%}
    {%- if only_dates is not none %}
    and {{ column }} in ({{ date_literals(only_dates) }})
    {%- endif -%}
{%- endmacro %}

{% macro date_literals(dates) -%}
    {%- if dates | length == 0 -%}
        cast(null as date)
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
