"""Options with a fixed list of values, which settings, commands and stages share."""

from __future__ import annotations

from typing import Literal

Target = Literal["duckdb", "bigquery", "emulator"]
"""Warehouses of the dbt profile."""

BackendName = Literal["loky", "threading", "dask"]
"""Backends of the pool, as joblib names them."""

Reprocess = Literal["missing", "missing+failed", "all"]
"""Dates that a run computes beside missing and stale ones."""

Priority = Literal["interactive", "batch"]
"""When BigQuery starts a query."""
