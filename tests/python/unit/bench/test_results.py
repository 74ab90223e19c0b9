"""The results of a benchmark: their bars, their JSON and their page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from python_workers.bench.page import PAGE_BEGINS, docs_page, results_table
from python_workers.bench.results import JSON_BEGINS, Results, at_least, at_most, exactly
from python_workers.cli.console import out
from python_workers.errors import BackcourtError
from python_workers.runtime.writing import check_writable


def made_up_results(*, is_smoke_test: bool = False) -> Results:
    results = Results(
        "2026-01-01T00:00:00+00:00",
        {
            "cores": 2,
            "processor": "a processor",
            "memory_gib": 8.0,
            "system": "Linux x86_64",
            "python": "3.11.0",
            "backcourt": "0.1.0",
            "revision": "abc1234",
            "packages": {"duckdb": "1.5.0"},
            "load_before": 0.1,
        },
        {
            "source": "real",
            "first_season": "2021-22",
            "last_season": "2024-25",
            "seasons": 4,
            "game_dates": 652,
            "box_score_lines": 158_751,
            "shots": 872_156,
        },
        is_smoke_test,
    )
    results.section("a", "Whole backfill")
    results.add("whole backfill", 61.25, "s", at_most(60, "s"), "652 game dates")
    results.add("rows | written", 0, "rows", exactly(0, "rows"))
    results.section("b", "Frames")
    results.add("ratio", 80.0, "x", at_least(50, "x"))
    results.add("without a bar", 1234.5, "ms")
    results.note("Extrapolated.")
    return results


def test_results_read_from_json_equal_those_written() -> None:
    results = made_up_results()
    assert Results.from_json(results.to_json()) == results


def test_the_files_of_an_earlier_benchmark_may_be_replaced(tmp_path: Path) -> None:
    found, page = tmp_path / "found.json", tmp_path / "page.md"
    found.write_text(made_up_results().to_json())
    page.write_text(docs_page(made_up_results()))
    check_writable(found, JSON_BEGINS)
    check_writable(page, PAGE_BEGINS)
    with pytest.raises(BackcourtError, match="has not written it"):
        check_writable(found, PAGE_BEGINS)


def test_the_json_has_its_schema() -> None:
    found = json.loads(made_up_results().to_json())
    assert found.keys() == {
        *("version", "created_at", "machine", "data", "is_smoke_test", "sections")
    }
    for section in found["sections"]:
        assert section.keys() == {"key", "title", "figures", "notes"}
        for figure in section["figures"]:
            assert figure.keys() == {"name", "value", "unit", "bar", "met", "note"}
            assert isinstance(figure["value"], int | float)
            assert figure["met"] in (True, False, None)


def test_results_of_another_version_are_refused() -> None:
    text = made_up_results().to_json().replace('"version": 1', '"version": 99')
    with pytest.raises(ValueError, match="version 99"):
        Results.from_json(text)


def test_a_bar_is_met_or_not_and_never_judged_by_a_smoke_test() -> None:
    assert [figure.met for figure in made_up_results().figures] == [False, True, True, None]
    assert [figure.name for figure in made_up_results().missed] == ["whole backfill"]
    assert {figure.met for figure in made_up_results(is_smoke_test=True).figures} == {None}


def test_table_and_page_show_every_figure_with_its_bar() -> None:
    results = made_up_results()
    with out.capture() as captured:
        out.print(results_table(results))
    page = docs_page(results)
    for text in (captured.get(), page):
        for shown in ("61.2 s", "≤ 60 s", "not met", "80.0 x", "≥ 50 x", "1,234 ms", "652 game"):
            assert shown in text
    assert "rows \\| written" in page
    assert "Extrapolated." in page
