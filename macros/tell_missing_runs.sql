{#
  After `dbt build` or `dbt test` by hand: if dates have not been computed, name the command for it.
  dbt builds inputs and tests rows; Python writes the rows in between.
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
