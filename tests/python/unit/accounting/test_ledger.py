from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from python_workers import table_names
from python_workers.accounting.ledger import (
    DateState,
    Ledger,
    plan,
    processors_from,
)
from python_workers.accounting.processed_dates import (
    UNVERIFIED,
    Processed,
    Stored,
    WhatIsRead,
    current_change,
    read_stored,
)
from python_workers.choices import Reprocess
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import PROCESSORS
from python_workers.processors.composite_factors import COMPOSITE_FACTORS
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.feature_store import FEATURE_STORE
from python_workers.processors.shot_zones import SHOT_ZONES
from python_workers.processors.team_defense import TEAM_DEFENSE
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse

DAY = dt.date(2022, 1, 15)
NEXT_DAY = dt.date(2022, 1, 16)
EARLIER = dt.date(2022, 1, 14)


def ledger_of(**inputs: str) -> Ledger:
    """Return a ledger of one date with an input fingerprint per processor."""
    fingerprints = {processor.key: "1:1:1" for processor in PROCESSORS} | inputs
    return Ledger(inputs={(short, DAY): (text, 1) for short, text in fingerprints.items()})


def run(
    ledger: Ledger,
    processor: Processor,
    *,
    digest: str = "a",
    investigate: int = 0,
    daily_mark: str = "",
) -> Processed:
    """Record a run of a processor on the present state of the ledger."""
    record = Processed(
        processor.calculation_version,
        ledger.what_is_read(processor, DAY, daily_mark),
        digest,
        records=3,
        failures=2,
        investigate=investigate,
        rows_fingerprint="3:7:7",
        failures_fingerprint="2:5:5",
    )
    ledger.record(processor, {DAY: record})
    return record


@pytest.fixture
def finished() -> Ledger:
    """Return a ledger in which every processor has run on its date."""
    ledger = ledger_of()
    for processor in PROCESSORS:
        run(ledger, processor)
    return ledger


class TestState:
    def test_a_date_that_has_never_run_is_missing(self) -> None:
        assert ledger_of().state(SHOT_ZONES, DAY) == DateState("missing")

    def test_a_date_with_a_valid_record_is_done(self, finished: Ledger) -> None:
        assert {finished.state(each, DAY) for each in PROCESSORS} == {DateState("done")}

    def test_changed_inputs_make_their_processor_due(self, finished: Ledger) -> None:
        finished.inputs["psza", DAY] = ("2:2:2", 2)
        assert finished.state(SHOT_ZONES, DAY) == DateState("stale", "inputs changed")
        assert finished.state(COMPOSITE_FACTORS, DAY).status == "done"

    def test_changed_upstream_rows_make_downstream_due(self, finished: Ledger) -> None:
        run(finished, SHOT_ZONES, digest="b")
        for processor in (COMPOSITE_FACTORS, DAILY_CACHE, FEATURE_STORE):
            assert finished.state(processor, DAY) == DateState("stale", "upstream changed")
        assert finished.state(TEAM_DEFENSE, DAY).status == "done"

    def test_equal_upstream_rows_make_nothing_due(self, finished: Ledger) -> None:
        finished.inputs["psza", DAY] = ("2:2:2", 2)
        run(finished, SHOT_ZONES, digest="a")
        assert {finished.state(each, DAY).status for each in PROCESSORS} == {"done"}

    def test_a_lost_upstream_is_named(self, finished: Ledger) -> None:
        del finished.current["tdza", DAY]
        assert finished.state(COMPOSITE_FACTORS, DAY) == DateState(
            "stale", "upstream missing: tdza"
        )
        assert finished.missing_upstream(FEATURE_STORE, DAY) == ["tdza"]

    def test_another_version_makes_the_date_due(self, finished: Ledger) -> None:
        newer = replace(SHOT_ZONES, calculation_version="v99")
        state = finished.state(newer, DAY)
        assert state == DateState(
            "stale", f"version changed: {SHOT_ZONES.calculation_version} to v99"
        )

    def test_failures_to_investigate_make_a_valid_date_failed(self, finished: Ledger) -> None:
        run(finished, DAILY_CACHE, investigate=3)
        assert finished.state(DAILY_CACHE, DAY) == DateState("failed", "3 failures to investigate")
        finished.inputs["pdc", DAY] = ("2:2:2", 2)
        assert finished.state(DAILY_CACHE, DAY).status == "stale"

    def test_a_changed_daily_mark_makes_a_date_due(self, finished: Ledger) -> None:
        marked = {"pdc": "+waived"}

        def mark(processor: Processor, _day: dt.date) -> str:
            return marked.get(processor.key, "")

        assert finished.due_dates(DAILY_CACHE, [DAY], "missing", mark) == [DAY]
        assert finished.due_dates(SHOT_ZONES, [DAY], "missing", mark) == []
        assert finished.state(DAILY_CACHE, DAY, "+waived").reason == "inputs changed"
        run(finished, DAILY_CACHE, daily_mark="+waived")
        assert finished.due_dates(DAILY_CACHE, [DAY], "missing", mark) == []
        assert finished.due_dates(DAILY_CACHE, [DAY], "missing") == [DAY]

    def test_rows_that_dbt_may_have_built_too_early_are_built_again(self, finished: Ledger) -> None:
        record = run(finished, FEATURE_STORE)
        unverified = replace(record, read=replace(record.read, upstream_digests=UNVERIFIED))
        finished.record(FEATURE_STORE, {DAY: unverified})
        why = "built by dbt run, perhaps before what it reads"
        assert finished.state(FEATURE_STORE, DAY) == DateState("stale", why)

    @pytest.mark.parametrize(
        ("processor", "stored", "reason"),
        [
            (DAILY_CACHE, None, "0 of 3 rows and 0 of 2 failures are there"),
            (DAILY_CACHE, Stored("2:7:7", "2:5:5"), "2 of 3 rows and 2 of 2 failures are there"),
            (DAILY_CACHE, Stored("3:7:7", "1:5:5"), "3 of 3 rows and 1 of 2 failures are there"),
            (DAILY_CACHE, Stored("4:7:7", "2:5:5"), "4 of 3 rows and 2 of 2 failures are there"),
            (FEATURE_STORE, Stored("3:8:7", "2:5:5"), "its rows differ from those recorded"),
            (DAILY_CACHE, Stored("3:7:8", "2:5:5"), "its rows differ from those recorded"),
            (DAILY_CACHE, Stored("3:7:7", "2:5:6"), "its failures differ from those recorded"),
        ],
    )
    def test_a_date_is_missing_if_rows_are_gone_and_stale_if_they_are_others(
        self, finished: Ledger, processor: Processor, stored: Stored | None, reason: str
    ) -> None:
        if stored is None:
            del finished.stored[processor.key, DAY]
        else:
            finished.stored[processor.key, DAY] = stored
        are_gone = stored is None or reason.startswith(("2 of 3", "3 of 3"))
        expected = DateState("missing" if are_gone else "stale", reason)
        assert finished.state(processor, DAY) == expected
        run(finished, processor)
        assert finished.state(processor, DAY) == DateState("done")

    def test_a_date_without_inputs_can_be_done_too(self) -> None:
        ledger = Ledger()
        run(ledger, SHOT_ZONES)
        assert ledger.state(SHOT_ZONES, DAY).status == "done"


