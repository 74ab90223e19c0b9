{#
  Half-even rounding of the exact ratio num / den, den > 0, as an integer number of 10^-decimals.
  Integers only: SQL's ROUND works on floats and rounds halves away from zero, and engines sum
  floats in any order. NULL if num or den is NULL or den is 0. Both num * 10^decimals and 2 * den must
  fit 64 bits, 9.2 * 10^18.
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

{# The same as a FLOAT64: one division of integers gives the float nearest to the decimal. #}
{% macro ratio(num, den, decimals) -%}
    ({{ half_even(num, den, decimals) }} / {{ 10 ** decimals }})
{%- endmacro %}

{# Converts a stored decimal back to an integer number of 10^-decimals. #}
{% macro fixed_point(column, decimals) -%}
    cast(round({{ column }} * {{ 10 ** decimals }}) as int64)
{%- endmacro %}

{#
  Decimal minutes as whole seconds, rounded half-even. The first rounding removes the float's own
  error, so that 0.025 (1.5 seconds) counts as exactly a half.
#}
{% macro whole_seconds(minutes) -%}
    {{ half_even(fixed_point('60 * ' ~ minutes, 5), 100000, 0) }}
{%- endmacro %}

{#
  The factor 420 / games, for 1 to 7 games: a sum times it is the mean in whole 420ths, since 420 is
  the least common multiple of 1 to 7. NULL without a game.
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
  of 10^-decimals. The float root only proposes the integer; comparing squares decides, so the result
  does not depend on the engine's SQRT. A root r is too small if (2r + 1)^2 is below
  4 * 10^(2 * decimals) * num / den. Compute the integer part and the remainder of that in two steps:
  2 * 10^decimals * den must fit 64 bits, and num itself may be any 64-bit number.
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
