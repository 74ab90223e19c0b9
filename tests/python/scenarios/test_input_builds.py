"""Only inputs whose raw data has changed are built again."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from python_workers.accounting.derived_tables import DerivedRows
from python_workers.accounting.input_builds import (
    BY_HAND,
    DERIVED_CHANGED,
    NOT_RECORDED,
    Build,
    InputBuilds,
)
from python_workers.accounting.schedule import Schedule, SeasonDates
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.shot_zones import SHOT_ZONES
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.engine import Engine, assert_same

SEASONS = ("2021-22", "2022-23", "2023-24", "2024-25")
ANALYTICS = (
    "select table_name from duckdb_tables() where schema_name = 'nba_analytics' order by table_name"
)


@pytest.fixture
def seasons(four_seasons: Engine, tmp_path: Path) -> Engine:
    return four_seasons.copy(tmp_path / "seasons")


def correct(engine: Engine, season: str) -> dt.date:
    """Give a player of a season's tenth date two more free throws; return the date."""
    (line,) = engine.query(
        f"""
        select game_id, player_id, game_date
        from nba_raw.player_box_scores inner join nba_raw.games using (game_id)
        where season = '{season}' and not is_dnp
        order by game_date, game_id, player_id limit 1 offset 90
        """
    )
    engine.execute(
        "update nba_raw.player_box_scores set points = points + 2, ftm = ftm + 2, fta = fta + 2 "
        f"where game_id = '{line['game_id']}' and player_id = {line['player_id']}"
    )
    day: dt.date = line["game_date"]
    return day


def test_the_same_change_in_two_rows_is_noticed(seasons: Engine) -> None:
    def states() -> dict[str, str]:
        with DuckDBWarehouse(seasons.path) as warehouse:
            return dict(InputBuilds.read(warehouse, "any").raw_states)

    before = states()
    seasons.execute(
        """
        update nba_raw.games set status = 'postponed'
        where game_id in (
            select game_id from nba_raw.games
            where season = '2022-23' and status = 'final' order by game_id limit 2
        )
        """
    )
    after = states()
    assert {season for season in SEASONS if before[season] != after[season]} == {"2022-23"}


def mark(engine: Engine, season_year: int) -> None:
    """Change analytics rows of a season, to see later whether they were built again.

    The builds are recorded as if they had written these rows.
    """
    engine.execute(
        "update nba_analytics.player_game_summary set dnp_reason = 'marked' "
        f"where season_year = {season_year}"
    )
    engine.record_builds()


def marked(engine: Engine) -> set[int]:
    found = engine.query(
        "select distinct season_year from nba_analytics.player_game_summary "
        "where dnp_reason = 'marked'"
    )
    return {row["season_year"] for row in found}


def contents(engine: Engine, schema: str) -> dict[str, set[str]]:
    tables = engine.query(
        f"select table_name from duckdb_tables() where schema_name = '{schema}'"
        " and table_name not in ('input_fingerprints')"
    )
    return {
        name: {
            row["text"]
            for row in engine.query(f"select cast(t as varchar) as text from {schema}.{name} as t")
        }
        for name in (row["table_name"] for row in tables)
    }


def test_a_correction_builds_its_season_again_and_no_other(seasons: Engine, tmp_path: Path) -> None:
    correct(seasons, "2022-23")
    whole = seasons.copy(tmp_path / "whole")
    for year in (2021, 2022, 2023):
        mark(seasons, year)
    result = seasons.backfill()
    assert result.inputs_rebuilt
    assert 0 < result.written < 1_000
    assert marked(seasons) == {2021, 2023}
    seasons.execute(
        "update nba_analytics.player_game_summary as t set dnp_reason = raw.dnp_reason "
        "from nba_raw.player_box_scores as raw "
        "where t.game_id = raw.game_id and t.player_id = raw.player_id"
    )

    whole.execute("delete from nba_processing.input_builds")
    whole.backfill()
    assert_same(seasons.everything(), whole.everything())
    for schema in ("nba_analytics", "nba_precompute"):
        one, other = contents(seasons, schema), contents(whole, schema)
        assert one.keys() == other.keys()
        if schema == "nba_analytics":
            assert len(one) == 13
            assert one == other
        else:
            for name in (name for name in one if name.endswith("_inputs")):
                assert one[name] == other[name], name


