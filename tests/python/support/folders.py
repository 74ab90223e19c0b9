"""Folders of the project under test, its cases, recorded answers and real raw files."""

import datetime as dt
import os
from pathlib import Path

import pytest

from python_workers.simulation.simulate import MARKER

REPOSITORY = Path(__file__).resolve().parents[3]

# A league without oddities, and its last two dates.
PLAIN = REPOSITORY.parent / "shared" / "cases" / "plain"
PLAIN_DATES = (dt.date(2021, 11, 10), dt.date(2021, 11, 12))

# Recorded answers of the public sources.
SAMPLES = REPOSITORY.parent / "shared" / "feeds" / "samples"


def raw_folder() -> Path:
    """Return the folder that real raw files belong in."""
    named = os.environ.get("BACKCOURT_RAW_DIR")
    return Path(named) if named else REPOSITORY.parent / "shared" / "data" / "nba"


def has_real_files() -> bool:
    """Tell whether the raw files are those of real games."""
    folder = raw_folder()
    return (folder / "games" / "2021_22.parquet").exists() and not (folder / MARKER).exists()


# Marks the cases on made-up games that the same test has on real ones, where there are real files.
ALSO_ON_REAL_GAMES = (pytest.mark.twice,) if has_real_files() else ()
