"""The Python interface for notebooks: frames of the contract's types, beside a run or not."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from python_workers.errors import BackcourtError
from python_workers.processors.catalogue import PROCESSORS
from python_workers.reader import Reader
from python_workers.warehouse.duckdb import snapshot as snapshots
from python_workers.warehouse.duckdb.file_lock import file_lock
from python_workers.warehouse.duckdb.snapshot import snapshot
from tests.python.support.engine import Engine
from tests.python.support.folders import REPOSITORY
from tests.python.support.writers import written_by_another

pytestmark = pytest.mark.slow

DTYPES = {
    "int64": "Int64",
    "float64": "float64",
    "bool": "boolean",
    "string": "string",
    "date": "datetime64[ms]",
}
COUNT = "select count(*) as n from nba_predictions.training_examples"


@pytest.fixture(scope="module")
def engine(simulated: Engine, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return simulated.copy(tmp_path_factory.mktemp("read"))


@pytest.fixture(scope="module")
def reader(engine: Engine) -> Reader:
    return Reader("duckdb", duckdb_path=engine.path)


def test_training_examples_have_the_columns_and_types_of_the_contract(
    reader: Reader, engine: Engine
) -> None:
    frame = reader.training_examples()
    text = (REPOSITORY / "models" / "training" / "training_examples.yml").read_text()
    (model,) = yaml.safe_load(text)["models"]
    declared = {column["name"]: DTYPES[column["data_type"]] for column in model["columns"]}
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == declared
    assert list(frame) == list(declared)
    assert [{"n": len(frame)}] == engine.query(COUNT)
    assert frame[["game_date", "player_id"]].equals(
        frame[["game_date", "player_id"]].sort_values(["game_date", "player_id"])
    )
    # The date to come has features, and no labels yet.
    to_come = frame[frame.game_date == frame.game_date.max()]
    assert to_come[reader.labels].isna().all(axis=None)
    assert to_come.points_avg_last_10.notna().any()
    assert frame.actual_points.notna().sum() > 1_000
    assert len(reader.features) == 39
    assert set(reader.features) < set(frame)


def test_a_player_is_found_by_id_lookup_or_name(reader: Reader, engine: Engine) -> None:
    (player,) = engine.query("from nba_raw.player_registry order by player_id limit 1")
    frames = [
        reader.rows("psza", player=player[name], start="2021-11-20", end=dt.date(2021, 12, 5))
        for name in ("player_id", "player_lookup", "player_name")
    ]
    assert len(frames[0]) > 5
    for frame in frames:
        pd.testing.assert_frame_equal(frame, frames[0])
        assert set(frame.player_id) == {player["player_id"]}
        assert frame.analysis_date.between("2021-11-20", "2021-12-05").all()
    with pytest.raises(BackcourtError, match="no player and no team is called 'nobody at all'"):
        reader.rows(player="nobody at all")
    with pytest.raises(BackcourtError, match="has no rows of ATL"):
        reader.rows("psza", player="ATL")
    with pytest.raises(BackcourtError, match="is no processor"):
        reader.rows("points")
    with pytest.raises(BackcourtError, match="has no column points"):
        reader.rows(columns=["points"])
    with pytest.raises(BackcourtError, match="is not a date"):
        reader.rows(start="yesterday")


def test_a_warehouse_without_a_backfill_says_what_to_run(simulated_raw: Engine) -> None:
    reader = Reader("duckdb", duckdb_path=simulated_raw.path)
    reads: tuple[Callable[[], object], ...] = (
        reader.training_examples,
        reader.rows,
        reader.failures,
        reader.coverage,
        lambda: reader.explain("ATL", "2021-12-04"),
    )
    for read in reads:
        with pytest.raises(BackcourtError, match="no backfill has run") as error:
            read()
        assert error.value.hint[0].startswith("Run: backcourt backfill --start 2021-1")


def test_failures_and_coverage_add_up(reader: Reader, engine: Engine) -> None:
    coverage = reader.coverage(season="2021-22")
    assert len(coverage) == coverage.analysis_date.nunique() * len(PROCESSORS)
    assert str(coverage.expected.dtype) == "Int64"
    failures = reader.failures("psza")
    of_psza = reader.coverage("psza")
    assert set(of_psza.processor) == {"psza"}
    assert of_psza.expected.sum() == of_psza.records.sum() + len(failures)
    assert len(failures) > 0
    team = engine.query("select min(team_abbr) as team from nba_raw.player_box_scores")[0]["team"]
    assert set(reader.rows("tdza", player=team).team_abbr) == {team}


def test_an_explanation_has_the_formulas_with_their_numbers(reader: Reader) -> None:
    row = reader.rows("psza").iloc[-1]
    lines = reader.explain(int(row.player_id), row.analysis_date, "psza")
    paint = lines[lines.name == "paint_rate_last_10"].iloc[0]
    assert float(paint.value) == float(paint.stored) == row.paint_rate_last_10
    assert paint.formula
    assert paint.filled
    assert set(lines.processor) == {"psza"}
    failure = reader.failures("psza").iloc[0]
    (why,) = reader.explain(int(failure.player_id), failure.analysis_date, "psza").problem[:1]
    assert why == failure.failure_reason


def test_beside_a_writer_a_reader_sees_its_commits_and_nothing_else(
    reader: Reader, engine: Engine
) -> None:
    before = reader.rows("tdza").team_abbr.value_counts()
    with written_by_another(engine.path):
        during = reader.rows("tdza").team_abbr.value_counts()
    assert before["ATL"] == during["NEW"] > 0
    assert {"ATL", "OPEN"}.isdisjoint(during.index)
    assert reader.rows("tdza").team_abbr.value_counts().equals(during)


def test_a_process_is_told_that_it_holds_the_file_itself(reader: Reader, engine: Engine) -> None:
    with (
        file_lock(engine.path, shared=False, wait_seconds=0),
        pytest.raises(BackcourtError, match="is in use by process"),
    ):
        reader.rows("tdza")


@pytest.mark.parametrize(("checkpoints", "is_copied"), [(2, True), (1_000, False)])
def test_a_copy_is_never_of_two_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoints: int, is_copied: bool
) -> None:
    path = tmp_path / "file.duckdb"
    path.write_bytes(b"0" * 20_000)
    copy_file = shutil.copyfile
    copies: list[Path] = []

    def copy_beside_a_checkpoint(source: Any, target: Any) -> None:
        copy_file(source, target)
        if source == path and len(copies) < checkpoints:
            copies.append(source)
            path.write_bytes(str(len(copies)).encode() * 20_000)

    monkeypatch.setattr(shutil, "copyfile", copy_beside_a_checkpoint)
    monkeypatch.setattr(snapshots, "_PAUSE_SECONDS", 0.0)
    if is_copied:
        with snapshot(path) as copy:
            assert copy.read_bytes() == path.read_bytes() == b"2" * 20_000
        assert not copy.exists()
    else:
        with pytest.raises(BackcourtError, match="changes faster"), snapshot(path):
            pass
