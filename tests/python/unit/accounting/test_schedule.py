from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from python_workers.accounting.schedule import Schedule, resolve
from python_workers.errors import BackcourtError, ExitCode
from python_workers.raw.schema import GAMES
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.raw_factories import game


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


# Three seasons of two dates each.
DATES = {
    "2021-22": ("2021-10-19", "2021-10-21"),
    "2022-23": ("2022-10-18", "2022-10-20"),
    "2023-24": ("2023-10-24", "2023-10-25"),
}


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(tmp_path / "backcourt.duckdb") as opened:
        opened.ensure_tables([GAMES.spec])
        yield opened


@pytest.fixture
def seasons(warehouse: DuckDBWarehouse) -> DuckDBWarehouse:
    rows = [(season, date) for season, dates in DATES.items() for date in dates]
    add_games(warehouse, *(row for row in rows for _ in range(2)))
    return warehouse


def add_games(warehouse: DuckDBWarehouse, *games: tuple[str, str], **values: Any) -> None:
    """Add games of (season, date)."""

    (count,) = warehouse.query("select count(*) as n from nba_raw.games").column("n").to_pylist()
    rows = [
        game(f"00{count + number:08d}", season=season, game_date=day(date), **values)
        for number, (season, date) in enumerate(games)
    ]
    warehouse.upsert(GAMES.spec, pa.Table.from_pylist(rows))


def days(*texts: str) -> tuple[dt.date, ...]:
    return tuple(map(day, texts))


def test_a_range_includes_both_ends_and_has_every_game_date_once(
    seasons: DuckDBWarehouse,
) -> None:
    found = resolve(seasons, day("2021-10-19"), day("2022-10-18"))
    assert found.dates == days("2021-10-19", "2021-10-21", "2022-10-18")
    assert (found.start, found.end) == days("2021-10-19", "2022-10-18")
    assert found.only_dates is None


def test_a_range_may_begin_and_end_on_days_without_games(seasons: DuckDBWarehouse) -> None:
    found = resolve(seasons, day("2021-10-20"), day("2022-06-01"))
    assert found == Schedule(day("2021-10-20"), day("2022-06-01"), days("2021-10-21"))


def test_all_means_every_game_date(seasons: DuckDBWarehouse) -> None:
    found = resolve(seasons, everything=True)
    assert found.dates == tuple(day(date) for dates in DATES.values() for date in dates)
    assert (found.start, found.end) == days("2021-10-19", "2023-10-25")


def test_a_season_means_its_game_dates(seasons: DuckDBWarehouse) -> None:
    found = resolve(seasons, seasons=["2022-23"])
    assert (found.start, found.end) == days("2022-10-18", "2022-10-20")
    assert found.dates == days(*DATES["2022-23"])
    assert found.only_dates is None


def test_neighbouring_seasons_are_one_range(seasons: DuckDBWarehouse) -> None:
    found = resolve(seasons, seasons=["2023-24", "2022-23"])
    assert found.dates == days(*DATES["2022-23"], *DATES["2023-24"])
    assert found.is_whole_range


def test_seasons_with_another_between_them_name_their_dates(seasons: DuckDBWarehouse) -> None:
    found = resolve(seasons, seasons=["2021-22", "2023-24"])
    assert found.dates == found.only_dates == days(*DATES["2021-22"], *DATES["2023-24"])
    assert (found.start, found.end) == days("2021-10-19", "2023-10-25")


def test_a_date_with_nothing_but_postponed_games_is_no_game_date(
    seasons: DuckDBWarehouse,
) -> None:
    add_games(
        seasons, ("2021-22", "2021-10-20"), status="postponed", home_score=None, away_score=None
    )
    add_games(seasons, ("2021-22", "2021-10-22"), status="scheduled")
    found = resolve(seasons, seasons=["2021-22"])
    assert found.dates == days("2021-10-19", "2021-10-21", "2021-10-22")


