"""Names the files of this folder that pytest must not collect."""

from __future__ import annotations

# A program of Airflow's own environment.
collect_ignore = ["airflow_dag_run.py"]