def test_a_correction_builds_the_inputs_from_its_date_on(seasons: Engine) -> None:
    inputs = "nba_precompute.player_daily_cache_inputs"
    seasons.execute(f"update {inputs} set population_source = 'marked' where season_year = 2022")
    seasons.record_builds()
    corrected = correct(seasons, "2022-23")
    assert seasons.backfill(processors=[DAILY_CACHE]).inputs_rebuilt
    (found,) = seasons.query(
        "select max(analysis_date) filter (population_source = 'marked') as before, "
        "min(analysis_date) filter (population_source != 'marked') as changed "
        f"from {inputs} where season_year = 2022"
    )
    assert found["before"] < found["changed"] == corrected
    assert not seasons.backfill(processors=[DAILY_CACHE]).inputs_rebuilt


def test_analytics_tables_are_never_behind_the_raw_data_of_any_season(seasons: Engine) -> None:
    correct(seasons, "2021-22")
    for year in (2021, 2022, 2023, 2024):
        mark(seasons, year)
    correct(seasons, "2023-24")
    seasons.backfill(seasons=["2023-24"], processors=[DAILY_CACHE])
    assert marked(seasons) == {2022, 2024}
    # The other corrected season has new analytics tables, but no new inputs yet.
    with DuckDBWarehouse(seasons.path) as warehouse:
        builds = InputBuilds.read(warehouse, seasons.project().state())
    day = builds.seasons["2024-25"].first
    assert builds.stale_seasons(day, day) == {"2024-25"}
    result = seasons.backfill(seasons=["2021-22"], processors=[DAILY_CACHE])
    assert result.inputs_rebuilt
    assert result.written > 0
    assert not seasons.backfill(processors=[DAILY_CACHE]).inputs_rebuilt


def test_a_player_s_birth_date_concerns_the_seasons_that_list_him(seasons: Engine) -> None:
    with DuckDBWarehouse(seasons.path) as warehouse:
        before = InputBuilds.read(warehouse, "models").raw_states
    seasons.execute(
        "update nba_raw.players set birth_date = date '1990-01-01' where player_id = "
        "(select max(player_id) from nba_raw.player_box_scores)"
    )
    with DuckDBWarehouse(seasons.path) as warehouse:
        after = InputBuilds.read(warehouse, "models").raw_states
    assert {season for season in SEASONS if before[season] != after[season]} == {"2024-25"}


def test_an_analytics_table_that_is_gone_is_built_whole(seasons: Engine) -> None:
    before = contents(seasons, "nba_analytics")
    seasons.execute("drop table nba_analytics.int_player_form")
    correct(seasons, "2024-25")
    seasons.backfill(seasons=["2024-25"], processors=[SHOT_ZONES])
    after = contents(seasons, "nba_analytics")
    assert len(after["int_player_form"]) == len(before["int_player_form"])


def test_without_states_by_season_every_season_has_changed(
    seasons: Engine,
) -> None:
    class Cloud(DuckDBWarehouse):
        has_free_content_state = True

    with Cloud(seasons.path) as warehouse:
        before = InputBuilds.read(warehouse, "models").raw_states
    correct(seasons, "2021-22")
    with Cloud(seasons.path) as warehouse:
        after = InputBuilds.read(warehouse, "models").raw_states
    assert before.keys() == after.keys() == set(SEASONS)
    assert len({*before.values(), *after.values()}) == 8


