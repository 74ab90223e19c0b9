"""The DuckDB file: held by others, damaged, in a bad place, on a full disk."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import duckdb
import pytest
import yaml

from python_workers.errors import BackcourtError
from python_workers.raw.files import scratch_database
from python_workers.settings import load_settings
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from python_workers.warehouse.open import open_warehouse
from tests.python.support.folders import REPOSITORY
from tests.python.support.small_tables import rows_of


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


@pytest.mark.slow
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
