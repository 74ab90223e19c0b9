{#
  All differences between DuckDB and BigQuery, with their reasons. No macro has a default: on another
  engine dbt stops and names the missing macro.
#}

{# DuckDB has no FLOAT64. #}
{% macro type_float64() -%}{{ adapter.dispatch('type_float64')() }}{%- endmacro %}
{% macro bigquery__type_float64() -%}float64{%- endmacro %}
{% macro duckdb__type_float64() -%}double{%- endmacro %}

{# A DuckDB TIMESTAMP has no zone; BigQuery's is an instant in UTC. #}
{% macro type_instant() -%}{{ adapter.dispatch('type_instant')() }}{%- endmacro %}
{% macro bigquery__type_instant() -%}timestamp{%- endmacro %}
{% macro duckdb__type_instant() -%}timestamptz{%- endmacro %}

{# Quotient of two non-negative integers, without a detour through floats. #}
{% macro int_div(a, b) -%}{{ adapter.dispatch('int_div')(a, b) }}{%- endmacro %}
{% macro bigquery__int_div(a, b) -%}div({{ a }}, {{ b }}){%- endmacro %}
{% macro duckdb__int_div(a, b) -%}(({{ a }}) // ({{ b }})){%- endmacro %}

{# DuckDB sums BIGINT to HUGEINT, which is slow and no BigQuery type. #}
{% macro int_sum(expression, over=none) -%}
    cast(sum({{ expression }}){% if over %} over {{ over }}{% endif %} as int64)
{%- endmacro %}

{# DuckDB's date + interval is a TIMESTAMP; date + integer stays a date. #}
{% macro add_days(day, days) -%}{{ adapter.dispatch('add_days')(day, days) }}{%- endmacro %}
{% macro bigquery__add_days(day, days) -%}date_add({{ day }}, interval {{ days }} day){%- endmacro %}
{% macro duckdb__add_days(day, days) -%}({{ day }} + cast({{ days }} as integer)){%- endmacro %}

{# Argument order differs. #}
{% macro days_between(earlier, later) -%}{{ adapter.dispatch('days_between')(earlier, later) }}{%- endmacro %}
{% macro bigquery__days_between(earlier, later) -%}date_diff({{ later }}, {{ earlier }}, day){%- endmacro %}
{% macro duckdb__days_between(earlier, later) -%}date_diff('day', {{ earlier }}, {{ later }}){%- endmacro %}

{# LEAST and GREATEST ignore NULL on DuckDB and return NULL on BigQuery; these return NULL on both. #}
{% macro at_most(value, limit) -%}
    (case when {{ value }} > {{ limit }} then {{ limit }} else {{ value }} end)
{%- endmacro %}
{% macro at_least(value, limit) -%}
    (case when {{ value }} < {{ limit }} then {{ limit }} else {{ value }} end)
{%- endmacro %}

{# Whether a whole text matches a pattern. #}
{% macro full_match(text, pattern) -%}{{ adapter.dispatch('full_match')(text, pattern) }}{%- endmacro %}
{% macro bigquery__full_match(text, pattern) -%}regexp_contains({{ text }}, r'^(?:{{ pattern }})$'){%- endmacro %}
{% macro duckdb__full_match(text, pattern) -%}regexp_full_match({{ text }}, '{{ pattern }}'){%- endmacro %}

{# 64-bit hash of a whole row of the relation with this alias. #}
{% macro row_hash(alias) -%}{{ adapter.dispatch('row_hash')(alias) }}{%- endmacro %}
{% macro bigquery__row_hash(alias) -%}farm_fingerprint(to_json_string({{ alias }})){%- endmacro %}
{% macro duckdb__row_hash(alias) -%}hash({{ alias }}){%- endmacro %}

{# Hash of some columns of a row to an INT64, as `hash_of` in python_workers. #}
{% macro hash_of(columns) -%}{{ adapter.dispatch('hash_of')(columns) }}{%- endmacro %}
{% macro bigquery__hash_of(columns) -%}farm_fingerprint(to_json_string(struct({{ columns | join(', ') }}))){%- endmacro %}
{% macro duckdb__hash_of(columns) -%}cast(hash({{ columns | join(', ') }}) // 2 as int64){%- endmacro %}

{# DuckDB's hash is unsigned: the remainder keeps sums small on both. #}
{% macro fingerprint(hash_column) -%}
    concat(
        cast(count({{ hash_column }}) as string), ':',
        cast(coalesce(bit_xor({{ hash_column }}), 0) as string), ':',
        cast(coalesce(sum(mod({{ hash_column }}, 2147483647)), 0) as string)
    )
{%- endmacro %}
