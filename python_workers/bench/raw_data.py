"""The raw data of a benchmark: complete, simulated, or cut to a few weeks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from python_workers.raw.reading import read_raw_table
from python_workers.raw.schema import (
    GAMES,
    PLAYERS,
    RAW_TABLES,
    RawTable,
)
from python_workers.runtime.scratch import scratch_folder
from python_workers.simulation.simulate import MARKER, simulate

SIMULATED_SEASONS = ("2021-22", "2022-23", "2023-24", "2024-25")
QUICK_DAYS = 28


def is_simulated(raw: Path) -> bool:
    """Tell whether raw data come from ``backcourt simulate``."""
    return (raw / MARKER).exists()


def simulate_seasons(folder: Path, *, is_quick: bool) -> None:
    """Simulate the four seasons of the real data, or one season for a smoke test."""
    simulate(folder, SIMULATED_SEASONS[:1] if is_quick else SIMULATED_SEASONS)


def cut_to_weeks(raw: Path, target: Path) -> None:
    """Write raw files with only the first weeks of the first season.

    Parameters
    ----------
    raw
        A folder of raw data.
    target
        Folder for the new files; it gets a folder with one Parquet file per table.
    """
    with scratch_folder() as scratch:
        games = _table(raw, GAMES, scratch)
        last = pc.min(games.column("game_date")).as_py() + timedelta(days=QUICK_DAYS - 1)
        first_weeks = games.filter(pc.less_equal(games.column("game_date"), pa.scalar(last)))
        ids = first_weeks.column("game_id").combine_chunks()
        for table in RAW_TABLES:
            rows = first_weeks if table is GAMES else _table(raw, table, scratch)
            if table is not PLAYERS:
                rows = rows.filter(pc.is_in(rows.column("game_id"), value_set=ids))
            (target / table.name).mkdir(parents=True, exist_ok=True)
            pq.write_table(rows, target / table.name / "cut.parquet")


def _table(raw: Path, table: RawTable, scratch: Path) -> pa.Table:
    return read_raw_table(raw, table, scratch).rows.table()
