"""Airflow: one daily run each morning. Exit code 1 (data needs attention) is not retried."""  # noqa: INP001 -- a folder of files

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowFailException

ATTENTION = 1


@dag(
    schedule="30 9 * * *",
    start_date=datetime(2021, 10, 19, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
    tags=["backcourt"],
)
def backcourt_daily() -> None:
    """Compute the date on which the run starts."""

    @task(execution_timeout=timedelta(hours=2))
    def daily(data_interval_end: datetime | None = None) -> None:
        if data_interval_end is None:
            raise AirflowFailException("the run has no date")
        command = os.environ.get("BACKCOURT_COMMAND", "backcourt")
        date = f"{data_interval_end:%Y-%m-%d}"
        ended = subprocess.run(  # noqa: S603 -- our own command
            [command, "daily", "--date", date, "--wait", "600", "--log-format", "json"],
            check=False,
        )
        if ended.returncode == ATTENTION:
            # A retry would change nothing, and the circuit breaker would count it as an attempt.
            raise AirflowFailException(f"{date} is done, but its data needs attention: see the log")
        ended.check_returncode()

    daily()


backcourt_daily()
