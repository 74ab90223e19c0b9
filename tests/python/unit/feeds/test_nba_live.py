"""The live answers become lines and shots, and flags may be spelt in several ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.python.support.feed_answers import (
    action,
    play_by_play,
    write_json,
)
from tests.python.support.feed_folder import Folder, refusal


def live_game(**of_player: object) -> dict[str, object]:
    """Return a box score of the live feed with one player."""
    player = {
        "personId": 1,
        "name": "One",
        "starter": "1",
        "played": "1",
        "statistics": {
            "minutes": "PT34M12.00S",
            **dict.fromkeys(
                (
                    *("fieldGoalsMade", "fieldGoalsAttempted", "threePointersMade"),
                    *("threePointersAttempted", "freeThrowsMade", "freeThrowsAttempted"),
                    *("reboundsOffensive", "reboundsDefensive", "assists", "steals", "blocks"),
                    *("turnovers", "foulsPersonal", "points"),
                ),
                0,
            ),
        },
        **of_player,
    }
    home = {"teamTricode": "POR", "score": 112, "players": [player]}
    away = {"teamTricode": "DAL", "score": 132, "players": []}
    game = {"gameId": "0022100732", "gameEt": "2022-01-26T22:00:00Z", "gameStatus": 3}
    return {"game": {**game, "homeTeam": home, "awayTeam": away}}


def live_plays(*actions: dict[str, Any]) -> dict[str, object]:
    orders = [
        {**each, "orderNumber": 10 * each["actionNumber"], "actionType": "2pt"} for each in actions
    ]
    return play_by_play(*orders)


def test_a_corrected_play_by_play_of_the_live_feed_replaces_the_former_one(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "nba_live")
    write_json(folder.files / "1.json", live_plays(action(6), action(7), action(8), action(9)))
    write_json(folder.files / "2.json", live_plays(action(7), action(9)))
    folder.convert()
    assert folder.rows("shots", "event_number", "order by 1") == [(6,), (7,), (9,)]


def test_flags_may_be_numbers_or_words(tmp_path: Path) -> None:
    words = (1, True, "TRUE ", "1.0")
    live = Folder(tmp_path, "nba_live")
    shots = [action(number, isFieldGoal=word) for number, word in enumerate(words)]
    other = action(9, isFieldGoal="False", shotResult=None)
    write_json(live.files / "plays.json", live_plays(*shots, other))
    write_json(live.files / "box.json", live_game(starter=False, played=True))
    live.convert()
    assert live.rows("shots", "count(*)") == [(4,)]
    columns = "is_starter, is_dnp, minutes"
    assert live.rows("player_box_scores", columns) == [(False, False, "PT34M12.00S")]
    (tmp_path / "api").mkdir()
    api = Folder(tmp_path / "api")
    shots[1]["shotResult"] = " missed"
    write_json(api.files / "plays.json", play_by_play(*shots, other))
    api.convert()
    assert api.rows("shots", "is_made", "order by event_number") == [
        (True,),
        (False,),
        (True,),
        (True,),
    ]


@pytest.mark.parametrize(
    ("feed", "answer", "expected"),
    [
        ("nba_api", play_by_play(action(7, isFieldGoal="Y")), "'Y (neither true nor false)'"),
        ("nba_api", play_by_play(action(7, shotResult="in")), "'in (neither made nor missed)'"),
        ("nba_api", play_by_play(action(7, shotResult=""), action(8)), "is_made must not be empty"),
        ("nba_live", live_plays(action(7, isFieldGoal="yes")), "'yes (neither true nor false)'"),
        ("nba_live", live_plays(action(7, shotResult="no")), "'no (neither made nor missed)'"),
        ("nba_live", live_game(played="y"), "'y (neither true nor false)'"),
        ("nba_live", live_game(starter="2"), "'2 (neither true nor false)'"),
    ],
)
def test_an_unknown_flag_is_refused_with_its_file(
    tmp_path: Path, feed: str, answer: object, expected: str
) -> None:
    folder = Folder(tmp_path, feed)
    write_json(folder.files / "answer.json", answer)
    said = refusal(folder)
    assert expected in said
    assert "answer.json" in said
