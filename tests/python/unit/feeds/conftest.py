"""The folder that most tests of feeds convert."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.python.support.feed_folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