OCTOBER = dt.date(2021, 10, 1), dt.date(2021, 10, 31)
NOVEMBER = dt.date(2021, 11, 1), dt.date(2021, 11, 30)
NEXT_YEAR = dt.date(2022, 11, 1), dt.date(2022, 11, 30)
BUILDS = InputBuilds(
    raw_states={"2021-22": "old 2021", "2022-23": "old 2022"},
    project_state="models",
    seasons={
        "2021-22": SeasonDates(dt.date.min, dt.date(2022, 4, 10), dt.date(2022, 9, 30)),
        "2022-23": SeasonDates(dt.date(2022, 10, 1), dt.date(2023, 4, 9), dt.date.max),
    },
    years={"2021-22": 2021, "2022-23": 2022},
    builds=(
        Build("run1/2021-22", "old 2021", "models", OCTOBER),
        Build("run2/2021-22", "old 2021", "models", NOVEMBER),
        Build("run1/2022-23", "old 2022", "models", NEXT_YEAR),
    ),
)


def schedule(start: dt.date, end: dt.date) -> Schedule:
    days = [start + dt.timedelta(days=number) for number in range((end - start).days + 1)]
    return Schedule(start, end, tuple(days))


def test_a_range_is_current_where_builds_of_this_state_cover_it() -> None:
    week = OCTOBER[0], OCTOBER[0] + dt.timedelta(days=6)
    assert BUILDS.stale_range(schedule(*week)) is None
    assert BUILDS.stale_range(schedule(*NEXT_YEAR)) is None
    assert BUILDS.stale_range(schedule(OCTOBER[0], NOVEMBER[1])) is None
    day = dt.timedelta(days=1)
    after = NOVEMBER[1] + day
    assert BUILDS.stale_range(schedule(OCTOBER[0] - day, after)) == (OCTOBER[0] - day, after)
    assert BUILDS.stale_range(schedule(OCTOBER[0], after)) == (after, after)
    november = replace(BUILDS, builds=BUILDS.builds[1:])
    assert november.stale_range(schedule(OCTOBER[0], after)) == (OCTOBER[0], after)
    lacking = replace(BUILDS, lacking=frozenset({NOVEMBER[0], NEXT_YEAR[0]}))
    assert lacking.stale_range(schedule(OCTOBER[0], after)) == (NOVEMBER[0], after)
    other_models = replace(BUILDS, project_state="other models")
    assert other_models.stale_range(schedule(*week)) == week
    corrected = replace(BUILDS, raw_states={**BUILDS.raw_states, "2021-22": "new 2021"})
    assert corrected.stale_range(schedule(*week)) == week
    assert corrected.stale_range(schedule(*NEXT_YEAR)) is None


def test_the_reason_why_a_date_is_stale_is_known() -> None:
    day = OCTOBER[0]

    def why(**changes: Any) -> dict[dt.date, str]:
        return replace(BUILDS, **changes).behind([day, NEXT_YEAR[0]])

    altered = tuple(replace(build, is_intact=build.span != OCTOBER) for build in BUILDS.builds)
    both = dict.fromkeys((day, NEXT_YEAR[0]))
    assert why() == why(builds=(*BUILDS.builds, Build(BY_HAND, "", "", None))) == {}
    assert why(builds=altered) == {day: DERIVED_CHANGED}
    assert why(builds=altered, lacking=frozenset({day})) == {}
    assert why(raw_states={**BUILDS.raw_states, "2021-22": "new"}) == {day: "raw data changed"}
    assert why(project_state="others") == dict.fromkeys(both, "dbt project changed")
    assert why(builds=()) == dict.fromkeys(both, NOT_RECORDED)
    assert why(builds=BUILDS.builds[1:]) == {day: NOT_RECORDED}
    # A backfill builds altered tables again.
    october = replace(BUILDS, builds=altered)
    assert october.stale_range(schedule(*OCTOBER)) == OCTOBER
    assert october.stale_range(schedule(*NOVEMBER)) is None


GAME_DAYS = [dt.date(2021, 10, 19), dt.date(2021, 10, 25), dt.date(2021, 11, 2)]
READ = replace(
    BUILDS,
    builds=(
        replace(
            BUILDS.builds[0],
            span=(OCTOBER[0], NOVEMBER[1]),
            raw_dates=dict.fromkeys(GAME_DAYS, "old"),
        ),
        *BUILDS.builds[2:],
    ),
    raw_dates={"2021-22": {**dict.fromkeys(GAME_DAYS, "old"), GAME_DAYS[1]: "new"}},
    raw_states={**BUILDS.raw_states, "2021-22": "new 2021"},
)