@pytest.mark.parametrize(
    ("status", "due"),
    [
        ("missing", {"missing", "missing+failed", "all"}),
        ("stale", {"missing", "missing+failed", "all"}),
        ("failed", {"missing+failed", "all"}),
        ("done", {"all"}),
    ],
)
@pytest.mark.parametrize("reprocess", ["missing", "missing+failed", "all"])
def test_the_reprocess_mode_decides_which_statuses_are_due(
    status: Any, due: set[str], reprocess: Reprocess
) -> None:
    assert DateState(status).is_due(reprocess) == (reprocess in due)


def test_due_dates_keep_their_order(finished: Ledger) -> None:
    dates = [NEXT_DAY, DAY]
    assert finished.due_dates(SHOT_ZONES, dates, "missing") == [NEXT_DAY]
    assert finished.due_dates(SHOT_ZONES, dates, "all") == dates


class TestPlan:
    def test_a_due_upstream_makes_downstream_stale(self, finished: Ledger) -> None:
        finished.inputs["psza", DAY] = ("2:2:2", 2)
        states = plan(finished, PROCESSORS, [DAY])
        assert {short: states[short, DAY] for short in ("tdza", "psza", "pcf", "pdc", "mlfs")} == {
            "tdza": DateState("done"),
            "psza": DateState("stale", "inputs changed"),
            "pcf": DateState("stale", "upstream due: psza"),
            "pdc": DateState("stale", "upstream due: psza"),
            "mlfs": DateState("stale", "upstream due: psza, pcf, pdc"),
        }

    def test_only_chosen_processors_are_planned(self, finished: Ledger) -> None:
        finished.inputs["psza", DAY] = ("2:2:2", 2)
        states = plan(finished, processors_from(3), [DAY])
        assert states == {
            (each.key, DAY): DateState("done")
            for each in (COMPOSITE_FACTORS, DAILY_CACHE, FEATURE_STORE)
        }

    def test_failures_are_planned_as_failed(self, finished: Ledger) -> None:
        run(finished, FEATURE_STORE, investigate=1)
        assert plan(finished, [FEATURE_STORE], [DAY]) == {
            ("mlfs", DAY): DateState("failed", "1 failure to investigate")
        }


def test_processors_are_planned_in_their_own_order() -> None:
    assert processors_from() == PROCESSORS
    assert processors_from(3) == (COMPOSITE_FACTORS, DAILY_CACHE, FEATURE_STORE)
    assert processors_from(1, ["mlfs", "psza"]) == (SHOT_ZONES, FEATURE_STORE)
    assert processors_from(4, ["psza", "pdc"]) == (DAILY_CACHE,)


