"""A build counts only for dates that have the fingerprints of all processors."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from python_workers.accounting.input_builds import lacking_inputs
from python_workers.processors.catalogue import PROCESSORS
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse

DAYS = [dt.date(2021, 11, day) for day in (10, 12, 14)]


def test_a_date_lacks_inputs_unless_every_processor_has_its_fingerprint(tmp_path: Path) -> None:
    with DuckDBWarehouse(tmp_path / "inputs.duckdb") as warehouse:
        assert lacking_inputs(warehouse, DAYS) == DAYS
        warehouse.execute("create schema nba_precompute")
        warehouse.execute(
            "create table nba_precompute.input_fingerprints "
            "(processor_name string, analysis_date date)"
        )
        for day, processors in zip(DAYS, (PROCESSORS, PROCESSORS[1:], ()), strict=True):
            for processor in processors:
                warehouse.execute(
                    "insert into nba_precompute.input_fingerprints values (@name, @day)",
                    {"name": processor.name, "day": day},
                )
        assert lacking_inputs(warehouse, DAYS) == DAYS[1:]
        assert lacking_inputs(warehouse, DAYS[:1]) == []
        assert lacking_inputs(warehouse, []) == []
