"""A warehouse of an earlier version: tables without newer columns, and without newer tables."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from python_workers import table_names
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from python_workers.warehouse.former_tables import ADDED_COLUMNS
from tests.python.support.command import CommandLine
from tests.python.support.engine import Engine, assert_same

DAYS = dt.date(2021, 12, 3), dt.date(2021, 12, 4)
RANGE = ("--start", DAYS[0], "--end", DAYS[1])

NEWER = (
    table_names.RECORD_CHANGES,
    table_names.TRAINING_EXAMPLES,
    table_names.SOURCE_GAPS,
    table_names.UNMATCHED_KNOWN_GAPS,
)


def make_former(engine: Engine) -> None:
    """Remove what an earlier version lacked, and change the recorded project state."""
    views = engine.query(
        "select schema_name || '.' || view_name as name from duckdb_views() "
        "where database_name = current_database() and not internal"
    )
    names = {view["name"] for view in views}
    # Views of an earlier version read no newer columns: replace the views by their rows.
    for name in names & {*ADDED_COLUMNS, table_names.STALE_DATES}:
        kept = f"{name}_of_former"
        engine.execute(
            f"create table {kept} as select * from {name}",
            f"create or replace view {name} as select * from {kept}",
        )
    for name in NEWER:
        engine.execute(f"drop {'view' if name in names else 'table'} {name}")
    for table, columns in ADDED_COLUMNS.items():
        for column in columns:
            if table in names:
                kept = f"{table}_of_former"
                engine.execute(
                    f"alter table {kept} drop column {column}",
                    f"create or replace view {table} as select * from {kept}",
                )
            else:
                engine.execute(f"alter table {table} drop column {column}")
    engine.execute(f"update {table_names.INPUT_BUILDS} set project_state = 'of another version'")


@pytest.fixture
def former(backfilled: CommandLine, engine: Engine) -> CommandLine:
    make_former(engine)
    return backfilled


def test_every_command_reads_what_a_former_version_left(
    former: CommandLine, engine: Engine, tmp_path: Path
) -> None:
    other = engine.copy(tmp_path / "other")
    (row,) = engine.query(
        f"select player_id from nba_precompute.player_daily_cache "
        f"where analysis_date = date '{DAYS[1]}' order by player_id limit 1"
    )
    stale = {
        "status": ("status", "--date", DAYS[1]),
        "plan": ("plan", *RANGE),
        "coverage": ("coverage", *RANGE),
        "report": ("report", "--out", tmp_path / "report.html", *RANGE),
        "dry run": ("backfill", *RANGE, "--dry-run"),
    }
    others = {
        "doctor": ("doctor",),
        "diff": ("diff", other.path, *RANGE),
        "export": (
            *("export", "--out", tmp_path / "export", *RANGE, "--allow-gaps"),
            *("--tables", "pdc,failures"),
        ),
        "explain": ("explain", row["player_id"], "--date", DAYS[1], "--processor", "pdc"),
        "verify": ("verify", *RANGE),
    }
    outcomes = {name: former(*asked) for name, asked in {**stale, **others}.items()}
    errors = {name: outcome.err for name, outcome in outcomes.items() if "bug" in outcome.err}
    assert not errors
    assert {name: outcomes[name].code for name in stale} == dict.fromkeys(stale, 1)
    shown = " ".join(outcomes["coverage"].out.split())
    assert "an earlier version recorded no fingerprint of its rows" in shown
    # Inputs of another layout cannot be computed again; the message says what to do.
    explained = outcomes["explain"]
    assert explained.code in {0, 1} or "an earlier version has built it" in explained.err
    codes = {name: outcomes[name].code for name in others if name != "explain"}
    assert set(codes.values()) <= {0, 1}, {name: outcomes[name].err for name in codes}


def test_a_backfill_brings_a_former_warehouse_up_to_date(
    former: CommandLine, engine: Engine, simulated: Engine
) -> None:
    engine.backfill(*DAYS)
    with DuckDBWarehouse(engine.path) as warehouse:
        for table, added in ADDED_COLUMNS.items():
            present = {column.name for column in warehouse.columns(table)}
            # `backcourt load` writes this table.
            assert added.keys() <= present or table == table_names.CHANGED_GAMES
    assert_same(engine.everything(*DAYS), simulated.everything(*DAYS))
    shown = former.ok("plan", *RANGE)
    assert "compute" not in shown.out