def test_a_changed_raw_row_makes_its_date_and_later_ones_stale() -> None:
    day = dt.timedelta(days=1)
    assert READ.behind(GAME_DAYS) == dict.fromkeys(GAME_DAYS[1:], "raw data changed")
    before = OCTOBER[0], GAME_DAYS[1] - day
    assert READ.stale_range(schedule(*before)) is None
    assert READ.stale_range(schedule(OCTOBER[0], NOVEMBER[1])) == (GAME_DAYS[1], NOVEMBER[1])
    # An added or removed row is a change, too.
    for changed in (GAME_DAYS[0], OCTOBER[0]):
        was = {**dict.fromkeys(GAME_DAYS, "old"), changed: "other"}
        other = replace(READ, builds=(replace(READ.builds[0], raw_dates=was), *READ.builds[1:]))
        assert min(other.behind([OCTOBER[0], *GAME_DAYS])) == changed
    unknown = replace(READ, builds=(replace(READ.builds[0], raw_dates=None), *READ.builds[1:]))
    assert unknown.behind(GAME_DAYS) == dict.fromkeys(GAME_DAYS, "raw data changed")


def test_a_build_of_a_part_keeps_the_records_of_current_dates() -> None:
    build, day = READ.builds[0], dt.timedelta(days=1)
    last = GAME_DAYS[1] - day
    # A build of any part drops the records of dates that the changed row concerns.
    assert READ._kept(build, *NOVEMBER) == [(OCTOBER[0], last)]
    assert READ._kept(build, GAME_DAYS[0], GAME_DAYS[0]) == [
        (OCTOBER[0], GAME_DAYS[0] - day),
        (GAME_DAYS[0] + day, last),
    ]
    assert READ._kept(build, *NEXT_YEAR) == [(OCTOBER[0], last)]
    same = replace(READ, raw_states={**READ.raw_states, "2021-22": build.raw_state})
    assert same._kept(build, *NEXT_YEAR) == []  # The record of its build is still there.
    assert same._kept(build, GAME_DAYS[0], NOVEMBER[0]) == [
        (OCTOBER[0], GAME_DAYS[0] - day),
        (NOVEMBER[0] + day, NOVEMBER[1]),
    ]
    for other in (
        replace(build, is_intact=False),
        replace(build, project_state="other"),
        replace(build, raw_dates=None),
        replace(build, raw_dates={**dict.fromkeys(GAME_DAYS, "old"), OCTOBER[0]: "gone"}),
        replace(build, span=None),
    ):
        assert READ._kept(other, *NOVEMBER) == []


def test_a_digest_is_of_the_rows_of_its_season_and_dates() -> None:
    rows = {
        "inputs": {"2021-10-19": (2, 5, 7), "2021-11-01": (1, 1, 1), "2022-11-01": (1, 2, 3)},
        "seasonal": {"2021": (1, 1, 1), "2022": (1, 2, 3)},
        "whole": {"": (1, 1, 1)},
    }
    digest = DerivedRows(rows).digest(2021, *OCTOBER)

    def other(table: str, scope: str, changed: tuple[int, int, int]) -> bool:
        altered = {**rows, table: {**rows[table], scope: changed}}
        return DerivedRows(altered).digest(2021, *OCTOBER) != digest

    for changed in ((3, 5, 7), (2, 4, 7), (2, 5, 8)):
        assert other("inputs", "2021-10-19", changed)
    assert other("inputs", "2021-10-20", (1, 0, 0))
    assert other("seasonal", "2021", (1, 1, 2))
    assert other("whole", "", (1, 1, 2))
    for table, scope in (("inputs", "2021-11-01"), ("inputs", "2022-11-01"), ("seasonal", "2022")):
        assert not other(table, scope, (9, 9, 9))
    assert DerivedRows({**rows, "inputs": {}}).digest(2021, *OCTOBER) != digest


