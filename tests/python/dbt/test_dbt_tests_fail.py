"""Every dbt data test passes on a finished backfill and fails once its invariant is broken."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from python_workers.backfill.coverage_tests import run_coverage_tests
from python_workers.backfill.dbt_project import NodeOutcome
from python_workers.errors import BackcourtError
from tests.python.support.engine import Engine
from tests.python.support.leagues import League
from tests.python.support.violations import (
    DATES,
    FIRST,
    LAST,
    OUT_OF_RANGE,
    PCF,
    PDC,
    SPOILED,
    TEAMS,
    TRAINING,
    WARNINGS,
    change,
)

Row = dict[str, Any]

AT_ONCE = "coverage_tests_pass"
VIEWS = (
    *("nba_processing.backfill_coverage", TRAINING),
    *(
        f"nba_analytics.{view}"
        for view in (
            *("int_date_games", "int_shot_zones", "int_team_box_scores", "int_team_form"),
            *("team_defense_game_summary", "team_offense_game_summary"),
        )
    ),
)
ACCOUNTING = {
    "every_expected_entity_is_accounted_for",
    "every_game_date_is_run_by_every_processor",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Return an engine on a small league, backfilled."""
    league = League(TEAMS)
    for day in DATES:
        league.play(day, "AAA", "BBB")
        league.play(day, "CCC", "DDD")
    folder = tmp_path_factory.mktemp("finished")
    engine = Engine(folder / "backcourt.duckdb")
    engine.load(league.write(folder / "raw"))
    engine.backfill(FIRST, LAST)
    return engine


@pytest.fixture
def spoiled(finished: Engine, tmp_path: Path) -> Engine:
    """Return a copy of `finished`, to be spoiled."""
    return finished.copy(tmp_path / "backcourt.duckdb")


def outcomes(
    engine: Engine, select: Sequence[str], start: dt.date = FIRST, end: dt.date = LAST
) -> dict[str, NodeOutcome]:
    return {found.name: found for found in engine.project().test(select, start, end)}


def data_tests(engine: Engine) -> dict[str, Any]:
    """Return the data tests of the project by name, as dbt's manifest has them."""
    nodes = engine.project()._manifest.nodes.values()
    return {node.name: node for node in nodes if node.resource_type == "test"}


def arguments(test: Any, generic: str) -> Mapping[str, Any] | None:
    """Return the arguments of a test that is made by this generic test."""
    metadata = getattr(test, "test_metadata", None)
    return metadata.kwargs if metadata and metadata.name == generic else None


def test_the_required_processors_can_be_named(spoiled: Engine) -> None:
    spoiled.forget("pcf", "mlfs")
    tests = [f"path:tests/dbt/accounting/{name}.sql" for name in ACCOUNTING]

    def failed(*processors: str) -> set[str]:
        found = spoiled.project().test(tests, FIRST, LAST, processors=processors or None)
        return {test.name for test in found if test.status != "pass"}

    assert failed() == failed("tdza", "pcf") == ACCOUNTING
    assert failed("tdza", "psza", "pdc") == failed("psza") == set()
    with pytest.raises(BackcourtError) as caught:
        spoiled.project().test(tests, FIRST, LAST, processors=["nba"])
    assert "no processor 'nba'; choose from tdza, psza, pcf, pdc, mlfs" in str(caught.value.hint)


def test_on_a_finished_backfill_every_test_passes(finished: Engine) -> None:
    found = outcomes(finished, ["test_type:data"])
    assert found.keys() == data_tests(finished).keys()
    assert {name: each.status for name, each in found.items() if each.status != "pass"} == {}


def test_a_backfill_ends_with_every_coverage_test(finished: Engine) -> None:
    found = run_coverage_tests(finished.project(), FIRST, LAST)
    names = {name for name in data_tests(finished) if is_of_coverage(finished, name)}
    assert sorted(test.name for test in found) == sorted(names)
    assert {test.status for test in found} == {"pass"}


def test_every_data_test_and_every_condition_is_spoiled_here(finished: Engine) -> None:
    tests = data_tests(finished)
    keys = {name for name, test in tests.items() if arguments(test, "unique_key")}
    assert tests.keys() == keys | SPOILED.keys() | OUT_OF_RANGE.keys() | {AT_ONCE}
    for name, (_, spoiled) in OUT_OF_RANGE.items():
        conditions = arguments(tests[name], "rows_satisfy")
        assert conditions is not None
        assert spoiled.keys() == conditions["conditions"].keys(), name


def test_a_season_may_begin_in_february(spoiled: Engine) -> None:
    spoiled.execute(
        "insert into nba_staging.seasons by name select '2098-99' as season, 2098 as season_year, "
        "date '2099-02-05' as first_date, date '2099-05-05' as regular_season_end, "
        "date '2099-06-25' as last_date"
    )
    found = outcomes(spoiled, ["seasons"])
    assert {each.status for each in found.values()} == {"pass"}
    assert "season_days_are_in_order" in found


