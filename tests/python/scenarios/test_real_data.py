"""Figures of real data that are known from other sources."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
from jinja2 import Environment

from python_workers.hashing import HASH_FIELDS, data_hash
from python_workers.settings import resolve_project_dir
from tests.python.support.engine import SHORTS, Engine

DAY = dt.date(2022, 1, 15)
LEBRON_JAMES = 2544


def test_shot_zones_of_a_date_are_440_rows_and_150_expected_gaps(real: Engine) -> None:
    found = Counter(what for (day, _), what in real.outcomes("psza").items() if day == DAY)
    assert found == {"row": 440, "EXPECTED_INCOMPLETE": 150}
    assert len([entity for day, entity in real.outcomes("tdza") if day == DAY]) == 30


def test_the_shot_zones_of_lebron_james(real: Engine) -> None:
    (row,) = [
        row
        for (day, _), row in real.rows("psza").items()
        if day == DAY and row["player_id"] == LEBRON_JAMES
    ]
    zones = ("paint", "mid_range", "three_pt")
    assert [row[f"{zone}_rate_last_10"] for zone in zones] == [47.01, 16.24, 36.75]
    assert (row["total_shots_last_10"], row["primary_scoring_zone"]) == (234, "paint")
    assert row["universal_player_id"] == "lebronjames_2544"


def test_everybody_is_accounted_for_in_half_a_month(real: Engine) -> None:
    coverage = real.coverage(dt.date(2022, 1, 1), DAY)
    assert len(coverage.by_date) == 15 * len(SHORTS)
    for row in coverage.by_date:
        assert row["coverage_status"] in (
            "complete",
            "complete_with_expected_gaps",
            "investigate",
        )
        assert row["processing_error"] == row["unaccounted"] == row["duplicated"] == 0


def test_every_stored_hash_recomputes_from_the_stored_row(real: Engine) -> None:
    for short in ("psza", "pcf", "pdc"):
        rows = real.rows(short)
        assert len(rows) > 2_000
        for key, row in rows.items():
            assert data_hash(row, HASH_FIELDS[short]) == row["data_hash"], key


def test_coordinates_give_the_leagues_own_zone_label(real_files: Path) -> None:
    macros = (resolve_project_dir() / "macros" / "domain.sql").read_text(encoding="utf-8")
    environment = Environment(autoescape=False, extensions=["jinja2.ext.do"])  # noqa: S701 -- SQL
    label: Any = environment.from_string(macros).module
    from_coordinates = label.zone_label_from_coordinates("loc_x", "loc_y", "shot_value")
    with duckdb.connect() as connection:
        found = connection.execute(
            f"""
            select
                count(*) as labelled,
                count(*) filter (where zone_basic = {from_coordinates}) as same
            from read_parquet('{real_files}/shots/*.parquet', union_by_name = true)
            where zone_basic is not null and loc_x is not null and loc_y is not null
            """
        ).fetchone()
    assert found is not None
    labelled, same = found
    assert labelled > 600_000
    assert same / labelled >= 0.999
