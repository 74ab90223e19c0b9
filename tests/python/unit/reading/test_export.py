"""Exports hold the tables and a manifest, and appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from python_workers.reading.outputs import OUTPUTS
from tests.python.support.command import CommandLine
from tests.python.support.engine import Engine

pytestmark = pytest.mark.slow


def manifest(folder: Path) -> Any:
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def table(engine: Engine, name: str) -> list[dict[str, Any]]:
    output = OUTPUTS[name]
    order = ", ".join((output.date_column, *output.order))
    return engine.query(f"select * from {output.table} order by {order}")


def test_an_export_is_the_table_and_its_manifest_says_what_it_is(
    backfilled: CommandLine, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two seasons make two files. No command that only reads imports dbt.
    engine.execute(
        "update nba_raw.games set season = '2022-23' "
        "where game_date > (select median(game_date) from nba_raw.games)"
    )
    monkeypatch.setitem(sys.modules, "dbt", None)
    monkeypatch.setitem(sys.modules, "dbt.cli.main", None)
    folder = tmp_path / "new" / "export"
    tables = ",".join(OUTPUTS)
    assert backfilled("export", "--out", folder, "--tables", tables, "--allow-gaps").code == 0
    made = manifest(folder)
    assert [each["name"] for each in made["tables"]] == tables.split(",")
    for each in made["tables"]:
        files = [folder / file["path"] for file in each["files"]]
        assert [path.stem for path in files] == ["2021-22", "2022-23"]
        rows = table(engine, each["name"])
        assert pq.read_table(folder / each["name"]).to_pylist() == rows
        assert each["rows"] == sum(file["rows"] for file in each["files"]) == len(rows)
        assert list(rows[0]) == [column["name"] for column in each["columns"]]
        assert all(column["description"] for column in each["columns"])
        for file, path in zip(each["files"], files, strict=True):
            assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
            assert file["rows"] == pq.read_metadata(path).num_rows
    by_name = {each["name"]: each for each in made["tables"]}
    examples, zones = by_name["training_examples"], by_name["psza"]
    roles = {column["name"]: column.get("role") for column in examples["columns"]}
    assert (roles["points_avg_last_10"], roles["actual_points"]) == ("feature", "label")
    assert roles["game_date"] is None
    for short in ("psza", "pcf", "pdc"):
        assert by_name[short]["versions"] == [made["calculation_versions"][short]]
    # Rows of these tables do not contain a calculation version.
    assert by_name["tdza"]["versions"] == by_name["failures"]["versions"] == []
    field = pq.read_schema(folder / zones["files"][0]["path"]).field("player_id")
    assert field.metadata[b"description"] == b"NBA person id."


def test_csv_has_the_values_of_parquet(backfilled: CommandLine, tmp_path: Path) -> None:
    read = {}
    for file_format in ("csv", "parquet"):
        folder = tmp_path / file_format
        outcome = backfilled("export", "--out", folder, "--format", file_format, "--allow-gaps")
        assert outcome.code == 0
        (file,) = manifest(folder)["tables"][0]["files"]
        read[file_format] = folder / file["path"]
    expected = pq.read_table(read["parquet"])
    types = pa_csv.ConvertOptions(
        column_types=pa.schema([(field.name, field.type) for field in expected.schema]),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    found = pa_csv.read_csv(read["csv"], convert_options=types)
    assert found.to_pylist() == expected.to_pylist()


def test_gaps_end_with_1_unless_they_are_allowed(
    backfilled: CommandLine, engine: Engine, tmp_path: Path
) -> None:
    start, end = "2021-11-10", "2021-11-20"
    dates = ("--start", start, "--end", end)
    clean = backfilled("export", "--out", tmp_path / "clean", *dates)
    assert clean.code == 0
    assert manifest(tmp_path / "clean")["coverage"] == {"is_clean": True, "needs_attention": []}
    engine.execute(
        f"delete from nba_predictions.ml_feature_store_v2 where game_date between date '{start}' "
        f"and date '{end}' and player_id = (select min(player_id) "
        f"from nba_predictions.ml_feature_store_v2 where game_date between date '{start}' "
        f"and date '{end}')"
    )
    gaps = backfilled("export", "--out", tmp_path / "gaps", *dates)
    assert gaps.code == 1
    assert "entities unaccounted" in gaps.out
    assert f"backcourt coverage --start {start} --end {end}" in gaps.out
    found = manifest(tmp_path / "gaps")
    assert not found["coverage"]["is_clean"]
    assert found["tables"][0]["rows"] < manifest(tmp_path / "clean")["tables"][0]["rows"]
    assert backfilled("export", "--out", tmp_path / "told", *dates, "--allow-gaps").code == 0
    # A gap of the feature store does not affect the shot zones, which do not read it.
    assert backfilled("export", "--out", tmp_path / "z", "--tables", "psza", *dates).code == 0


def test_a_folder_with_contents_is_replaced_when_told_and_only_if_it_is_an_export(
    backfilled: CommandLine, tmp_path: Path
) -> None:
    dates = ("--start", "2021-11-10", "--end", "2021-11-12", "--allow-gaps")
    folder = tmp_path / "export"
    folder.mkdir()
    assert backfilled("export", "--out", folder, *dates).code == 0
    before = contents(folder)
    again = backfilled("export", "--out", folder, "--tables", "psza", *dates)
    assert (again.code, contents(folder)) == (2, before)
    assert "--replace" in again.err
    replaced = ("export", "--out", folder, "--tables", "psza", "--replace", *dates)
    assert backfilled(*replaced).code == 0
    assert not (folder / "training_examples").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").touch()
    assert backfilled("export", "--out", other, "--replace", *dates).code == 2
    assert backfilled("export", "--out", other / "thesis.txt", *dates).code == 2
    assert backfilled("export", "--out", tmp_path / "x", "--tables", "points").code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export", "other"]


def test_a_full_disk_leaves_the_former_export(
    backfilled: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dates = ("--start", "2021-11-10", "--end", "2021-11-12", "--allow-gaps")
    folder = tmp_path / "export"
    assert backfilled("export", "--out", folder, *dates).code == 0
    before = contents(folder)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    outcome = backfilled("export", "--out", folder, "--replace", *dates)
    assert outcome.code == 3
    assert "No space left" in outcome.err
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["export"]
