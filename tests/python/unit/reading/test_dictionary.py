"""The data dictionary describes every table and column of the project."""

from __future__ import annotations

from pathlib import Path

from python_workers.processors.failures import CATEGORIES
from python_workers.reading.dictionary import whole_dictionary
from tests.python.support.command import CommandLine
from tests.python.support.folders import REPOSITORY


def test_every_table_and_column_is_described() -> None:
    entries = {entry.table: entry for entry in whole_dictionary(REPOSITORY)}
    names = {table.partition(".")[2] for table in entries}
    assert {path.stem for path in REPOSITORY.glob("models/**/*.sql")} < names
    assert {"nba_raw.games", "nba_staging.seasons", "nba_processing.backfill_coverage"} < {*entries}
    for entry in entries.values():
        assert entry.description
        assert entry.columns
        for column in entry.columns:
            assert column.description, (entry.table, column.name)
            assert "doc(" not in column.description
    examples = {each.name: each for each in entries["nba_predictions.training_examples"].columns}
    assert (examples["actual_points"].role, examples["actual_points"].type) == ("label", "int64")
    assert examples["season_year"].description == "Year in which the season starts."


def test_the_command_names_the_page_that_it_writes(backcourt: CommandLine, tmp_path: Path) -> None:
    outcome = backcourt("docs", "--out", tmp_path / "docs", "--dictionary-only")
    assert outcome.code == 0
    page = tmp_path / "docs" / "dictionary.html"
    assert str(page) in outcome.out
    assert [path.name for path in page.parent.iterdir()] == [page.name]
    text = page.read_text(encoding="utf-8")
    for entry in whole_dictionary(REPOSITORY):
        assert f'id="{entry.table}"' in text
    assert all(
        category.action in text for category in CATEGORIES.values() if "`" not in category.action
    )
    # dbt's page needs a warehouse; the dictionary is written all the same.
    assert backcourt("docs", "--out", tmp_path / "docs").code == 3
