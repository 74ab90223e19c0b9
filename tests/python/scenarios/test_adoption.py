"""Tables that are already in the warehouse stand for raw tables, with the same results."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from python_workers.errors import BackcourtError
from python_workers.raw.adoption import adopt
from python_workers.raw.removal import remove_games
from python_workers.raw.schema import RAW_TABLES
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support import raw_factories
from tests.python.support.engine import Engine, assert_same

FIRST, LAST = dt.date(2021, 11, 8), dt.date(2021, 11, 14)
SELECTS = {schema.name: f"select * from own.{schema.name}" for schema in RAW_TABLES}


@pytest.fixture(scope="module")
def own_tables(simulated_raw: Engine, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A warehouse whose rows stand in tables of another schema, as loaded rows do elsewhere."""
    engine = simulated_raw.copy(tmp_path_factory.mktemp("own"))
    engine.execute(
        "create schema own",
        *(
            f"create table own.{schema.name} as select * from nba_raw.{schema.name}"
            for schema in RAW_TABLES
        ),
        "drop schema nba_raw cascade",
    )
    return engine


@pytest.fixture
def own(own_tables: Engine, tmp_path: Path) -> Engine:
    return own_tables.copy(tmp_path)


def refusal(engine: Engine, **selects: str) -> str:
    with DuckDBWarehouse(engine.path) as warehouse:
        message = raw_factories.refusal(adopt, warehouse, SELECTS | selects)
        assert not warehouse.has_table("nba_raw.games") or not warehouse.is_view("nba_raw.games")
    return message


def test_adopted_tables_give_the_rows_of_loaded_ones_and_follow_what_is_below(
    own: Engine, simulated: Engine, tmp_path: Path
) -> None:
    with DuckDBWarehouse(own.path) as warehouse:
        adopted = adopt(warehouse, SELECTS)
        assert adopted.rows["games"] == 112
        assert (
            adopted.new_players
            == warehouse.query("select count(distinct player_id) as n from own.player_box_scores")
            .column("n")[0]
            .as_py()
        )
    own.backfill(FIRST, LAST)
    assert_same(own.everything(FIRST, LAST), simulated.copy(tmp_path / "s").everything(FIRST, LAST))
    assert own.backfill(FIRST, LAST).written == 0
    # A correction in the table below, by a player who is new.
    own.execute(
        "update own.player_box_scores set player_id = 999999 where (game_id, player_id) = "
        "(select (game_id, max(player_id)) from own.player_box_scores "
        "where not is_dnp group by game_id order by game_id limit 1)"
    )
    assert own.backfill(FIRST, LAST).written > 0
    lookups = "select count(*) as n from nba_raw.player_registry where player_id = 999999"
    assert own.query(lookups) == [{"n": 1}]
    # Damage below the view, by another player who is new.
    stored = own.everything(FIRST, LAST)
    damaged = (
        "select game_id, player_id from own.player_box_scores where not is_dnp "
        "order by game_id, player_id limit 1"
    )
    (line,) = own.query(damaged)
    of_line = f"game_id = '{line['game_id']}' and player_id"
    own.execute(
        "update own.player_box_scores set fga = -7, player_id = 888888 "
        f"where {of_line} = {line['player_id']}"
    )
    for _ in range(2):
        with pytest.raises(BackcourtError) as caught:
            own.backfill(FIRST, LAST)
        said = caught.value.render()
        assert "nba_raw.player_box_scores: column fga has an unusable value" in said
        assert f"game_id = '{line['game_id']}', player_id = 888888, fga = -7" in said
        assert "nothing was built" in said
        assert caught.value.exit_code == 1
    assert_same(own.everything(FIRST, LAST), stored)
    assert own.query(lookups.replace("999999", "888888")) == [{"n": 0}]
    own.execute(f"update own.player_box_scores set fga = 30 where {of_line} = 888888")
    own.execute(
        "insert into own.player_box_scores "
        f"select * from own.player_box_scores where {of_line} = 888888"
    )
    with pytest.raises(BackcourtError, match="rows share their key"):
        own.backfill(FIRST, LAST)


def test_loading_and_removing_leave_adopted_tables_alone(
    own: Engine, simulated_files: Path
) -> None:
    with DuckDBWarehouse(own.path) as warehouse:
        adopt(warehouse, SELECTS)
        with pytest.raises(BackcourtError, match="is a view of an adopted table"):
            remove_games(warehouse, ["0022100001"])
    with pytest.raises(BackcourtError, match=r"nba_raw\.games is a view of an adopted table"):
        own.load(simulated_files, "games")


def test_an_optional_column_may_be_missing(own: Engine) -> None:
    few = "select player_id, player_name from own.players"
    with DuckDBWarehouse(own.path) as warehouse:
        adopt(warehouse, SELECTS | {"players": few})
        found = warehouse.query("select birth_date from nba_raw.players").column("birth_date")
    assert 0 < len(found) == found.null_count


@pytest.mark.parametrize(
    ("table", "select", "expected"),
    [
        ("games", "select game_id from own.games", "gives no column season"),
        (
            "games",
            "select * replace (upper(season_type) as season_type) from own.games",
            "'REGULAR' is to be written as 'regular'",
        ),
        ("games", "select * replace (null as game_date) from own.games", "must not be empty"),
        ("games", "select nothing from own.games", "games.sql fails: Binder Error"),
        (
            "player_box_scores",
            "select * replace ('34:12' as minutes) from own.player_box_scores",
            "minutes is a number",
        ),
        (
            "player_box_scores",
            "select * replace ('x' || player_id as player_id) from own.player_box_scores",
            "player_box_scores.sql: column player_id has an unusable value",
        ),
        (
            "shots",
            "select * from own.shots union all (select * from own.shots limit 1)",
            "rows share their key (game_id, event_number)",
        ),
    ],
)
def test_wrong_rows_are_refused(own: Engine, table: str, select: str, expected: str) -> None:
    assert expected in refusal(own, **{table: select})


def test_loaded_rows_are_not_replaced(simulated_raw: Engine, tmp_path: Path) -> None:
    engine = simulated_raw.copy(tmp_path)
    engine.execute("create schema own", "create table own.games as select * from nba_raw.games")
    with (
        DuckDBWarehouse(engine.path) as warehouse,
        pytest.raises(BackcourtError, match="is a table with loaded rows"),
    ):
        adopt(warehouse, {"games": "select * from own.games"})
