"""`dbt run` over a range replaces exactly its dates and leaves the tables that Python fills."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from python_workers.backfill.dbt_environment import dbt_environment
from python_workers.backfill.dbt_project import NodeOutcome
from python_workers.errors import BackcourtError
from python_workers.settings import resolve_project_dir
from tests.python.support.engine import Engine
from tests.python.support.leagues import League, days

# From the sixth date on, teams have five games, which their defence analysis needs.
DATES = days(12)
START, END = DATES[6], DATES[9]
RANGE = DATES[6:10]

PSZA = "nba_precompute.player_shot_zone_analysis"
TDZA = "nba_precompute.team_defense_zone_analysis"
PER_DATE = {
    "nba_precompute.team_defense_zone_inputs": "analysis_date",
    "nba_precompute.player_shot_zone_inputs": "analysis_date",
    "nba_precompute.player_composite_factors_inputs": "analysis_date",
    "nba_precompute.player_daily_cache_inputs": "analysis_date",
    "nba_precompute.ml_feature_store_inputs": "analysis_date",
    "nba_precompute.input_fingerprints": "analysis_date",
    "nba_precompute.team_defense_zone_analysis": "analysis_date",
    "nba_predictions.ml_feature_store_v2": "game_date",
    "nba_processing.expected_entities": "analysis_date",
}


Content = dict[str, dict[dt.date, list[str]]]

BY_DATE = ("config.materialized:date_range",)


def dbt(engine: Engine, *arguments: str, **variables: Any) -> list[NodeOutcome]:
    """Invoke dbt in process, with vars as on its command line."""
    given = json.loads(json.dumps(variables, default=str))
    return engine.project()._invoke(list(arguments), given)


def run(engine: Engine, *arguments: str, **variables: Any) -> None:
    failed = [
        found for found in dbt(engine, "run", *arguments, **variables) if found.status != "success"
    ]
    assert failed == []


def content(engine: Engine) -> Content:
    """Return the rows of every per-date table as text, by date."""
    found: Content = {}
    with duckdb.connect(str(engine.path)) as connection:
        for table, column in PER_DATE.items():
            by_day = found.setdefault(table, {})
            rows = connection.execute(f"from {table} order by all").to_arrow_table().to_pylist()
            for row in rows:
                by_day.setdefault(row[column], []).append(repr(row))
    return found


def dates(engine: Engine) -> dict[str, list[dt.date]]:
    return {table: sorted(rows) for table, rows in content(engine).items()}


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Load raw tables and run dbt once over a range, in a warehouse without even the seed."""
    league = League({"AAA": (11, 12), "BBB": (21, 22)})
    for day in DATES:
        league.play(day, "AAA", "BBB")
    folder = tmp_path_factory.mktemp("first_run")
    engine = Engine(folder / "backcourt.duckdb")
    engine.load(league.write(folder / "raw"))
    run(engine, start_date=START, end_date=END)
    return engine


