"""Temporary folders: a killed process leaves one, and the next command deletes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from python_workers.runtime.scratch import PREFIX, scratch_folder
from tests.python.support.folders import REPOSITORY

HOLD = """
import sys
from python_workers.runtime.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "rows").write_text("many")
    print(folder, flush=True)
    sys.stdin.read()
"""


def start(monkeypatch: pytest.MonkeyPatch, place: Path) -> tuple[subprocess.Popen[str], Path]:
    monkeypatch.setenv("TMPDIR", str(place))
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_folder_outlives_its_process_only_until_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed, left = start(monkeypatch, tmp_path)
    killed.kill()
    killed.communicate()
    assert (left / "rows").exists()
    other = tmp_path / f"{PREFIX}file"
    other.write_text("no folder of a command")
    alive, used = start(monkeypatch, tmp_path)
    assert not left.exists()
    third, own = start(monkeypatch, tmp_path)
    assert used.exists()
    for process in (third, alive):
        process.communicate("")
        assert process.returncode == 0
    assert sorted(tmp_path.iterdir()) == [other], own


def test_a_folder_beside_a_file_is_deleted_in_its_place(tmp_path: Path) -> None:
    left = tmp_path / f"{PREFIX}left"
    left.mkdir()
    with scratch_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]
    assert list(tmp_path.iterdir()) == []
