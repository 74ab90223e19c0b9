"""Links into the report, to a file or an address; without a report, how to write one."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_workers.cli.report_links import report_hint, report_link
from python_workers.settings import load_settings

PAGE = "#player=lebronjames"


def test_a_report_beside_the_duckdb_file_is_linked_to_once_it_is_there(tmp_path: Path) -> None:
    settings = load_settings(duckdb_path=tmp_path / "a b" / "backcourt.duckdb")
    assert report_link(settings, PAGE) is None
    assert report_hint(settings, PAGE) == (
        "backcourt report --out report.html, then report.html#player=lebronjames"
    )
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "report.html").touch()
    link = f"file://{tmp_path}/a%20b/report.html#player=lebronjames"
    assert report_link(settings, PAGE) == report_hint(settings, PAGE) == link


@pytest.mark.parametrize("target", ["duckdb", "bigquery"])
def test_the_settings_name_another_file_or_an_address(tmp_path: Path, target: str) -> None:
    given = {"target": target, "duckdb_path": tmp_path / "backcourt.duckdb"}
    hosted = load_settings(**given, report="https://reports.example/nba.html")
    assert report_link(hosted, PAGE) == "https://reports.example/nba.html#player=lebronjames"
    file = tmp_path / "monday.html"
    named = load_settings(**given, report=str(file))
    assert report_link(named, PAGE) is None
    file.touch()
    assert report_link(named, PAGE) == f"{file.as_uri()}#player=lebronjames"


def test_rows_on_bigquery_are_not_those_of_a_report_beside_a_duckdb_file(tmp_path: Path) -> None:
    (tmp_path / "report.html").touch()
    settings = load_settings(target="bigquery", duckdb_path=tmp_path / "backcourt.duckdb")
    assert report_link(settings, PAGE) is None