@pytest.mark.parametrize("name", SPOILED)
def test_an_invariant_of_the_backfill_fails_once_broken(name: str, spoiled: Engine) -> None:
    spoiled.execute(*SPOILED[name])
    found = outcomes(spoiled, [name])[name]
    status = "warn" if name in WARNINGS else "fail"
    assert (found.status, found.failures) == (status, len(SPOILED[name]))
    if is_of_coverage(spoiled, name):
        ended = {test.name: test for test in run_coverage_tests(spoiled.project(), FIRST, LAST)}
        assert (ended[name].status, ended[name].failures) == (found.status, found.failures)
        assert ended[name].message == found.message


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_a_value_out_of_range_fails(name: str, spoiled: Engine) -> None:
    table, conditions = OUT_OF_RANGE[name]
    if table == TRAINING:
        spoiled.execute(*as_table(table))
    assignments = [each for group in conditions.values() for each in group]
    spoiled.execute(*change(table, *assignments))
    found = outcomes(spoiled, [name, AT_ONCE])
    assert (found[name].status, found[name].failures) == ("fail", len(assignments))
    if is_of_coverage(spoiled, name):
        assert found[AT_ONCE].status == "warn"


def test_duplicate_and_incomplete_keys_fail(spoiled: Engine) -> None:
    # Turn views into tables and fill tables that may be empty, so that they have rows to double.
    spoiled.execute(
        *(statement for view in VIEWS for statement in as_table(view)),
        "drop view nba_processing.source_gaps",
        "create table nba_processing.source_gaps as select game_id, player_id, game_date "
        "from nba_raw.player_box_scores inner join nba_raw.games using (game_id) limit 1",
        "drop view nba_processing.stale_dates",
        "create table nba_processing.stale_dates as select processor_name, analysis_date, "
        "'inputs changed' as stale_reason from nba_processing.processed_dates",
        *(
            f"insert into nba_processing.{table} by name select 'any' as processor_name, "
            f"date '{LAST}' as analysis_date, 'one' as entity_id{more}"
            for table, more in (("reprocess_attempts", ""), ("record_changes", ", 'a' as run_id"))
        ),
    )
    keys = {
        name: key
        for name, test in data_tests(spoiled).items()
        if (key := arguments(test, "unique_key"))
    }
    expected = {}
    with duckdb.connect(str(spoiled.path)) as connection:
        connection.begin()
        for name, key in keys.items():
            table = table_of(spoiled, data_tests(spoiled)[name])
            rows = connection.execute(f"from {table}").to_arrow_table().to_pylist()
            bad = bad_rows(rows, key["columns"])
            connection.executemany(
                f"insert into {table} values ({', '.join('?' * len(bad[0]))})",
                [list(row.values()) for row in bad],
            )
            expected[name] = ("fail", len(bad))
        connection.commit()
    found = outcomes(spoiled, list(expected))
    assert {name: (each.status, each.failures) for name, each in found.items()} == expected
    ended = run_coverage_tests(spoiled.project(), FIRST, LAST)
    tested = {test.name: (test.status, test.failures) for test in ended}
    ends_with = {name: each for name, each in expected.items() if is_of_coverage(spoiled, name)}
    assert {name: tested[name] for name in ends_with} == ends_with


def is_of_coverage(engine: Engine, name: str) -> bool:
    """Tell whether a backfill ends with this data test."""
    return "coverage" in data_tests(engine)[name].tags


def as_table(view: str) -> list[str]:
    """Return statements that put a table with a view's rows in its place."""
    return [
        f"create table copied as from {view}",
        f"drop view {view}",
        f"create table {view} as from copied",
        "drop table copied",
    ]


def bad_rows(rows: list[Row], columns: Sequence[str]) -> list[Row]:
    """Return a duplicate of a row, and one row with a NULL for each column of the key."""
    return [rows[0], *(rows[0] | {column: None} for column in columns)]


def table_of(engine: Engine, test: Any) -> str:
    """Return the table behind the model or seed of a test; staging views show the raw tables."""
    (node_id,) = test.depends_on.nodes
    node = engine.project()._manifest.nodes[node_id]
    if node.name.startswith("stg_"):
        return f"nba_raw.{node.name.removeprefix('stg_')}"
    return f"{node.schema}.{node.name}"


def test_tests_look_only_at_the_range(spoiled: Engine) -> None:
    per_date = [
        *("every_expected_entity_is_accounted_for", "composite_factor_scores_are_in_range"),
        *("player_composite_factors_key_is_unique", "data_hashes_are_16_hex_digits"),
    ]
    spoiled.execute(
        f"insert into {PCF} from {PCF} where analysis_date = '{LAST}'",
        f"update {PCF} set fatigue_score = 101, data_hash = null where analysis_date = '{LAST}'",
        f"delete from {PDC} where analysis_date = '{LAST}'",
    )
    whole = outcomes(spoiled, per_date)
    assert {each.status for each in whole.values()} == {"fail"}
    before = outcomes(spoiled, per_date, end=DATES[-2])
    assert {each.status for each in before.values()} == {"pass"}
