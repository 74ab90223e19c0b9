from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import yaml

from python_workers.errors import BackcourtError
from python_workers.raw.files import scratch_database
from python_workers.settings import load_settings
from python_workers.warehouse.base import (
    ChangeNote,
    Column,
    TableChange,
    TableSpec,
    UpsertCounts,
    Warehouse,
)
from python_workers.warehouse.duckdb.file import STORAGE_VERSION
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from python_workers.warehouse.open import open_warehouse
from tests.python.support.folders import REPOSITORY

GAMES = TableSpec(
    "nba_raw.games",
    (
        Column("game_id", "string"),
        Column("game_date", "date"),
        Column("home_score", "int64"),
        Column("position", "string"),
        Column("is_final", "bool"),
        Column("pace", "float64"),
        Column("loaded_at", "timestamp"),
    ),
    key=("game_id",),
)
LINES = TableSpec(
    "nba_raw.lines",
    (Column("game_id", "string"), Column("player_id", "int64"), Column("points", "int64")),
    key=("game_id", "player_id"),
)
NOTES = TableSpec(
    "nba_raw.notes",
    (
        Column("label", "string"),
        Column("game_id", "string"),
        Column("change", "string"),
        Column("changes", "int64"),
    ),
    key=("label", "game_id", "change"),
)
DAY = dt.date(2022, 1, 15)
NOON = dt.datetime(2022, 1, 15, 12, tzinfo=dt.UTC)


def games(*scores: int | None, ids: list[str] | None = None) -> pa.Table:
    count = len(scores)
    return pa.table(
        {
            "game_id": ids or [f"00221{number:05d}" for number in range(count)],
            "game_date": pa.array([DAY] * count, pa.date32()),
            "home_score": pa.array(scores, pa.int32()),
            "position": [None] * count,
            "is_final": [True] * count,
            "pace": [99.5] * count,
            "loaded_at": pa.array([NOON] * count, pa.timestamp("us", tz="UTC")),
        }
    )


def lines(*rows: tuple[str, int, int | None]) -> pa.Table:
    return pa.table(
        {
            "game_id": pa.array([row[0] for row in rows], pa.string()),
            "player_id": pa.array([row[1] for row in rows], pa.int64()),
            "points": pa.array([row[2] for row in rows], pa.int64()),
        }
    )


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(tmp_path / "data" / "backcourt.duckdb") as opened:
        opened.ensure_tables([GAMES, LINES])
        yield opened