def create_current_table(warehouse: DuckDBWarehouse) -> None:
    rows = current_change(SHOT_ZONES, "", {}, dt.datetime.now(dt.UTC)).rows
    assert rows is not None
    types = {"string": "text", "int64": "bigint", "date32[day]": "date"}
    columns = ", ".join(
        f"{field.name} {types.get(str(field.type), 'timestamptz')}" for field in rows.schema
    )
    warehouse.execute(f"create schema {table_names.PROCESSING}")
    warehouse.execute(f"create table {table_names.PROCESSED_DATES} ({columns})")


class TestReading:
    @pytest.fixture
    def warehouse(self, tmp_path: Path) -> Iterator[DuckDBWarehouse]:
        with DuckDBWarehouse(tmp_path / "backcourt.duckdb") as warehouse:
            yield warehouse

    def test_without_tables_nothing_has_run(self, warehouse: DuckDBWarehouse) -> None:
        assert Ledger.read(warehouse, DAY, NEXT_DAY) == Ledger()

    def test_the_current_record_counts_even_after_a_wrong_clock(
        self, warehouse: DuckDBWarehouse
    ) -> None:
        create_current_table(warehouse)
        late, early = (dt.datetime(2022, 2, day, tzinfo=dt.UTC) for day in (2, 1))
        old, new = (
            Processed("v1", WhatIsRead(text, "tdza:a", "+waived"), text, 5, 2, 1, "5:1:2", "2:3:4")
            for text in ("old", "new")
        )
        for record, run_id, now in ((old, "z", late), (new, "a", early)):
            warehouse.commit(
                [current_change(SHOT_ZONES, run_id, {DAY: record, EARLIER: record}, now)]
            )
        ledger = Ledger.read(warehouse, DAY, NEXT_DAY)
        assert ledger.current == {("psza", DAY): new}
        assert ledger.computed_dates == {DAY}

    def test_stored_rows_and_failures_are_counted_by_date(self, warehouse: DuckDBWarehouse) -> None:
        for table, columns in (
            (DAILY_CACHE.table, "analysis_date date"),
            (TEAM_DEFENSE.table, "analysis_date date, team_abbr text"),
            (table_names.PRECOMPUTE_FAILURES, "processor_name text, analysis_date date"),
        ):
            warehouse.execute(f"create schema if not exists {table.split('.')[0]}")
            warehouse.execute(f"create table {table} ({columns})")
        warehouse.execute(
            f"insert into {DAILY_CACHE.table} select @day from range(3)", {"day": DAY}
        )
        warehouse.execute(f"insert into {DAILY_CACHE.table} values (@day)", {"day": EARLIER})
        warehouse.execute(f"insert into {TEAM_DEFENSE.table} values (@day, 'LAL')", {"day": DAY})
        warehouse.execute(
            f"insert into {table_names.PRECOMPUTE_FAILURES} "
            "values (@name, @day), (@name, @day), ('Other', @day)",
            {"name": DAILY_CACHE.name, "day": NEXT_DAY},
        )
        found = read_stored(warehouse, DAY, NEXT_DAY)
        teams = found["tdza", DAY]
        assert {key: (each.records, each.failures) for key, each in found.items()} == {
            ("tdza", DAY): (1, 0),
            ("pdc", DAY): (3, 0),
            ("pdc", NEXT_DAY): (0, 2),
        }
        warehouse.execute(f"update {TEAM_DEFENSE.table} set team_abbr = 'BOS'")
        changed = read_stored(warehouse, DAY, NEXT_DAY)["tdza", DAY]
        assert changed.records == 1
        assert changed != teams

    def test_fingerprints_are_those_of_the_range(self, warehouse: DuckDBWarehouse) -> None:
        warehouse.execute(f"create schema {table_names.PRECOMPUTE}")
        rows = pa.table(
            {
                "processor_name": [SHOT_ZONES.name, DAILY_CACHE.name, DAILY_CACHE.name],
                "analysis_date": [DAY, NEXT_DAY, NEXT_DAY + dt.timedelta(days=1)],
                "input_rows": [5, 6, 7],
                "input_fingerprint": ["5:5:5", "6:6:6", "7:7:7"],
            }
        )
        warehouse.execute(
            f"create table {table_names.INPUT_FINGERPRINTS} (processor_name text, "
            "analysis_date date, input_rows bigint, input_fingerprint text)"
        )
        from python_workers.warehouse.base import TableChange

        warehouse.commit([TableChange(table_names.INPUT_FINGERPRINTS, ("analysis_date",), rows)])
        ledger = Ledger.read(warehouse, DAY, NEXT_DAY)
        assert ledger.inputs == {("psza", DAY): ("5:5:5", 5), ("pdc", NEXT_DAY): ("6:6:6", 6)}
