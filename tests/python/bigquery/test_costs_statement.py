"""Google's analyser and engine run the statement of ``backcourt costs``."""

from __future__ import annotations

from python_workers.backfill.run_costs import _COSTS
from tests.python.bigquery.analyzer import check_statements
from tests.python.bigquery.google_engine import Query, evaluate

VIEW = "information_schema.jobs"
# Columns of INFORMATION_SCHEMA.JOBS as Google documents them, without those that we never read.
JOBS = [
    ("bi_engine_statistics", "struct<bi_engine_mode string>"),
    ("cache_hit", "bool"),
    ("creation_time", "timestamp"),
    ("destination_table", "struct<project_id string, dataset_id string, table_id string>"),
    ("end_time", "timestamp"),
    ("error_result", "struct<reason string, location string, message string>"),
    ("job_id", "string"),
    ("job_type", "string"),
    ("labels", "array<struct<key string, value string>>"),
    ("parent_job_id", "string"),
    ("priority", "string"),
    ("project_id", "string"),
    ("project_number", "int64"),
    ("query", "string"),
    ("reservation_id", "string"),
    ("session_info", "struct<session_id string>"),
    ("start_time", "timestamp"),
    ("state", "string"),
    ("statement_type", "string"),
    ("total_bytes_billed", "int64"),
    ("total_bytes_processed", "int64"),
    ("total_modified_partitions", "int64"),
    ("total_slot_ms", "int64"),
    ("transaction_id", "string"),
    ("user_email", "string"),
]


def job(run: str, stage: str, processed: int | None, parent: str | None = None) -> str:
    labels = {"run_id": run, "stage": stage, "processor": "psza"}
    shown = ", ".join(
        f"struct('{key}' as key, '{value}' as value)" for key, value in labels.items() if value
    )
    bytes_of_job = "cast(null as int64)" if processed is None else str(processed)
    parent_job = "cast(null as string)" if parent is None else f"'{parent}'"
    return (
        f"select timestamp '2024-01-01 09:30:00+00' as creation_time, [{shown}] as labels, "
        f"{parent_job} as parent_job_id, {bytes_of_job} as total_bytes_processed, "
        f"2 * {bytes_of_job} as total_bytes_billed, 3 * {bytes_of_job} as total_slot_ms"
    )


def test_bigquery_accepts_the_statement_over_the_documented_columns() -> None:
    statement = _COSTS.format(jobs=VIEW)
    wrong = statement.replace("total_slot_ms", "slot_millis")
    report = check_statements({VIEW: JOBS}, [statement, wrong])
    assert [finding.name for finding in report.findings] == [wrong]


def test_the_jobs_of_a_run_are_summed_by_stage_and_processor() -> None:
    jobs = [
        job("r1", "commit", 10),
        # The job of the transaction already sums up this statement.
        job("r1", "commit", 4, parent="script"),
        job("r1", "commit", 5),
        job("r1", "", None),
        job("r2", "commit", 100),
    ]
    statement = _COSTS.format(jobs=f"({' union all '.join(jobs)})")
    for name, value in {
        "first": "timestamp '2024-01-01 09:00:00+00'",
        "last": "timestamp '2024-01-02 09:00:00+00'",
        "run": "'r1'",
    }.items():
        statement = statement.replace(f"@{name}", value)
    (answer,) = evaluate({"costs": Query(statement, {})}).values()
    assert answer.problem is None
    assert answer.rows == [["commit", "psza", 2, 15, 30, 45], ["-", "psza", 1, 0, 0, 0]]
