{#
  Half-even rounding of the exact ratio num / den, den > 0, as an integer number of 10^-decimals.
  Integers only: SQL's ROUND works on floats and rounds halves away from zero, and engines sum
  floats in any order. NULL where either is NULL or den is 0.
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

{# A percentage of two decimals as a fraction of four. #}
{% macro percent_as_fraction(column) -%}
    ({{ fixed_point(column, 2) }} / 10000)
{%- endmacro %}

{#
  Square root of num / den (num >= 0, den > 0), rounded half-even to decimals as an integer number
  of 10^-decimals. The float root only proposes the integer; comparing squares decides, so it does
  not matter whose SQRT it is.
#}
{% macro sqrt_half_even(num, den, decimals) -%}
    {%- set root -%}
        cast(floor(sqrt({{ num }} * {{ 10 ** (2 * decimals) }} / nullif({{ den }}, 0))) as int64)
    {%- endset -%}
    (
        {{ root }}
        + case
            when
                (2 * {{ root }} + 1) * (2 * {{ root }} + 1) * ({{ den }})
                < 4 * {{ num }} * {{ 10 ** (2 * decimals) }} then 1
            when
                (2 * {{ root }} + 1) * (2 * {{ root }} + 1) * ({{ den }})
                = 4 * {{ num }} * {{ 10 ** (2 * decimals) }}
                and mod({{ root }}, 2) = 1 then 1
            else 0
        end
    )
{%- endmacro %}
