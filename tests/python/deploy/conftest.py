"""Which files of this folder pytest leaves alone."""

from __future__ import annotations

# A program of Airflow's own environment.
collect_ignore = ["airflow_dag_run.py"]