@pytest.fixture(scope="module")
def first_run_corrected(first_run: Engine, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Correct the first box score after the first run, and build all tables but those by date."""
    engine = first_run.copy(tmp_path_factory.mktemp("corrected") / "backcourt.duckdb")
    engine.execute(
        "update nba_raw.player_box_scores set points = points + 10, fgm = fgm + 5, fga = fga + 5 "
        "where game_id = (select min(game_id) from nba_raw.games)"
    )
    run(engine, "--exclude", *BY_DATE)
    return engine


@pytest.fixture
def corrected(first_run_corrected: Engine, tmp_path: Path) -> Engine:
    """Return a copy of `first_run_corrected`."""
    return first_run_corrected.copy(tmp_path / "backcourt.duckdb")


@pytest.fixture
def built(first_run: Engine, tmp_path: Path) -> Engine:
    """Return a copy of `first_run` to build on."""
    return first_run.copy(tmp_path / "backcourt.duckdb")


@pytest.mark.parametrize(("most", "is_refused"), [(len(DATES) - 1, True), (len(DATES), False)])
def test_a_range_with_more_dates_than_a_statement_may_modify_says_how_to_go_on(
    first_run: Engine, most: int, is_refused: bool
) -> None:
    from dbt.cli.main import dbtRunner

    project = first_run.project()
    messages: list[str] = []

    def note(event: Any) -> None:
        messages.append(event.info.msg)

    check = ["run-operation", "check_number_of_dates", "--args", f"{{most: {most}}}"]
    with dbt_environment(project._settings):
        runner = dbtRunner(project._manifest, callbacks=[note])
        ended = runner.invoke([*check, *project._flags()])
    project._release_file()
    said = " ".join(messages)
    assert ended.success is not is_refused
    assert (f"{len(DATES)} game dates" in said) is is_refused
    assert ("backcourt backfill --all" in said) is is_refused


def test_every_model_by_date_is_known_here(first_run: Engine) -> None:
    manifest = first_run.project()._manifest
    found = {
        f"{node.schema}.{node.name}": node.config.meta["date_column"]
        for node in manifest.nodes.values()
        if node.resource_type == "model" and node.config.materialized == "date_range"
    }
    assert found == PER_DATE


def test_the_very_first_run_builds_exactly_the_dates_of_the_range(first_run: Engine) -> None:
    assert dates(first_run) == dict.fromkeys(PER_DATE, RANGE)


def test_without_a_range_every_game_date_is_built(built: Engine) -> None:
    run(built, "--select", "team_defense_zone_inputs", "input_fingerprints")
    found = dates(built)
    assert found["nba_precompute.team_defense_zone_inputs"] == DATES
    assert found["nba_precompute.input_fingerprints"] == DATES


def test_a_neighbouring_range_leaves_the_others_byte_for_byte(built: Engine) -> None:
    before = content(built)
    run(built, "--select", *BY_DATE, start_date=DATES[10], end_date=DATES[11])
    after = content(built)
    for table in PER_DATE:
        assert sorted(after[table]) == DATES[6:]
        assert {day: after[table][day] for day in RANGE} == before[table]


def test_only_the_dates_of_the_range_follow_a_correction(corrected: Engine) -> None:
    before = content(corrected)
    run(corrected, "--select", *BY_DATE, start_date=DATES[7], end_date=DATES[8])
    assert changed(before, content(corrected)) == [DATES[7], DATES[8]]


def test_only_dates_narrows_the_range_to_a_list(corrected: Engine) -> None:
    before = content(corrected)
    listed = [DATES[7], DATES[9]]
    run(corrected, "--select", *BY_DATE, start_date=START, end_date=END, only_dates=listed)
    assert changed(before, content(corrected)) == listed


def test_an_empty_list_of_dates_changes_nothing(corrected: Engine) -> None:
    before = content(corrected)
    run(corrected, "--select", *BY_DATE, start_date=START, end_date=END, only_dates=[])
    assert content(corrected) == before


def test_a_model_without_rows_gets_an_empty_table_and_the_others_their_dates(
    corrected: Engine,
) -> None:
    name = "team_defense_zone_analysis"
    table = f"nba_precompute.{name}"
    before = content(corrected)
    listed = {"start_date": DATES[7], "end_date": DATES[7], "without_rows": [name]}
    run(corrected, "--select", name, **listed)
    assert content(corrected) == before
    corrected.execute(f"drop table {table}")
    run(corrected, "--select", *BY_DATE, **listed)
    after = content(corrected)
    assert before[table] != {}
    assert after[table] == {}
    after[table] = before[table]
    assert changed(before, after) == [DATES[7]]


def test_a_date_that_lost_its_games_is_emptied(built: Engine) -> None:
    built.execute(f"update nba_raw.games set status = 'postponed' where game_date = '{DATES[8]}'")
    run(built, start_date=DATES[8], end_date=DATES[8])
    assert dates(built) == {table: [*DATES[6:8], DATES[9]] for table in PER_DATE}


def changed(before: Content, after: Content) -> list[dt.date]:
    return sorted(
        {
            day
            for table in PER_DATE
            for day in {*before[table], *after[table]}
            if before[table].get(day) != after[table].get(day)
        }
    )


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        (
            {"start_date": "2021-11-05", "end_date": "2021-11-01"},
            "start_date 2021-11-05 is after end_date 2021-11-01; swap the two",
        ),
        ({"start_date": "yesterday"}, "not a date: 'yesterday'; write it as YYYY-MM-DD"),
        ({"end_date": "2022-02-30"}, "not a date: '2022-02-30'; write it as YYYY-MM-DD"),
        ({"start_date": "20211101"}, "not a date: '20211101'; write it as YYYY-MM-DD"),
        ({"end_date": "2021-11-01' or true --"}, "not a date: '2021-11-01' or true --'"),
        ({"only_dates": ["2021-11-01", "x"]}, "not a date: 'x'; write it as YYYY-MM-DD"),
    ],
)
def test_a_wrong_range_is_a_clear_error(
    first_run: Engine, variables: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(BackcourtError, match="dbt could not run") as caught:
        dbt(first_run, "run", "--select", "player_shot_zone_inputs", **variables)
    assert complaint in caught.value.render()


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"bootstrap_days": "fourteen"}, 'bootstrap_days is "fourteen"; it has to be a whole'),
        ({"boundary_first_days": -1}, "boundary_first_days is -1; it has to be a whole number"),
        ({"boundary_last_days": True}, "boundary_last_days is true; it has to be a whole number"),
        ({"seasons": "2021-22"}, 'seasons is "2021-22"; it has to be a list'),
        ({"seasons": ["2021-22"]}, 'seasons is ["2021-22"]; it has to be a list of the years'),
        ({"only_dates": "2021-11-01"}, 'only_dates is "2021-11-01"; it has to be a list'),
        ({"without_rows": "any"}, 'without_rows is "any"; it has to be a list'),
        ({"processors": "psza"}, 'processors is "psza"; it has to be a list'),
        ({"processors": ["shots"]}, "no processor 'shots'; choose from"),
        ({"notes_input_builds": "false"}, 'notes_input_builds is "false"; it has to be true or'),
        ({"investigate_severity": "loud"}, "investigate_severity is \"loud\"; it has to be 'warn'"),
        ({"start_dat": "2021-11-01"}, "no var 'start_dat'; choose from bootstrap_days"),
    ],
)
def test_a_wrong_var_is_refused_before_anything_is_built(
    built: Engine, variables: dict[str, Any], complaint: str
) -> None:
    built.execute("drop view nba_staging.stg_shots cascade")
    with pytest.raises(BackcourtError, match="dbt could not run") as caught:
        dbt(built, "run", "--select", "stg_shots", **variables)
    assert complaint in caught.value.render()
    assert built.query("select * from duckdb_views() where view_name = 'stg_shots'") == []


def test_every_var_of_the_project_is_known_with_its_default(built: Engine) -> None:
    declared = yaml.safe_load((resolve_project_dir() / "dbt_project.yml").read_text())["vars"]
    run(built, "--select", "stg_shots", **declared)


def test_tables_that_python_fills_survive_a_full_refresh(built: Engine) -> None:
    worker_tables = [
        f"{node.schema}.{node.name}"
        for node in built.project()._manifest.nodes.values()
        if node.resource_type == "model"
        and node.config.materialized == "worker_table"
        and node.name != "input_builds"  # Any run by hand empties this table.
    ]
    assert PSZA in worker_tables
    for table in worker_tables:
        (first,) = built.query(
            f"select column_name from (describe {table}) where column_type = 'VARCHAR' limit 1"
        )
        built.execute(f"insert into {table} ({first['column_name']}) values ('kept')")
    before = [built.query(f"from {table}") for table in worker_tables]
    run(built, "--full-refresh", "--select", "config.materialized:worker_table")
    assert [built.query(f"from {table}") for table in worker_tables] == before
    assert all(len(rows) == 1 for rows in before)


def test_a_full_refresh_of_a_table_by_date_builds_the_dates_of_the_range(built: Engine) -> None:
    run(
        built,
        *("--full-refresh", "--select", "team_defense_zone_inputs"),
        start_date=DATES[7],
        end_date=DATES[8],
    )
    assert dates(built)["nba_precompute.team_defense_zone_inputs"] == [DATES[7], DATES[8]]


@pytest.mark.parametrize(
    ("table", "column"),
    [("nba_precompute.player_daily_cache_inputs", "points_sum_season"), (PSZA, "data_hash")],
)
def test_a_column_that_a_table_lacks_is_added(built: Engine, table: str, column: str) -> None:
    before = built.query(f"select * from {table} order by all")
    built.execute(f"alter table {table} drop column {column}")
    run(built, "--select", table.split(".")[1], start_date=DATES[7], end_date=DATES[8])
    after = built.query(
        f"select {', '.join(before[0])} from {table} order by all" if before else f"from {table}"
    )
    day = "analysis_date"
    if table != PSZA:
        in_range = [row for row in after if DATES[7] <= row[day] <= DATES[8]]
        assert in_range
        assert in_range == [row for row in before if DATES[7] <= row[day] <= DATES[8]]
        assert {row[column] for row in after if row[day] > DATES[8]} == {None}
    assert built.query(
        f"select column_name, column_type from (describe {table}) where column_name = '{column}'"
    )


def test_inputs_of_a_former_layout_are_dropped_and_outputs_keep_their_columns(
    built: Engine,
) -> None:
    inputs, defence = "nba_precompute.player_shot_zone_inputs", TDZA
    other_dates = [day for day in dates(built)[defence] if not DATES[7] <= day <= DATES[8]]
    assert other_dates
    for table in (inputs, defence):
        built.execute(f"alter table {table} add column game_rank bigint")
    run(
        built,
        *("--select", "player_shot_zone_inputs", "team_defense_zone_analysis"),
        start_date=DATES[7],
        end_date=DATES[8],
    )
    columns = {
        table: {
            row["column_name"] for row in built.query(f"select column_name from (describe {table})")
        }
        for table in (inputs, defence)
    }
    assert "game_rank" not in columns[inputs]
    assert "game_rank" in columns[defence]
    assert dates(built)[inputs] == [DATES[7], DATES[8]]
    assert set(dates(built)[defence]) > set(other_dates)
