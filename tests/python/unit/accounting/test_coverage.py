"""Coverage finds what needs attention in a range, and names it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from python_workers.accounting.coverage import (
    COUNTS,
    INVESTIGATE,
    SHOWN_GAMES,
    Coverage,
    exit_code,
    read_coverage,
)
from python_workers.accounting.schedule import Schedule
from python_workers.errors import BackcourtError, ExitCode
from python_workers.processors.catalogue import BY_KEY
from python_workers.processors.failures import CATEGORIES, UNKNOWN_CATEGORY
from python_workers.raw.findings import Finding
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse

FIRST, SECOND = dt.date(2021, 11, 10), dt.date(2021, 11, 12)
PSZA, PDC = BY_KEY["psza"], BY_KEY["pdc"]
SCHEDULE = Schedule(FIRST, SECOND, (FIRST, SECOND))


def row(
    status: str = "complete", counts: Mapping[str, int] | None = None, why: str | None = None
) -> dict[str, Any]:
    return {
        "processor_name": PSZA.name,
        "analysis_date": FIRST,
        "coverage_status": status,
        "stale_reason": why,
        **dict.fromkeys(COUNTS, 0),
        **(counts or {}),
    }


def attention(*rows: dict[str, Any], **others: Any) -> list[str]:
    found = Coverage(FIRST, SECOND, rows, **others)
    assert exit_code(found) is (ExitCode.ATTENTION if found.needs_attention else ExitCode.OK)
    return found.needs_attention


def test_complete_dates_and_expected_failures_need_no_attention() -> None:
    expected = [category.column for category in CATEGORIES.values() if category.is_expected]
    counts = {name: 2 for name in expected if name not in INVESTIGATE}
    assert len(counts) == 3
    assert (
        attention(row("complete_with_expected_gaps", {"expected": 9, "records": 3, **counts})) == []
    )
    assert exit_code(Coverage(FIRST, SECOND, [row()]), ["a failed test"]) is ExitCode.ATTENTION


@pytest.mark.parametrize(
    "name",
    [
        "incomplete_upstream",
        "processing_error",
        "circuit_breaker_active",
        UNKNOWN_CATEGORY,
    ],
)
def test_every_failure_to_investigate_needs_attention(name: str) -> None:
    assert attention(row("investigate", {name: 1})) == ["1 failure to investigate"]
    assert attention(*[row("investigate", {name: 2})] * 2) == ["4 failures to investigate"]


@pytest.mark.parametrize("name", ["unaccounted", "duplicated", "unexpected"])
def test_entities_that_do_not_add_up_need_attention_if_the_date_has_run(name: str) -> None:
    assert attention(row("complete", {name: 1})) == [f"1 entity {name}"]
    assert attention(*[row("complete", {name: 1})] * 2) == [f"2 entities {name}"]
    assert attention(row("not_run", {name: 7})) == ["1 processor-date not run"]


@pytest.mark.parametrize(
    ("status", "words"),
    [("not_run", "not run"), ("incomplete", "incomplete"), ("stale", "stale")],
)
def test_due_dates_need_attention(status: str, words: str) -> None:
    assert attention(row(status), row(status), row()) == [f"2 processor-dates {words}"]


def test_raw_rows_to_correct_need_attention() -> None:
    error = Finding("wrong", "games", "2021-22", is_error=True, found=3, example="a game")
    assert attention(row(), raw_errors=[error, error]) == ["6 raw rows to correct"]


def test_known_gaps_that_match_nothing_need_no_attention() -> None:
    gaps = [{"game_id": "1", "player_id": None, "mismatch": "unknown_game"}] * (SHOWN_GAMES + 2)
    assert attention(row(), unmatched_gaps=gaps) == []
    lines = Coverage(FIRST, SECOND, [], unmatched_gaps=gaps).unmatched_lines
    assert lines[0] == "known gap to take out: game 1: no such game"
    assert lines[SHOWN_GAMES:] == ["  … and 2 more known gaps"]
    gap = {"game_id": "1", "player_id": 7, "mismatch": "no_gap"}
    all_shown = Coverage(FIRST, SECOND, [], unmatched_gaps=[gap] * SHOWN_GAMES).unmatched_lines
    assert all_shown == ["known gap to take out: game 1 player 7: its data is there"] * SHOWN_GAMES


def test_stale_dates_are_listed_by_reason_with_their_games() -> None:
    games = [{"game_id": "1", "game_date": SECOND, "load_id": "abcdefghij"}] * (SHOWN_GAMES + 1)
    found = Coverage(
        FIRST, SECOND, [row("stale", why="why"), row("stale", why="why"), row()], (), games
    )
    assert found.repair_lines == [
        (
            "stale: why: 1 game date, 2021-11-10 to 2021-11-10; "
            "run: backcourt backfill --start 2021-11-10 --end 2021-11-10"
        ),
        *["  changed since: game 1 of 2021-11-12 (load abcdefgh)"] * SHOWN_GAMES,
        "  … and 1 more game, the last of 2021-11-12",
    ]
    assert len(Coverage(FIRST, SECOND, [], (), games[1:]).repair_lines) == SHOWN_GAMES


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    """Return a warehouse with coverage, stale dates and raw findings written by hand."""
    path = tmp_path / "coverage.duckdb"
    counts = ", ".join(f"0 as {name}" for name in COUNTS)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema nba_processing")
        connection.execute(
            "create table nba_processing.backfill_coverage as "
            "select processor_name, analysis_date::date as analysis_date, coverage_status, "
            f"{counts} from (values "
            f"('{PSZA.name}', '2021-11-10', 'complete'), ('{PSZA.name}', '2021-11-11', 'complete'),"
            f"('{PDC.name}', '2021-11-10', 'incomplete'), ('{PDC.name}', '2021-11-09', 'complete'))"
            " as t (processor_name, analysis_date, coverage_status)"
        )
        connection.execute(
            "create table nba_processing.stale_dates as select processor_name, analysis_date, "
            "'inputs changed' as stale_reason from nba_processing.backfill_coverage "
            f"union all values ('{PDC.name}', date '2021-11-11', 'inputs changed')"
        )
    with DuckDBWarehouse(path) as warehouse:
        yield warehouse


def test_a_stale_date_is_stale_unless_it_is_incomplete_or_has_not_run(
    warehouse: DuckDBWarehouse,
) -> None:
    found = read_coverage(warehouse, SCHEDULE, [PSZA, PDC])
    # 11 November is no game date of the schedule, but has rows; 12 November has not run.
    assert [
        (each["analysis_date"].day, each["processor_name"], each["coverage_status"])
        for each in found.by_date
    ] == [
        (10, PDC.name, "incomplete"),
        (10, PSZA.name, "stale"),
        (11, PSZA.name, "stale"),
        (12, PDC.name, "not_run"),
        (12, PSZA.name, "not_run"),
    ]
    assert [each["stale_reason"] for each in found.by_date] == ["inputs changed"] * 3 + [None] * 2
    assert {
        each["processor_name"] for each in read_coverage(warehouse, SCHEDULE, [PDC]).by_date
    } == {PDC.name}


def test_a_processor_that_has_not_run_is_not_stale_beside_one_that_is(
    warehouse: DuckDBWarehouse,
) -> None:
    day = dt.date(2021, 11, 11)
    found = read_coverage(warehouse, Schedule(day, day, (day,)), [PSZA, PDC])
    assert [(each["coverage_status"], each["stale_reason"]) for each in found.by_date] == [
        ("not_run", None),
        ("stale", "inputs changed"),
    ]


def test_raw_rows_to_correct_are_errors_of_the_range_or_of_no_date(
    warehouse: DuckDBWarehouse,
) -> None:
    warehouse.execute(
        "create table nba_processing.raw_findings as select finding, 'games' as table_name, "
        "'2021-22' as season, is_error, cast(game_date as date) as game_date, 'a row' as detail, "
        "'1' as game_id, 1 as player_id from (values "
        "('in range', true, '2021-11-10'), ('of no date', true, null), "
        "('too early', true, '2021-11-09'), ('no error', false, '2021-11-10')) "
        "as t (finding, is_error, game_date)"
    )
    found = read_coverage(warehouse, SCHEDULE, [PSZA])
    assert {each.finding for each in found.raw_errors} == {"in range", "of no date"}


def test_dates_between_the_chosen_ones_do_not_count(warehouse: DuckDBWarehouse) -> None:
    seasons = Schedule(FIRST, SECOND, (FIRST, SECOND), is_whole_range=False)
    found = read_coverage(warehouse, seasons, [PSZA])
    assert [each["analysis_date"] for each in found.by_date] == [FIRST, SECOND]


def test_without_a_build_nothing_has_run(tmp_path: Path) -> None:
    with DuckDBWarehouse(tmp_path / "empty.duckdb") as warehouse:
        with pytest.raises(BackcourtError, match="no backfill has run on this warehouse"):
            read_coverage(warehouse, SCHEDULE)
        found = read_coverage(warehouse, SCHEDULE, [PSZA], must_exist=False)
    assert [each["coverage_status"] for each in found.by_date] == ["not_run", "not_run"]
    assert found.needs_attention == ["2 processor-dates not run"]
