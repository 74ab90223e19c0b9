{#
  Reads vars from outside and checks each: a wrong one would silently select nothing or everything.
  date_range.sql checks dates.
#}

{# Check all vars before dbt builds: each has a valid value, and a name that some model reads. #}
{% macro check_vars() -%}
    {%- if execute -%}
        {%- set known = [
            'start_date', 'end_date', 'only_dates', 'without_rows', 'seasons', 'notes_input_builds',
            'processors', 'investigate_severity', 'bootstrap_days', 'boundary_first_days', 'boundary_last_days',
        ] -%}
        {%- for name in invocation_args_dict.get('vars') or {} if name not in known -%}
            {{ exceptions.raise_compiler_error(
                "no var '" ~ name ~ "'; choose from " ~ known | sort | join(', ')
            ) }}
        {%- endfor -%}
        {%- do in_date_range('game_date') -%}
        {%- do check_number_of_dates(most_dates()) -%}
        {%- do list_var('without_rows') -%}
        {%- do season_years() -%}
        {%- do required_processors() -%}
        {%- do flag_var('notes_input_builds') -%}
        {%- for name in ('bootstrap_days', 'boundary_first_days', 'boundary_last_days') -%}
            {%- do days_var(name) -%}
        {%- endfor -%}
        {%- if var('investigate_severity') not in ('warn', 'error') -%}
            {{ backcourt_wrong_var('investigate_severity', "'warn' or 'error'") }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# A number of days. #}
{% macro days_var(name) -%}
    {%- set value = var(name) -%}
    {%- if value is not integer or not 0 <= value <= 366 -%}
        {{ backcourt_wrong_var(name, 'a whole number from 0 to 366') }}
    {%- endif -%}
    {{- return(value) -}}
{%- endmacro %}

{% macro flag_var(name) -%}
    {%- set value = var(name) -%}
    {%- if value is not boolean -%}
        {{ backcourt_wrong_var(name, 'true or false') }}
    {%- endif -%}
    {{- return(value) -}}
{%- endmacro %}

{# A list, or none if the var is unset. Refuse text, which Jinja would iterate letter by letter. #}
{% macro list_var(name) -%}
    {%- set value = var(name, none) -%}
    {%- if value is not none and (value is string or value is mapping or value is not iterable) -%}
        {{ backcourt_wrong_var(name, 'a list, such as [a, b]') }}
    {%- endif -%}
    {{- return(value) -}}
{%- endmacro %}

{# The years of the var seasons; none if it is unset or empty, which builds whole tables. #}
{% macro season_years() -%}
    {%- set years = list_var('seasons') -%}
    {%- for year in years or [] if year is not integer or not 1946 <= year <= 2199 -%}
        {{ backcourt_wrong_var('seasons', 'a list of the years in which seasons start, such as [2021]') }}
    {%- endfor -%}
    {{- return(years or none) -}}
{%- endmacro %}

{% macro backcourt_wrong_var(name, wanted) -%}
    {{ exceptions.raise_compiler_error(
        "the var " ~ name ~ " is " ~ tojson(var(name)) ~ "; it has to be " ~ wanted
    ) }}
{%- endmacro %}
