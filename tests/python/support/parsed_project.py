"""Parses the dbt project once, since parsing takes longer than building a small league."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from python_workers.backfill.dbt_project import DbtProject
from python_workers.settings import load_settings

_sources: list[Callable[[], Path]] = []


def parse(folder: Path) -> None:
    """Parse the project for the tests' warehouses, which all have the same name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_TARGET_PATH", str(folder))
        DbtProject(load_settings(duckdb_path=folder / "backcourt.duckdb")).parse()


def use(find: Callable[[], Path]) -> None:
    """Take the parsed project from the folder that `find` returns once it is needed."""
    _sources[:] = [find]


def put_into(target_folder: Path) -> None:
    """Let commands whose DBT_TARGET_PATH is this folder find the project parsed."""
    (find,) = _sources
    target_folder.mkdir(parents=True, exist_ok=True)
    for file in find().glob("*.pickle"):
        shutil.copyfile(file, target_folder / file.name)
