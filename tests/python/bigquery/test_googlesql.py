"""BigQuery's own analyser accepts every statement, which no emulator can show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from python_workers.accounting.file_commits import RowsInFiles, replacement
from python_workers.processors.catalogue import BY_KEY
from python_workers.processors.shot_zones import OUTPUT
from python_workers.warehouse.bigquery.warehouse import BigQueryWarehouse
from tests.python.bigquery.analyzer import check_compiled, check_statements, compile_project
from tests.python.bigquery.fault_proxy import FaultProxy
from tests.python.bigquery.sent_jobs import sent_jobs
from tests.python.bigquery.tables import FEATURES, FIRST, PLAYERS, RUNS, chunk, players

GAMES = {"nba_raw.games": [("game_id", "string"), ("game_date", "date"), ("home_score", "int64")]}

WRONG = [
    "select game_date from nba_raw.games where game_date = game_id",
    "select home_score::string from nba_raw.games",
    "select away_score from nba_raw.games",
    "select * from nba_raw.shots",
    "select game_id, count(*) from nba_raw.games",
    "select date_diff('day', game_date, game_date) from nba_raw.games",
    "select sum(game_id) from nba_raw.games",
    "select row_number() over (order by game_id rows 2 preceding) from nba_raw.games",
    "select home_score // 2 from nba_raw.games",
    "insert into nba_raw.games (game_id, game_date) select game_date, game_id from nba_raw.games",
    "delete from nba_raw.games where",
]
RIGHT = [
    "select game_id from nba_raw.games qualify row_number() over (order by game_date) = 1",
    "select div(home_score, 2), @factor * home_score from nba_raw.games",
    """
    SELECT failure_category, COUNT(*) AS count
    FROM `nba_processing.precompute_failures`
    WHERE processor_name = "PlayerShotZoneAnalysisProcessor"
      AND created_at > TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 30 MINUTE)
    GROUP BY 1;
    """,
]
FAILURES = {
    "nba_processing.precompute_failures": [
        ("processor_name", "string"),
        ("failure_category", "string"),
        ("created_at", "timestamp"),
    ]
}


def test_wrong_statements_are_found_and_right_ones_pass() -> None:
    report = check_statements(GAMES | FAILURES, [*WRONG, *RIGHT])
    assert report.checked == len(WRONG) + len(RIGHT)
    assert [finding.name for finding in report.findings] == WRONG


BOUNDED = [
    "select * from nba_raw.games where game_date between @start and date '2021-12-31'",
    "select * from nba_raw.games as g where (g.game_date >= @day) and g.home_score > 100",
    "select * from nba_raw.games where (game_date between @a and @b) or game_date is null",
    "delete from nba_raw.games as target where target.game_date = @day and exists (select 1)",
    "select 1 from (select 1 as one) as t join nba_raw.games as g on true where g.game_date = @d",
]
UNBOUNDED = [
    "select * from nba_raw.games",
    "select * from nba_raw.games where game_date = date(2021, 12, home_score)",
    "select * from nba_raw.games where cast(game_date as string) = '2021-12-01'",
    "select * from nba_raw.games where game_date = @day or home_score > 100",
    "select * from nba_raw.games where home_score in (select 1 from unnest([1]) where @d = @d)",
    "select 1 from (select @d as game_date) join nba_raw.games on true where game_date = @d",
    "delete from nba_raw.games where true",
]


def test_a_read_of_every_date_is_found() -> None:
    report = check_statements(
        GAMES, [*BOUNDED, *UNBOUNDED], partitioned={"nba_raw.games": "game_date"}
    )
    assert {finding.name for finding in report.findings} == set(UNBOUNDED)


def test_the_statements_of_the_warehouse_are_bigquery_s(
    connect: Callable[..., BigQueryWarehouse], proxy: FaultProxy
) -> None:
    warehouse = connect(dataset_prefix="p_")
    warehouse.ensure_tables([FEATURES, RUNS, PLAYERS])
    warehouse.commit(chunk("one", [FIRST], 1.0))
    warehouse.upsert(PLAYERS, players((1, "Al Horford", FIRST, None)))
    specs = (FEATURES, RUNS, PLAYERS)
    types: dict[str, list[tuple[str, str]]] = {
        f"p_{spec.name}": [(c.name, c.type) for c in spec.columns] for spec in specs
    }
    partitioned = {f"p_{spec.name}": spec.partition_by for spec in specs if spec.partition_by}
    jobs = sent_jobs(proxy.seen)
    types |= dict(job.loaded for job in jobs if job.loaded)
    report = check_statements(types, [job.statement for job in jobs if job.statement], partitioned)
    # A transaction of eight statements, a count and a MERGE.
    assert report.checked == 10
    assert report.findings == ()


@pytest.mark.slow
def test_every_compiled_model_and_test_is_bigquery_s_and_names_its_dates(
    tmp_path: Path,
) -> None:
    compile_project(tmp_path, start_date="2021-12-01", end_date="2021-12-31")
    report = check_compiled(tmp_path)
    assert report.checked > 50
    assert report.findings == ()


def test_files_could_be_exchanged_with_bigquery_in_its_own_statements() -> None:
    """Inputs leave and results enter through object storage; the commit's statements are portable.

    Only the names of the files and the staging table would be BigQuery's own.
    """
    processor = BY_KEY["psza"]
    types = {"int64": "int64", "double": "float64", "string": "string", "bool": "bool"}
    output = [
        (name, types.get(str(type_), "date"))
        for name, type_ in zip(OUTPUT.schema.names, OUTPUT.schema.types, strict=True)
    ] + [("data_hash", "string")]
    written = [("run_id", "string"), ("created_at", "timestamp"), ("processed_at", "timestamp")]
    rows = RowsInFiles("nba_processing.staged_rows", [name for name, _ in output])
    statements = [
        each.sql
        for each in replacement(
            processor.table, rows, {name: f"cast(@{name} as {t})" for name, t in written}, "", {}
        )
    ]
    tables = GAMES | {
        processor.table: [*output, *written],
        "nba_processing.staged_rows": output,
    }
    report = check_statements(
        tables,
        [
            """
            export data options (
                uri = 'gs://bucket/unit/players-*.parquet', format = 'PARQUET', overwrite = true
            ) as select game_id from nba_raw.games where game_date between @first and @last
            """,
            """
            load data overwrite nba_processing.staged_rows
            from files (format = 'PARQUET', uris = ['gs://bucket/unit/rows.parquet'])
            """,
            *statements,
        ],
        {processor.table: "analysis_date"},
    )
    assert report.checked == 2 + len(statements)
    assert report.findings == ()
