from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import duckdb
import pytest
import yaml

from python_workers.errors import BackcourtError
from python_workers.warehouse.base import (
    Column,
    Statement,
    TableSpec,
    Warehouse,
)
from python_workers.warehouse.duckdb.file import STORAGE_VERSION
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.folders import REPOSITORY
from tests.python.support.small_tables import DAY, GAMES, LINES, NOON, games, lines, rows_of


def test_it_is_a_warehouse(warehouse: DuckDBWarehouse) -> None:
    assert isinstance(warehouse, Warehouse)


def test_nothing_is_opened_before_the_first_statement(tmp_path: Path) -> None:
    with DuckDBWarehouse(tmp_path / "later.duckdb"):
        assert not (tmp_path / "later.duckdb").exists()


def test_tables_are_created_once_with_the_shared_types(warehouse: DuckDBWarehouse) -> None:
    warehouse.upsert(GAMES, games(104))
    warehouse.ensure_tables([GAMES])
    assert warehouse.columns("nba_raw.games") == GAMES.columns
    assert len(rows_of(warehouse, "nba_raw.games")) == 1
    assert warehouse.has_table("nba_raw.games")
    assert not warehouse.has_table("nba_raw.nothing")


def test_a_column_that_an_older_version_lacks_is_added(warehouse: DuckDBWarehouse) -> None:
    warehouse.upsert(LINES, lines(("0022100001", 1, 20)))
    wider = TableSpec(LINES.name, (*LINES.columns, Column("assists", "int64")), LINES.key)
    warehouse.ensure_tables([wider])
    assert rows_of(warehouse, "nba_raw.lines")[0]["assists"] is None


def test_what_is_known_of_tables_follows_each_change(warehouse: DuckDBWarehouse) -> None:
    def names() -> list[str]:
        return [column.name for column in warehouse.columns("nba_raw.games")]

    assert names() == list(GAMES.column_names)
    warehouse.execute("alter table nba_raw.games add column arena varchar")
    assert names() == [*GAMES.column_names, "arena"]
    warehouse.close()
    with duckdb.connect(str(warehouse.path)) as other:
        other.execute("alter table nba_raw.games drop column arena")
    assert names() == list(GAMES.column_names)
    warehouse.commit([], [Statement("drop table nba_raw.games", {})])
    assert not warehouse.has_table("nba_raw.games")
    warehouse.ensure_tables([GAMES])
    assert names() == list(GAMES.column_names)


