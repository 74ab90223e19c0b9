{#
  No two rows share the key and no part of it is missing.
  Of a table with one row per date and more, name its date_column: only the range of the vars is
  read (and rows without a date).
#}
{% test unique_key(model, columns, date_column=none) %}

select
    {{ columns | join(',\n    ') }},
    count(*) as rows_of_key,
from {{ model }}
{%- if date_column %}
where ({{ in_date_range(date_column) }}) or {{ date_column }} is null
{%- endif %}
group by {{ columns | join(', ') }}
having
    count(*) > 1
    {%- for column in columns %}
    or {{ column }} is null
    {%- endfor %}

{% endtest %}
