"""Tables that dbt creates on BigQuery declare the keys that its tests prove."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.python.bigquery.analyzer import check_statements, dbt_command
from tests.python.bigquery.emulator import Emulator
from tests.python.bigquery.fault_proxy import FaultProxy
from tests.python.bigquery.sent_jobs import sent_jobs
from tests.python.support.folders import REPOSITORY


def test_a_created_table_has_its_tested_key_and_google_s_analyser_accepts_it(
    emulator: Emulator, proxy: FaultProxy, prefix: str, tmp_path: Path
) -> None:
    settings = emulator.settings() | {
        "BACKCOURT_BQ_ENDPOINT": proxy.endpoint,
        "BACKCOURT_BQ_DATASET_PREFIX": prefix,
    }
    done = subprocess.run(
        dbt_command("run", "--select", "processor_runs", target=tmp_path),
        check=False,
        cwd=REPOSITORY,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    created = [
        job.statement
        for job in sent_jobs(proxy.seen)
        if job.statement and re.search(r"create (or replace )?table", job.statement)
    ]
    assert len(created) == 1
    key = r"primary key \(processor_name, analysis_date, run_id\) not enforced\s*\)"
    assert re.search(key, created[0])
    report = check_statements({}, created)
    assert (report.checked, report.findings) == (1, ())
