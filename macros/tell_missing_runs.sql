{#
  After `dbt build` or `dbt test` by hand: where dates have not been computed, say who computes them.
  dbt builds inputs and tests rows; the rows between the two are written by Python.
#}
{% macro tell_missing_runs(results) -%}
    {%- for result in results if
        result.node.name == 'every_game_date_is_run_by_every_processor' and result.failures
    -%}
        {{ log(
            result.failures ~ " processor-dates have not been computed, so that `dbt build` in one go "
            ~ "cannot pass: run `backcourt backfill`, or `dbt run`, `backcourt compute`, `dbt run` "
            ~ "and `dbt test`.",
            info=true
        ) }}
    {%- endfor -%}
{%- endmacro %}
