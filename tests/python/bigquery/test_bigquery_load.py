"""What `load` and `remove` say on BigQuery, against the emulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_workers.settings import load_settings
from python_workers.warehouse.bigquery.open import open_bigquery
from tests.python.bigquery.emulator import Emulator
from tests.python.support.command import CommandLine
from tests.python.support.raw_factories import (
    OPENING_GAME,
    league,
    line,
    player,
    shot,
    write_league,
)


def test_a_load_says_what_it_found_and_a_game_can_be_removed(
    emulator: Emulator,
    prefix: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in emulator.settings().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BACKCOURT_TARGET", "emulator")
    monkeypatch.setenv("BACKCOURT_BQ_DATASET_PREFIX", prefix)
    backcourt = CommandLine(capsys)
    lines = [line(1, points=12), line(2, minutes=None)]
    players = [player(number, birth_date="1990-07-01") for number in range(1, 11)]
    raw = league(player_box_scores=lines, shots=[shot(1, 1), shot(2, 1)], players=players)
    events = backcourt.ok(
        "load", write_league(tmp_path / "raw", raw), "--log-format", "json"
    ).events()
    found = {event["finding"]: event for event in events if event["event"] == "raw_finding"}
    assert {name: event["found"] for name, event in found.items()} == {
        "birth_date_is_placeholder": 10,
        "box_score_missing": 1,
        "counts_without_minutes": 1,
        "points_unlike_makes": 1,
        "points_unlike_score": 1,
    }
    assert found["points_unlike_makes"]["example"] == (
        f"2021-10-19 {OPENING_GAME} player 1: 12 points, 11 by makes"
    )
    (changed,) = [event for event in events if event["event"] == "game_changed"]
    assert (changed["game_id"], changed["inserted"]) == (OPENING_GAME, 5)
    with open_bigquery(load_settings()) as warehouse:
        table = warehouse._existing("nba_raw.games")
    assert table.description == "The schedule and its results, one row per game."
    assert [field.name for field in table.schema if not field.description] == []
    removed = backcourt.ok("remove", OPENING_GAME).out
    assert "removed 1 row of games, 2 rows of player_box_scores, 2 rows of shots" in removed
    assert "before: 2021-10-19" in removed
    assert removed.rstrip().endswith("next: backcourt backfill --all")
