from __future__ import annotations

from typing import Any

import pytest

from python_workers.explain.games import _is_counted, _missing


def game(**changes: Any) -> dict[str, Any]:
    return {"game_number": 3, "is_known_gap": False, "has_box_score": True, "points": 7} | changes


@pytest.mark.parametrize(
    ("changes", "is_counted", "missing"),
    [
        ({}, True, []),
        ({"points": None}, True, ["points"]),
        ({"has_box_score": False}, False, ["has_box_score"]),
        (
            {"has_box_score": False, "is_known_gap": True},
            False,
            ["has_box_score", "a known gap of the source"],
        ),
        ({"game_number": None}, True, []),
    ],
)
def test_a_game_counts_if_its_data_is_usable_and_names_what_it_lacks(
    changes: dict[str, Any], is_counted: bool, missing: list[str]
) -> None:
    row = game(**changes)
    assert (_is_counted(row), _missing(row)) == (is_counted, missing)
