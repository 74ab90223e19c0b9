"""Scopes, axes, ticks and sums of the report, without a warehouse."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from python_workers.accounting.coverage import COUNTS, Coverage
from python_workers.accounting.schedule import Schedule
from python_workers.processors.shot_zones import SHOT_ZONES
from python_workers.reading.scope import Scope
from python_workers.report.scales import SEASON_GAP, SeasonAxis, ticks
from python_workers.report.shooters import most_attempts
from python_workers.report.totals import total, verdict
from tests.python.support.leagues import days

DATES = days(16)


def test_seasons_with_others_between_them_are_named_date_by_date() -> None:
    known = [(dt.date(2021, 12, 1), "2021-22"), (dt.date(2022, 12, 1), "2022-23")]
    only = (dt.date(2021, 12, 1), dt.date(2023, 12, 1))
    scope = Scope(Schedule(*only, only, is_whole_range=False), known)
    assert scope.condition() == (
        "analysis_date between @start and @end and analysis_date in unnest(@dates)"
    )
    assert scope.parameters(limit=1) == {
        "start": only[0],
        "end": only[1],
        "dates": list(only),
        "limit": 1,
    }


def test_a_date_off_the_schedule_belongs_to_the_season_before_it() -> None:
    known = [(dt.date(2021, 12, 1), "2021-22"), (dt.date(2022, 12, 1), "2022-23")]
    scope = Scope(Schedule(known[0][0], known[1][0], ()), known)
    assert scope.season(dt.date(2021, 1, 1)) == "2021-22"
    assert scope.season(dt.date(2022, 7, 1)) == "2021-22"
    assert scope.season(dt.date(2023, 7, 1)) == "2022-23"


def test_summers_take_no_room_on_the_axis() -> None:
    axis = SeasonAxis(
        {
            "2021-22": [dt.date(2022, 4, 1), dt.date(2022, 4, 10)],
            "2022-23": [dt.date(2022, 10, 18), dt.date(2022, 10, 27)],
        },
        100.0,
        100.0 + 200.0 + SEASON_GAP,
    )
    assert axis.edges(dt.date(2022, 4, 1)) == (100.0, 110.0)
    assert axis.edges(dt.date(2022, 10, 18)) == (200.0 + SEASON_GAP, 210.0 + SEASON_GAP)
    # The week of a season's first day begins before it.
    assert axis.edges(dt.date(2022, 10, 17), 7) == (200.0 + SEASON_GAP, 260.0 + SEASON_GAP)


@pytest.mark.parametrize("high", [1, 3, 7, 30, 458, 4_567, 120_025])
def test_ticks_are_few_and_round_and_reach_the_highest_value(high: int) -> None:
    values = ticks(high)
    assert values[0] == 0
    assert values[-2] < high <= values[-1]
    assert 3 <= len(values) <= 6


def coverage_row(status: str = "complete", **counts: int) -> dict[str, Any]:
    return {
        "processor_name": SHOT_ZONES.name,
        "analysis_date": DATES[0],
        "coverage_status": status,
        **dict.fromkeys(COUNTS, 0),
        **counts,
    }


@pytest.mark.parametrize(
    ("rows", "level", "words"),
    [
        ([coverage_row(expected=9, records=9)], "good", "Everyone is accounted for."),
        (
            [coverage_row("not_run", expected=9, unaccounted=9)],
            "empty",
            "Nothing has been computed",
        ),
        (
            [coverage_row("investigate", expected=9, records=8, processing_error=1)],
            "attention",
            "1 entry of 9 (11.11 %) to investigate",
        ),
        (
            [coverage_row("incomplete", expected=9, records=8, unaccounted=1)],
            "bad",
            "1 have neither row nor failure",
        ),
        (
            [coverage_row("incomplete", expected=9, records=10, duplicated=1)],
            "bad",
            "1 have more than one row or failure",
        ),
        (
            [coverage_row("incomplete", expected=9, records=10, unexpected=1)],
            "bad",
            "1 were not expected",
        ),
        (
            [coverage_row("incomplete", expected=9, records=9)],
            "bad",
            "1 processor-dates have rows but no record of a run",
        ),
        (
            [
                coverage_row(expected=9, records=9),
                coverage_row("not_run", expected=9, unaccounted=9),
            ],
            "attention",
            "Everyone is accounted for on the dates that have run.",
        ),
    ],
)
def test_the_verdict_says_how_the_coverage_stands(
    rows: list[dict[str, Any]], level: str, words: str
) -> None:
    found = verdict(total(Coverage(DATES[0], DATES[0], rows)), DATES[0], DATES[0])
    assert found.level == level
    assert words in found.headline


def test_a_player_without_shots_has_no_place_among_those_with_the_most() -> None:
    nobody = {"paint_rate_last_10": None, "player_name": "Somebody", "player_lookup": "somebody"}
    assert "Somebody" not in most_attempts([nobody])
