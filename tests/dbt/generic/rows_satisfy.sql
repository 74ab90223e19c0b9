{#
  Every row satisfies every condition; a condition that is NULL passes.
  conditions: name -> SQL expression. A violation carries the name of its first broken condition.
  All of them are checked in one scan, limited to the range of the vars where date_column is given.
#}
{% test rows_satisfy(model, conditions, date_column=none) %}

with

checked as (

    select
        case
            {%- for name, condition in conditions.items() %}
            when not ({{ condition }}) then '{{ name }}'
            {%- endfor %}
        end as broken_condition,
        *,
    from {{ model }}
    {%- if date_column %}
    where {{ in_date_range(date_column) }}
    {%- endif %}

)

select * from checked
where broken_condition is not null

{% endtest %}
