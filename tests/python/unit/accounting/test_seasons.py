"""The seasons come from the project's seed or from a file of the user's own."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from python_workers.accounting.seasons import (
    HEADER,
    SEASONS_FILE,
    Season,
    read_seasons,
    seasons_file,
    store_seasons,
)
from python_workers.backfill.dbt_project import DbtProject
from python_workers.errors import BackcourtError
from python_workers.settings import load_settings
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.folders import REPOSITORY

LINE = "2021-22,2021,2021-10-19,2022-04-10,2022-06-30"


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([",".join(HEADER), *lines, ""]))
    return path


def test_a_file_replaces_the_seed_whole(
    warehouse: DuckDBWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_seasons(warehouse, read_seasons(REPOSITORY / SEASONS_FILE))
    own = write(tmp_path / "own.csv", LINE.replace("2022-04-10", "2022-04-09"))
    monkeypatch.setenv("BACKCOURT_SEASONS", str(own))
    settings = load_settings()
    project = DbtProject(settings)
    before = project.state()
    project.store_seasons(warehouse)
    stored = warehouse.query("select * from nba_staging.seasons").to_pylist()
    assert stored == [
        vars(
            Season(
                "2021-22",
                2021,
                dt.date(2021, 10, 19),
                dt.date(2022, 4, 9),
                dt.date(2022, 6, 30),
            )
        )
    ]
    # A changed line changes the project state, so dates that were built before are due.
    write(own, LINE)
    assert project.state() != before
    monkeypatch.delenv("BACKCOURT_SEASONS")
    assert seasons_file(load_settings(), REPOSITORY) == REPOSITORY / SEASONS_FILE
    DbtProject(load_settings()).store_seasons(warehouse)
    stored = warehouse.query("select * from nba_staging.seasons").to_pylist()
    assert stored == [vars(season) for season in read_seasons(REPOSITORY / SEASONS_FILE)]


def test_the_same_seasons_are_not_written_again(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    seasons = read_seasons(write(tmp_path / "own.csv", LINE))
    store_seasons(warehouse, seasons)
    before = warehouse.content_state(["nba_staging.seasons"])
    warehouse.commit = None  # type: ignore[method-assign,assignment]
    store_seasons(warehouse, seasons)
    assert warehouse.content_state(["nba_staging.seasons"]) == before


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([LINE, LINE], "line 3: 2021-22 is listed twice"),
        (["2021-23" + LINE[7:]], "line 2: is not a season"),
        ([LINE.replace(",2021,", ",2022,")], "line 2: season_year 2022 is not the year"),
        ([LINE.replace("2022-04-10", "2023-04-10")], "line 2: the days are not in their order"),
        ([LINE.replace("2022-04-10", "10.4.2022")], "line 2: Invalid isoformat string"),
        ([LINE + ",1"], "line 2 has 6 values, not 5"),
        (['"' + LINE], "line 2: unexpected end of data"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, lines: list[str], expected: str) -> None:
    with pytest.raises(BackcourtError) as caught:
        read_seasons(write(tmp_path / "own.csv", *lines))
    assert expected in caught.value.render()


def test_a_file_without_the_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(LINE + "\n")
    with pytest.raises(BackcourtError, match="begins with"):
        read_seasons(tmp_path / "own.csv")
    with pytest.raises(BackcourtError, match="cannot be read: No such file"):
        read_seasons(tmp_path / "missing.csv")
