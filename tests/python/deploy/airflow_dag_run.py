"""Run deploy's DAG on Airflow, in this process; needs an environment with Airflow.

`python airflow_dag_run.py DATE` reads the DAG as the scheduler does, runs it for the morning of a
date without waits between attempts, and prints the state of its run. The environment names the
program that its task runs, and Airflow's home.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"


def main(date: str) -> None:
    bag = DagBag(dag_folder=str(DEPLOY))
    (dag,) = bag.dags.values()
    for task in dag.tasks:
        task.retry_delay = timedelta(0)
    morning = datetime.fromisoformat(date).replace(hour=9, minute=30, tzinfo=UTC)
    run = dag.test(logical_date=morning)
    print(json.dumps({"dag": dag.dag_id, "errors": bag.import_errors, "state": str(run.state)}))


if __name__ == "__main__":
    main(sys.argv[1])
