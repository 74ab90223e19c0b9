{#
  All tests with the tag coverage in one node: dbt's own work for a test takes longer than the test's
  statement. A row names a test that fails, and the number of its failures. On DuckDB a backfill runs
  this test, and those of the tests by themselves that fail and are not mere warnings. It only warns:
  in `dbt test` the tests themselves decide. BigQuery would bill every statement twice.
-#}

{{- config(severity='warn', enabled=target.type == 'duckdb') }}
{%- for processor in processors().values() %}
{%- do ref(processor.model) %}
{%- do ref(processor.inputs_model) %}
{%- endfor %}
{%- for name in [
    'expected_entities', 'game_dates', 'input_builds', 'input_fingerprints', 'int_player_games',
    'known_source_gaps', 'precompute_failures', 'processed_dates', 'processor_runs', 'raw_findings',
    'record_changes', 'reprocess_attempts', 'stale_dates', 'stg_player_registry',
    'unmatched_known_gaps', 'upcoming_player_game_context',
] %}
{%- do ref(name) %}
{%- endfor %}

{{- failing_tests('coverage') }}
