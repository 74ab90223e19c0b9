"""The notebook of docs/training.md runs as it stands, and the page states its results."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from tests.python.support.engine import Engine
from tests.python.support.folders import REPOSITORY

pytestmark = pytest.mark.slow

NOTEBOOK = REPOSITORY / "docs" / "training.ipynb"


def cells() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


def test_the_page_states_the_errors_of_the_notebook_s_run() -> None:
    printed = "".join(
        "".join(output.get("text", ())) for cell in cells() for output in cell["outputs"]
    )
    rows = [line for line in printed.splitlines() if line.startswith(("mean of ten", "model"))]
    assert len(rows) == 2
    page = (REPOSITORY / "docs" / "training.md").read_text(encoding="utf-8")
    for row in rows:
        *name, absolute, square = row.split()
        assert f"| {' '.join(name)} | {absolute} | {square} |" in page


def test_the_cells_run_one_after_the_other(
    simulated: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = simulated.copy(tmp_path)
    monkeypatch.setenv("BACKCOURT_DUCKDB_PATH", str(engine.path))
    # scikit-learn's threads would wait for one another on a busy machine.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    space: dict[str, Any] = {}
    for cell in cells():
        source = "".join(cell["source"])
        if "sklearn" in source and importlib.util.find_spec("sklearn") is None:
            assert len(space["train"]) > 3 * len(space["test"]) / 2 > 100
            pytest.skip(
                "scikit-learn is not installed (make notebook); the cells before it have run"
            )
        exec(compile(source, NOTEBOOK.name, "exec"), space)  # noqa: S102 -- our own notebook
    results = space["results"]
    assert results.notna().all(axis=None)
    assert (results > 1).all(axis=None)
    assert space["train"].game_date.max() < space["test"].game_date.min()