def test_columns_of_a_missing_table_say_what_to_do(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(BackcourtError, match=r"nba_raw\.nothing is missing in") as caught:
        warehouse.columns("nba_raw.nothing")
    assert "backcourt load" in caught.value.render()


def test_parameters_are_values_and_never_sql(warehouse: DuckDBWarehouse) -> None:
    warehouse.upsert(GAMES, games(104, 99))
    evil = "x'; drop table nba_raw.games; --"
    found = warehouse.query("select @text as text, '@text' as literal", {"text": evil})
    assert found.to_pylist() == [{"text": evil, "literal": "@text"}]
    assert warehouse.has_table("nba_raw.games")


def test_a_list_parameter_filters_and_an_empty_one_finds_nothing(
    warehouse: DuckDBWarehouse,
) -> None:
    warehouse.upsert(GAMES, games(104, 99))
    sql = "select game_id from nba_raw.games where game_date in unnest(@days)"
    assert warehouse.query(sql, {"days": [DAY], "unused": 1}).num_rows == 2
    assert warehouse.query(sql, {"days": []}).num_rows == 0


def test_a_forgotten_parameter_is_named(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(ValueError, match="day"):
        warehouse.query("select @day as day", {})


def test_results_hold_portable_types_only(warehouse: DuckDBWarehouse) -> None:
    found = warehouse.query(
        """
        select sum(i) as total, 1::tinyint as small, 1.5 as price, 1.5::float as narrow,
            timestamptz '2022-01-15 12:00:00+00' as at, date '2022-01-15' as day, null as nothing
        from range(3) as numbers (i)
        """
    )
    assert [str(field.type) for field in found.schema] == [
        "int64",
        "int64",
        "double",
        "double",
        "timestamp[us, tz=UTC]",
        "date32[day]",
        "int64",
    ]
    assert found.to_pylist()[0]["at"] == NOON


def test_narrow_numbers_are_as_wide_as_they_must_be_each_time(warehouse: DuckDBWarehouse) -> None:
    sql = "select @first + i as total, i / 2 as half, 'x' as text from range(3) as numbers (i)"

    def totals(first: int) -> tuple[str, list[int]]:
        found = warehouse.query(sql, {"first": first}, narrow=True)
        assert found.drop(["total"]) == warehouse.query(sql, {"first": first}).drop(["total"])
        return str(found.schema.field("total").type), found["total"].to_pylist()

    assert totals(0) == ("int8", [0, 1, 2])
    assert totals(5) == ("int8", [5, 6, 7])
    # Wider than the type that DuckDB casts to; from now on it casts to the wider type.
    assert totals(126) == ("int16", [126, 127, 128])
    assert totals(0) == ("int16", [0, 1, 2])
    assert totals(-(2**31)) == ("int32", [-(2**31), 1 - 2**31, 2 - 2**31])
    assert totals(2**40) == ("int64", [2**40, 2**40 + 1, 2**40 + 2])
    assert totals(0) == ("int64", [0, 1, 2])


def test_a_column_that_has_to_be_wider_makes_no_other_one_narrower(
    warehouse: DuckDBWarehouse,
) -> None:
    def widths(one: int, other: int) -> list[str]:
        params = {"one": one, "other": other}
        found = warehouse.query("select @one as one, @other as other", params, narrow=True)
        assert found.to_pylist() == [params]
        return [str(field.type) for field in found.schema]

    assert widths(1, 300) == ["int8", "int16"]
    assert widths(300, 1) == ["int16", "int8"]
    assert widths(1, 1) == ["int16", "int16"]


def test_beside_workers_duckdb_keeps_half_of_the_processors_free(
    warehouse: DuckDBWarehouse,
) -> None:
    def threads() -> int:
        return int(warehouse.query("select current_setting('threads') as n")["n"][0].as_py())

    warehouse.execute("set threads = 6")
    with suppress(ZeroDivisionError), warehouse.beside_workers():
        assert threads() == 3
        raise ZeroDivisionError
    assert threads() == 6
    warehouse.execute("set threads = 1")
    with warehouse.beside_workers():
        assert threads() == 1


def test_a_new_file_has_the_storage_version_of_the_package(warehouse: DuckDBWarehouse) -> None:
    (found,) = warehouse.query(
        "select tags['storage_version'] as version from duckdb_databases() "
        "where database_name = current_database()"
    ).to_pylist()
    assert found["version"].startswith(STORAGE_VERSION)
    profiles = yaml.safe_load((REPOSITORY / "profiles" / "profiles.yml").read_text())
    of_dbt = profiles["backcourt"]["outputs"]["duckdb"]["config_options"]
    assert of_dbt["storage_compatibility_version"] == STORAGE_VERSION


def test_identifiers_are_checked(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(ValueError, match="identifier"):
        warehouse.has_table('nba_raw.games"; drop table x; --')
    with pytest.raises(ValueError, match=r"schema\.table"):
        warehouse.has_table("games")


def test_the_content_state_follows_the_content_and_nothing_else(
    warehouse: DuckDBWarehouse,
) -> None:
    tables = ["nba_raw.games", "nba_raw.lines", "nba_raw.absent"]
    empty = warehouse.content_state(tables)
    warehouse.upsert(LINES, lines(("a", 1, 10), ("b", 1, 30)))
    filled = warehouse.content_state(tables)
    assert filled != empty
    warehouse.upsert(LINES, lines(("b", 1, 31)))
    assert warehouse.content_state(tables) != filled
    warehouse.execute("delete from nba_raw.lines")
    warehouse.upsert(LINES, lines(("b", 1, 30)))
    warehouse.upsert(LINES, lines(("a", 1, 10)))
    warehouse.close()
    assert warehouse.content_state(list(reversed(tables))) == filled


def test_a_closed_warehouse_lets_others_open_the_file_and_opens_again(
    warehouse: DuckDBWarehouse,
) -> None:
    warehouse.upsert(LINES, lines(("a", 1, 10)))
    warehouse.close()
    with duckdb.connect(str(warehouse.path)) as other:
        other.execute("update nba_raw.lines set points = 11")
    assert rows_of(warehouse, "nba_raw.lines")[0]["points"] == 11