def test_only_the_stale_part_of_a_range_over_seasons_is_built() -> None:
    start, end = dt.date(2022, 3, 1), NEXT_YEAR[1]
    assert BUILDS.stale_range(schedule(start, end)) == (start, end)
    season = BUILDS.seasons["2022-23"].first, dt.date(2022, 12, 31)
    whole = replace(
        BUILDS, builds=(*BUILDS.builds, Build("run3/2022-23", "old 2022", "models", season))
    )
    assert whole.stale_range(schedule(start, end)) == (start, dt.date(2022, 9, 30))
    assert whole.stale_seasons(start, dt.date(2022, 9, 30)) == {"2021-22"}
    assert whole.season_years({"2021-22"}) == [2021]
    assert whole.season_years({"2021-22", "2022-23"}) is None
    assert replace(whole, years={}).season_years({"2021-22"}) is None


def test_a_season_has_the_dates_after_it_that_were_called_off() -> None:
    april = dt.date(2022, 4, 1), dt.date(2022, 4, 10)
    assert BUILDS.stale_range(schedule(*april)) == (april[0], dt.date(2022, 9, 30))
    assert BUILDS.stale_range(schedule(april[0], april[0])) == (april[0], april[0])
    late = dt.date(2023, 4, 1), dt.date(2023, 4, 12)
    assert BUILDS.stale_range(schedule(*late)) == late


def test_only_the_tables_of_the_ranges_seasons_are_compared_with_their_builds(
    seasons: Engine,
) -> None:
    seasons.execute(
        "update nba_analytics.player_game_summary set dnp_reason = 'altered' "
        "where season_year = 2022"
    )
    with DuckDBWarehouse(seasons.path) as warehouse:

        def altered(of: tuple[dt.date, dt.date] | None) -> set[str]:
            builds = InputBuilds.read(warehouse, "any", of=of).builds
            return {build.build_id[-7:] for build in builds if not build.is_intact}

        assert altered(None) == {"2022-23"}
        assert altered((dt.date(2021, 10, 19), dt.date(2022, 11, 1))) == {"2022-23"}
        assert altered((dt.date(2023, 11, 1), dt.date(2023, 11, 1))) == set()


def test_going_back_to_an_earlier_state_of_the_data_builds_the_inputs_again(
    seasons: Engine,
) -> None:
    with DuckDBWarehouse(seasons.path) as warehouse:

        def read(state: str) -> InputBuilds:
            found = InputBuilds.read(warehouse, "models")
            return replace(found, raw_states={**found.raw_states, "2022-23": state})

        opening = read("old").seasons["2022-23"].first
        first_week = opening, opening + dt.timedelta(days=6)
        span = opening + dt.timedelta(days=7), dt.date(2022, 12, 31)
        read("old").forget(warehouse, *span)
        read("old").note(warehouse, "run1", *span)
        assert read("old").stale_range(schedule(*span)) is None
        # Build the correction for one week only, and then take it back.
        assert read("new").stale_range(schedule(*first_week)) == first_week
        read("new").forget(warehouse, *first_week)
        read("new").note(warehouse, "run2", *first_week)
        assert read("new").stale_range(schedule(*first_week)) is None
        assert read("old").stale_range(schedule(*first_week)) == first_week
        assert read("old").stale_range(schedule(*span)) == span


@pytest.mark.parametrize(
    ("arguments", "is_rebuilt"),
    [
        (["run", "--select", "int_player_form"], True),
        (
            ["build", "--select", "player_daily_cache_inputs", "--exclude-resource-type", "test"],
            True,
        ),
        (["test", "--select", "int_games_key_is_unique"], False),
        (["compile", "--select", "int_games"], False),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_run_of_dbt_by_hand_makes_the_inputs_stale(
    seasons: Engine, arguments: list[str], *, is_rebuilt: bool
) -> None:
    seasons.project()._invoke(arguments, {})
    result = seasons.backfill(seasons=["2021-22"], processors=[SHOT_ZONES])
    assert result.inputs_rebuilt == is_rebuilt
