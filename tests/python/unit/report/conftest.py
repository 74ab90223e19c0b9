"""A small league for the report, with a game without shots and two dangerous names."""

from __future__ import annotations

import pytest

from tests.python.support.engine import Engine
from tests.python.support.leagues import League, days

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> </title></svg>"
LONG = "Wa" * 5_000
DATES = days(16)
WITHOUT_SHOTS = DATES[11]


@pytest.fixture(scope="package")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Return an engine on a league with a game without shots and two dangerous names."""
    league = League({"AAA": [1, 2, 3], "BBB": [4, 5, 6]})
    league.names = {1: HOSTILE, 2: LONG}
    for day in DATES:
        league.play(day, "AAA", "BBB", shots=day != WITHOUT_SHOTS)
    folder = tmp_path_factory.mktemp("league")
    engine = Engine(folder)
    engine.load(league.write(folder / "raw"))
    return engine


@pytest.fixture(scope="package")
def backfilled(loaded: Engine, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    engine = loaded.copy(tmp_path_factory.mktemp("backfilled"))
    engine.backfill()
    return engine