class TestCalledOff:
    def test_a_computed_date_that_was_called_off_stays_in_the_schedule(self) -> None:
        schedule = Schedule(day("2021-10-19"), day("2021-10-30"), days("2021-10-19", "2021-10-21"))
        found = schedule.with_called_off(days("2021-10-20", "2021-10-19"))
        assert found.dates == days("2021-10-19", "2021-10-20", "2021-10-21")
        assert (found.start, found.end) == (schedule.start, schedule.end)

    def test_a_schedule_of_seasons_gets_no_date_of_another_season(self) -> None:
        schedule = Schedule(
            day("2021-10-19"), day("2023-10-25"), days("2021-10-19", "2023-10-25"), False
        )
        assert schedule.with_called_off(days("2022-10-18")) == schedule

    def test_a_season_reaches_to_its_computed_dates(self, seasons: DuckDBWarehouse) -> None:
        computed = days("2021-10-18", "2021-10-22", "2022-10-17", "2023-11-01")
        seasons.execute("create schema nba_processing")
        seasons.execute(
            "create table nba_processing.processed_dates "
            "(analysis_date date, records bigint, failures bigint)"
        )
        for each in computed:
            seasons.execute(f"insert into nba_processing.processed_dates values ('{each}', 1, 0)")
        seasons.execute("create schema nba_staging")
        seasons.execute(
            "create table nba_staging.seasons as select * from (values "
            "('2021-22', date '2021-10-18', date '2022-06-30'), "
            "('2022-23', date '2022-10-17', date '2023-06-30'), "
            "('2023-24', date '2023-10-24', date '2024-06-30')) "
            "as seasons (season, first_date, last_date)"
        )
        found = resolve(seasons, seasons=["2021-22"])
        assert (found.start, found.end) == days("2021-10-18", "2021-10-22")
        assert found.dates == days(*DATES["2021-22"])
        assert found.with_called_off(computed[:2]).dates == days(
            "2021-10-18", "2021-10-19", "2021-10-21", "2021-10-22"
        )

        apart = resolve(seasons, seasons=["2021-22", "2023-24"])
        assert (apart.start, apart.end) == (computed[0], computed[-1])
        added = set(apart.with_called_off(computed).dates) - set(apart.dates)
        assert added == {*computed} - {day("2022-10-17")}

    def test_every_date_belongs_to_a_season_whoever_wrote_rows_on_it(
        self, seasons: DuckDBWarehouse
    ) -> None:
        written = days("1900-01-01", "2022-07-13", "2023-10-23", "2199-12-31")
        seasons.execute("create schema nba_predictions")
        seasons.execute("create table nba_predictions.ml_feature_store_v2 (game_date date)")
        for each in written:
            seasons.execute(f"insert into nba_predictions.ml_feature_store_v2 values ('{each}')")
        ends = {
            season: (found.start, found.end)
            for season in DATES
            for found in [resolve(seasons, seasons=[season])]
        }
        assert ends == {
            "2021-22": (written[0], written[1]),
            "2022-23": (day("2022-10-18"), written[2]),
            "2023-24": (day("2023-10-24"), written[3]),
        }
        # A range without games is one if rows are to be deleted there.
        found = resolve(seasons, day("2022-07-01"), day("2022-07-31"))
        assert (found.dates, found.with_called_off(written[1:2]).dates) == ((), written[1:2])
        with pytest.raises(BackcourtError, match="no raw games"):
            resolve(seasons, day("2022-08-01"), day("2022-08-31"))

    def test_all_reaches_to_the_computed_dates(self, seasons: DuckDBWarehouse) -> None:
        seasons.execute("create schema nba_processing")
        seasons.execute(
            "create table nba_processing.processed_dates "
            "(analysis_date date, records bigint, failures bigint)"
        )
        whole = resolve(seasons, everything=True)
        seasons.execute(
            "insert into nba_processing.processed_dates values "
            # The last one lost its games, and then its rows.
            "('2021-10-18', 1, 0), ('2023-11-01', 0, 1), ('2023-11-02', 0, 0)"
        )
        found = resolve(seasons, everything=True)
        assert (found.start, found.end) == days("2021-10-18", "2023-11-01")
        assert found.dates == whole.dates


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({}, "which dates?", "Use --start D --end D, or --season 2021-22 (repeatable), or --all."),
        (
            {"start": day("2021-10-19"), "end": day("2021-10-19"), "everything": True},
            "give the dates in one way only",
            "Use --start",
        ),
        ({"seasons": ["2021-22"], "everything": True}, "give the dates in one way only", "Use"),
        ({"start": day("2021-10-19")}, "a range needs both ends", "Add --end YYYY-MM-DD."),
        ({"end": day("2021-10-19")}, "a range needs both ends", "Add --start YYYY-MM-DD."),
        (
            {"start": day("2021-10-20"), "end": day("2021-10-19")},
            "--start 2021-10-20 is after --end 2021-10-19",
            "Swap the two.",
        ),
    ],
)
def test_options_that_contradict_each_other_are_a_usage_error(
    seasons: DuckDBWarehouse, options: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(BackcourtError) as caught:
        resolve(seasons, **options)
    assert caught.value.message == message
    assert caught.value.hint[0].startswith(hint)
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("options", "message", "fact"),
    [
        (
            {"start": day("2021-10-01"), "end": day("2021-10-10")},
            "no raw games between 2021-10-01 and 2021-10-10",
            "The schedule in nba_raw.games begins on 2021-10-19.",
        ),
        (
            {"start": day("2024-01-01"), "end": day("2024-02-01")},
            "no raw games between 2024-01-01 and 2024-02-01",
            "The schedule in nba_raw.games ends on 2023-10-25.",
        ),
        (
            {"start": day("2021-10-20"), "end": day("2021-10-20")},
            "no raw games on 2021-10-20",
            "The nearest game dates are 2021-10-19 and 2021-10-21.",
        ),
        (
            {"seasons": ["2021-22", "2019-20"]},
            "no games of season 2019-20 in nba_raw.games",
            "It has 2021-22, 2022-23, 2023-24.",
        ),
    ],
)
def test_a_range_without_games_names_the_dates_with_games(
    seasons: DuckDBWarehouse, options: dict[str, Any], message: str, fact: str
) -> None:
    with pytest.raises(BackcourtError) as caught:
        resolve(seasons, **options)
    assert caught.value.message == message
    assert caught.value.hint[0] == fact
    assert caught.value.hint[1].endswith("with: backcourt load DIR")
    assert caught.value.exit_code == ExitCode.ENVIRONMENT


def test_without_games_or_tables_the_message_names_the_first_step(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    with pytest.raises(BackcourtError, match=r"nba_raw\.games is empty") as caught:
        resolve(warehouse, everything=True)
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    with (
        DuckDBWarehouse(tmp_path / "other.duckdb") as empty,
        pytest.raises(BackcourtError, match="there are no raw tables yet") as caught,
    ):
        resolve(empty, everything=True)
    assert caught.value.hint == ("Load raw data with: backcourt load DIR",)
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