def rows_of(warehouse: DuckDBWarehouse, table: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = warehouse.query(
        f"select * from {table} order by all"
    ).to_pylist()
    return rows


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


HOLD_THE_FILE = """
    import duckdb, sys
    connection = duckdb.connect(sys.argv[1])
    print("held", flush=True)
    sys.stdin.readline()
"""


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


def test_columns_of_a_missing_table_say_what_to_do(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(BackcourtError, match=r"no table nba_raw\.nothing") as caught:
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
    # Wider than DuckDB has been told to cast to; afterwards it keeps to the wider type.
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


def test_an_upsert_writes_only_what_changed(warehouse: DuckDBWarehouse) -> None:
    assert warehouse.upsert(GAMES, games(104, 99, None)) == UpsertCounts(3, 0, 0)
    assert warehouse.upsert(GAMES, games(104, 99, None)) == UpsertCounts(0, 0, 3)
    assert warehouse.upsert(GAMES, games(104, 98, 120, 101)) == UpsertCounts(1, 2, 1)
    assert warehouse.upsert(GAMES, games(104, None)) == UpsertCounts(0, 1, 1)
    scores = [row["home_score"] for row in rows_of(warehouse, "nba_raw.games")]
    assert scores == [104, None, 120, 101]


def test_an_upsert_by_two_columns_keeps_rows_apart(warehouse: DuckDBWarehouse) -> None:
    warehouse.upsert(LINES, lines(("a", 1, 10), ("a", 2, 20), ("b", 1, 30)))
    assert warehouse.upsert(LINES, lines(("a", 2, 21), ("b", 2, 5))) == UpsertCounts(1, 1, 0)
    assert [tuple(row.values()) for row in rows_of(warehouse, "nba_raw.lines")] == [
        ("a", 1, 10),
        ("a", 2, 21),
        ("b", 1, 30),
        ("b", 2, 5),
    ]


def test_an_upsert_of_whole_games_deletes_what_they_lack(warehouse: DuckDBWarehouse) -> None:
    warehouse.upsert(LINES, lines(("a", 1, 10), ("a", 2, 20), ("b", 1, 30)))
    same = lines(("a", 2, 20), ("c", 1, 5))
    assert warehouse.upsert(LINES, same, whole="game_id") == UpsertCounts(1, 0, 1, 1)
    assert warehouse.upsert(LINES, same, whole="game_id") == UpsertCounts(0, 0, 2, 0)
    assert [(row["game_id"], row["player_id"]) for row in rows_of(warehouse, LINES.name)] == [
        ("a", 2),
        ("b", 1),
        ("c", 1),
    ]


def test_an_upsert_notes_what_it_changes_in_its_own_transaction(
    warehouse: DuckDBWarehouse,
) -> None:
    warehouse.ensure_tables([NOTES])
    insertion = (
        "insert into {table} select @label as label, game_id, change, count(*) as changes "
        "from {{changes}} as changes group by game_id, change"
    )
    note = ChangeNote(insertion.format(table=NOTES.name), {"label": "one"})
    warehouse.upsert(LINES, lines(("a", 1, 10), ("a", 2, 20)))
    changed = lines(("a", 1, 11), ("b", 1, 30))
    broken = ChangeNote(insertion.format(table="nba_raw.nowhere"), {"label": "one"})
    with pytest.raises(duckdb.CatalogException):
        warehouse.upsert(LINES, changed, whole="game_id", note=broken)
    for _ in range(2):
        warehouse.upsert(LINES, changed, whole="game_id", note=note)
    noted = warehouse.query("select * from nba_raw.notes order by all").to_pylist()
    assert [tuple(row.values()) for row in noted] == [
        ("one", "a", "deleted", 1),
        ("one", "a", "updated", 1),
        ("one", "b", "inserted", 1),
    ]


@pytest.mark.parametrize(
    "rows",
    [
        lines(("a", 1, 10), ("a", 1, 11)),
        lines(("a", 1, 10)).set_column(0, "game_id", pa.array([None], pa.string())),
        lines(("a", 1, 10)).drop_columns(["points"]),
    ],
    ids=["duplicate key", "null key", "missing column"],
)
def test_an_upsert_refuses_rows_it_cannot_place(warehouse: DuckDBWarehouse, rows: pa.Table) -> None:
    with pytest.raises(ValueError, match=r"nba_raw\.lines"):
        warehouse.upsert(LINES, rows)
    assert rows_of(warehouse, "nba_raw.lines") == []
    assert warehouse.upsert(LINES, lines(("a", 1, 10))) == UpsertCounts(1, 0, 0)


def test_a_commit_replaces_by_key_in_several_tables(warehouse: DuckDBWarehouse) -> None:
    warehouse.upsert(LINES, lines(("a", 1, 10), ("a", 2, 20), ("b", 1, 30)))
    warehouse.commit(
        [
            TableChange("nba_raw.lines", ("game_id",), lines(("a", 3, 33))),
            TableChange(GAMES.name, GAMES.key, games(104).select(["game_date", "game_id"])),
            TableChange(
                LINES.name, LINES.key, None, pa.table({"game_id": ["b"], "player_id": [9]})
            ),
            TableChange(LINES.name, LINES.key),
        ]
    )
    assert [tuple(row.values()) for row in rows_of(warehouse, "nba_raw.lines")] == [
        ("a", 3, 33),
        ("b", 1, 30),
    ]
    assert rows_of(warehouse, "nba_raw.games")[0]["home_score"] is None


def test_a_commit_that_fails_halfway_leaves_everything_as_it_was(
    warehouse: DuckDBWarehouse,
) -> None:
    warehouse.upsert(LINES, lines(("a", 1, 10)))
    good = TableChange(LINES.name, ("game_id",), lines(("b", 1, 30)), pa.table({"game_id": ["a"]}))
    bad = TableChange("nba_raw.games", ("game_id",), pa.table({"game_id": ["g"], "no_column": [1]}))
    with pytest.raises(duckdb.Error):
        warehouse.commit([good, bad])
    with pytest.raises(ValueError, match="NULL"):
        warehouse.commit(
            [good, TableChange(LINES.name, ("game_id",), None, pa.table({"game_id": [None]}))]
        )
    assert [tuple(row.values()) for row in rows_of(warehouse, "nba_raw.lines")] == [("a", 1, 10)]


def test_a_commit_ends_with_the_same_rows_however_often_it_runs(
    warehouse: DuckDBWarehouse,
) -> None:
    first = TableChange(LINES.name, LINES.key, lines(("a", 1, 10), ("b", 1, 30)))
    second = TableChange(LINES.name, LINES.key, lines(("b", 1, 31)))
    for change in (first, first, second, second):
        warehouse.commit([change])
    assert [tuple(row.values()) for row in rows_of(warehouse, LINES.name)] == [
        ("a", 1, 10),
        ("b", 1, 31),
    ]


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


def test_threads_read_while_another_commits(warehouse: DuckDBWarehouse) -> None:
    warehouse.upsert(LINES, lines(("a", 1, 0), ("a", 2, 0)))
    torn: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            points = {row["points"] for row in rows_of(warehouse, "nba_raw.lines")}
            if len(points) != 1:
                torn.append(points)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for points in range(1, 40):
        warehouse.commit(
            [TableChange(LINES.name, ("game_id",), lines(("a", 1, points), ("a", 2, points)))]
        )
    done.set()
    for reader in readers:
        reader.join()
    assert torn == []


def test_a_file_held_by_another_process_names_it_and_the_way_out(tmp_path: Path) -> None:
    file = tmp_path / "held.duckdb"
    holder = python(HOLD_THE_FILE, str(file))
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        with pytest.raises(BackcourtError) as caught:
            DuckDBWarehouse(file).query("select 1")
    finally:
        holder.communicate("\n")
    assert caught.value.exit_code == 3
    message = caught.value.render()
    assert f"process {holder.pid}" in message
    assert "held.duckdb" in message
    assert "--wait" in message
    assert Path(sys.executable).name in message


def test_waiting_goes_on_when_the_holder_lets_go(tmp_path: Path) -> None:
    file = tmp_path / "held.duckdb"
    holder = python(HOLD_THE_FILE, str(file))
    assert holder.stdout is not None
    holder.stdout.readline()
    release = threading.Timer(0.6, holder.communicate, ["\n"])
    release.start()
    with DuckDBWarehouse(file, wait_seconds=30.0) as warehouse:
        assert warehouse.query("select 1 as one").to_pylist() == [{"one": 1}]
    release.join()


def test_a_file_that_is_not_duckdb_says_so(tmp_path: Path) -> None:
    file = tmp_path / "notes.duckdb"
    file.write_bytes(b"not a database" * 1000)
    with pytest.raises(BackcourtError, match="is not a DuckDB file") as caught:
        DuckDBWarehouse(file).query("select 1")
    assert caught.value.exit_code == 3


def test_a_damaged_file_says_so(warehouse: DuckDBWarehouse) -> None:
    warehouse.close()
    with warehouse.path.open("r+b") as file:
        file.seek(5000)
        file.write(b"x" * 9000)
    with pytest.raises(BackcourtError, match="damaged"):
        warehouse.query("select * from nba_raw.games")


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("folder", "is a folder"),
        ("file/backcourt.duckdb", "cannot create the folder"),
        ("nba_raw.duckdb", "its schema or catalog nba_raw"),
        ("NBA_RAW.copy.duckdb", "its schema or catalog nba_raw"),
        ("main.duckdb", "its schema or catalog main"),
        ("Temp.duckdb", "its schema or catalog temp"),
        ("system", "its schema or catalog system"),
        ("it's.duckdb", "dbt cannot quote"),
        ('a"b.duckdb', "dbt cannot quote"),
        ("what?.duckdb", "dbt cuts the path"),
        ("no#1/backcourt.duckdb", "dbt cuts the path"),
        ("a\nb.duckdb", "control characters"),
        ("\udce9.duckdb", "control characters, or bytes that are not UTF-8"),
        ("...", "it has no name"),
        (":memory:", "share a file"),
        ("pipe", "not a file"),
    ],
)
def test_a_place_that_cannot_hold_the_file_says_so(
    tmp_path: Path, place: str, message: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("a plain file")
    os.mkfifo(tmp_path / "pipe")
    before = sorted(tmp_path.rglob("*"))
    settings = load_settings(duckdb_path=tmp_path / place)
    with (
        pytest.raises(BackcourtError, match=message) as caught,
        open_warehouse(settings, must_exist=False) as warehouse,
    ):
        warehouse.query("select 1")
    assert caught.value.exit_code == 3
    assert sorted(tmp_path.rglob("*")) == before
    assert "BACKCOURT_DUCKDB_PATH" in caught.value.render()


def test_no_extension_is_ever_downloaded(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    setting = "select current_setting('autoinstall_known_extensions') as allowed"
    assert warehouse.query(setting)["allowed"].to_pylist() == [False]
    with scratch_database() as connection:
        assert connection.execute(setting).fetchone() == (False,)
    profile = yaml.safe_load((REPOSITORY / "profiles" / "profiles.yml").read_text())
    options = profile["backcourt"]["outputs"]["duckdb"]["config_options"]
    with duckdb.connect(tmp_path / "as_dbt.duckdb", config=options) as connection:
        assert connection.execute(setting).fetchone() == (False,)


def test_reading_only_needs_the_file(tmp_path: Path, warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(BackcourtError, match="there is no DuckDB file"):
        DuckDBWarehouse(tmp_path / "none.duckdb", read_only=True).query("select 1")
    warehouse.close()
    with DuckDBWarehouse(warehouse.path, read_only=True) as reader:
        assert reader.has_table("nba_raw.games")


def test_a_full_disk_keeps_what_was_committed(tmp_path: Path) -> None:
    """A limit on the file size stands in for the disk: the same failed writes, without root."""
    file = tmp_path / "small.duckdb"
    filler = python(
        """
        import resource, signal, sys
        import pyarrow as pa
        from python_workers.errors import BackcourtError
        from python_workers.warehouse.base import Column, TableChange, TableSpec
        from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        spec = TableSpec("nba_raw.t", (Column("i", "int64"), Column("s", "string")), ("i",))
        warehouse = DuckDBWarehouse(sys.argv[1])
        warehouse.ensure_tables([spec])
        warehouse.upsert(spec, pa.table({"i": [1, 2], "s": ["kept", "too"]}))
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**21, 2**21))
        texts = [f"{number * 7919:030d}" for number in range(400_000)]
        rows = pa.table({"i": range(10, 400_010), "s": texts})
        try:
            warehouse.upsert(spec, rows)
            warehouse.close()
        except BackcourtError as error:
            print(error.render())
        """,
        str(file),
    )
    message, _ = filler.communicate(timeout=120)
    assert "no space left" in message
    assert "run the same command again" in message
    with DuckDBWarehouse(file) as warehouse:
        kept = rows_of(warehouse, "nba_raw.t")
    assert kept == [{"i": 1, "s": "kept"}, {"i": 2, "s": "too"}]


def test_running_out_of_memory_says_which_limit_to_raise(tmp_path: Path) -> None:
    with (
        DuckDBWarehouse(tmp_path / "tight.duckdb", memory_limit="10MB") as warehouse,
        pytest.raises(BackcourtError, match="out of memory") as caught,
    ):
        warehouse.query("select list(i) as all_of_them from range(20_000_000) as numbers (i)")
    assert "BACKCOURT_DUCKDB_MEMORY_LIMIT" in caught.value.render()
