"""What only BigQuery's own analyser sees: every statement would be accepted there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from analyzer import check_compiled, check_statements, compile_project
from emulator import Emulator
from fault_proxy import FaultProxy
from tables import FEATURES, FIRST, PLAYERS, RUNS, chunk, players

from python_workers.warehouse.bigquery import BigQueryWarehouse

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


def test_the_statements_of_the_warehouse_are_bigquery_s(
    connect: Callable[..., BigQueryWarehouse], proxy: FaultProxy
) -> None:
    warehouse = connect(dataset_prefix="p_")
    warehouse.ensure_tables([FEATURES, RUNS, PLAYERS])
    warehouse.commit(chunk("one", [FIRST], 1.0))
    warehouse.upsert(PLAYERS, players((1, "Al Horford", FIRST, None)))
    types = {
        f"p_{spec.name}": [(c.name, c.type) for c in spec.columns]
        for spec in (FEATURES, RUNS, PLAYERS)
    }
    for load in proxy.requests("POST", "/upload/"):
        match = re.search(rb'\{.*"configuration".*\}', load.body)
        assert match is not None
        config = json.loads(match[0])["configuration"]["load"]
        table = config["destinationTable"]
        name = f"{table['projectId']}.{table['datasetId']}.{table['tableId']}"
        types[name] = [(f["name"], f["type"].lower()) for f in config["schema"]["fields"]]
    statements = [
        json.loads(job.body)["configuration"]["query"]["query"]
        for job in proxy.requests("POST", "v2/projects/[^/]+/jobs")
        if job.body.startswith(b"{")
    ]
    report = check_statements(types, statements)
    # A transaction of six statements, a count and a MERGE.
    assert report.checked == 8
    assert report.findings == ()


@pytest.mark.slow
def test_every_compiled_model_and_test_is_bigquery_s(emulator: Emulator, tmp_path: Path) -> None:
    compile_project(emulator, tmp_path)
    report = check_compiled(tmp_path)
    assert report.checked > 50
    assert report.findings == ()
