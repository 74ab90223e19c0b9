{#
  No two rows share the key and no part of it is missing.
  Of a table with one row per date and more, name its date_column: only the range of the vars is
  read (and rows without a date). A small rank 0..62 that is part of the key goes into rank_column:
  the ranks of a group are then gathered as the bits of one integer, so that millions of rows are
  grouped by the other columns alone.
#}
{% test unique_key(model, columns, date_column=none, rank_column=none) %}

{%- set grouping = columns | reject('equalto', rank_column) | list -%}

select
    {{ grouping | join(',\n    ') }},
    count(*) as rows_of_key,
from {{ model }}
{%- if date_column %}
where ({{ in_date_range(date_column) }}) or {{ date_column }} is null
{%- endif %}
group by {{ grouping | join(', ') }}
having
    {% if rank_column -%}
    count(*) != bit_count(coalesce(bit_or(1 << {{ rank_column }}), 0))
    {%- else -%}
    count(*) > 1
    {%- endif %}
    {%- for column in grouping %}
    or {{ column }} is null
    {%- endfor %}

{% endtest %}
