{#
  Half-even rounding of the exact ratio num / den, den > 0, as an integer number of 10^-decimals.
  Integers only: SQL's ROUND works on floats and rounds halves away from zero, and engines sum
  floats in any order. NULL where either is NULL or den is 0. Both num * 10^decimals and 2 * den have
  to fit 64 bits, 9.2 * 10^18.
#}
{% macro half_even(num, den, decimals) -%}
    (
        sign({{ num }}) * (
            {{ int_div(scaled_abs(num, decimals), "nullif(" ~ den ~ ", 0)") }}
            + case
                when 2 * mod({{ scaled_abs(num, decimals) }}, nullif({{ den }}, 0)) > ({{ den }}) then 1
                when
                    2 * mod({{ scaled_abs(num, decimals) }}, nullif({{ den }}, 0)) = ({{ den }})
                    and mod({{ int_div(scaled_abs(num, decimals), "nullif(" ~ den ~ ", 0)") }}, 2) = 1
                    then 1
                else 0
            end
        )
    )
{%- endmacro %}

{% macro scaled_abs(num, decimals) -%}
    abs({{ num }}) * {{ 10 ** decimals }}
{%- endmacro %}

{# The same as a FLOAT64: one division of integers, so the nearest float of the decimal. #}
{% macro ratio(num, den, decimals) -%}
    ({{ half_even(num, den, decimals) }} / {{ 10 ** decimals }})
{%- endmacro %}

{# A stored decimal back as an integer number of 10^-decimals. #}
{% macro fixed_point(column, decimals) -%}
    cast(round({{ column }} * {{ 10 ** decimals }}) as int64)
{%- endmacro %}

{#
  Decimal minutes as whole seconds, half-even. The first rounding takes away the float's own error,
  so that 0.025 (1.5 seconds) is a half whatever its binary digits.
#}
{% macro whole_seconds(minutes) -%}
    {{ half_even(fixed_point('60 * ' ~ minutes, 5), 100000, 0) }}
{%- endmacro %}

{#
  Factor that makes a sum over so many games, 1 to 7, a whole number of 420ths of its mean: 420 is the
  least common multiple. NULL without a game.
#}
{% macro mean_of_7(games) -%}
    {{ int_div('420', 'nullif(' ~ games ~ ', 0)') }}
{%- endmacro %}

{# A percentage of two decimals as a fraction of four. #}
{% macro percent_as_fraction(column) -%}
    ({{ fixed_point(column, 2) }} / 10000)
{%- endmacro %}

{#
  Square root of num / den (num >= 0, den > 0), rounded half-even to decimals as an integer number
  of 10^-decimals. The float root only proposes the integer; comparing squares decides, so it does
  not matter whose SQRT it is. A root r is too small where (2r + 1)^2 is below
  4 * 10^(2 * decimals) * num / den, of which the integer part and the remainder are found in two
  steps: 2 * 10^decimals * den has to fit 64 bits, num itself may be as large as they hold.
#}
{% macro sqrt_half_even(num, den, decimals) -%}
    {%- set divisor = "nullif(" ~ den ~ ", 0)" -%}
    {%- set step = 2 * 10 ** decimals -%}
    {%- set first_rest = step ~ " * mod(" ~ num ~ ", " ~ divisor ~ ")" -%}
    {%- set second_rest = step ~ " * mod(" ~ first_rest ~ ", " ~ divisor ~ ")" -%}
    {%- set root -%}
        cast(floor(sqrt({{ num }} / {{ divisor }}) * {{ 10 ** decimals }}) as int64)
    {%- endset -%}
    {%- set midpoint_squared -%}
        (2 * {{ root }} + 1) * (2 * {{ root }} + 1)
    {%- endset -%}
    {%- set square -%}
        ({{ step * step }} * {{ int_div(num, divisor) }}
        + {{ step }} * {{ int_div(first_rest, divisor) }}
        + {{ int_div(second_rest, divisor) }})
    {%- endset -%}
    {%- set has_rest -%}
        mod({{ second_rest }}, {{ divisor }}) > 0
    {%- endset -%}
    (
        {{ root }}
        + case
            when {{ midpoint_squared }} < {{ square }} then 1
            when
                {{ midpoint_squared }} = {{ square }}
                and ({{ has_rest }} or mod({{ root }}, 2) = 1) then 1
            else 0
        end
    )
{%- endmacro %}
