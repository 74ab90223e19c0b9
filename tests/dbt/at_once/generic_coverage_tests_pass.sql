{#
  All generic tests with the tag coverage in one node: dbt's own work for a test takes longer than the
  test's statement. A row names a test that fails, and the number of its failures. On DuckDB a
  backfill runs this test, and the tests themselves only if it fails.
-#}

{%- for processor in processors().values() %}
{%- do ref(processor.model) %}
{%- do ref(processor.inputs_model) %}
{%- endfor %}
{%- for name in [
    'expected_entities', 'input_builds', 'input_fingerprints', 'precompute_failures',
    'processed_dates', 'processor_runs', 'record_changes', 'reprocess_attempts',
] %}
{%- do ref(name) %}
{%- endfor %}

{{- failing_generic_tests('coverage') }}
