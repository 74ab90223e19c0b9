"""What an interrupted command says of its results."""

from __future__ import annotations

import pytest

from python_workers.runtime.signals import how_to_go_on


@pytest.mark.parametrize(
    ("command", "kept", "again"),
    [
        ("backfill", "everything committed so far is kept", "Go on from there with"),
        ("fetch", "the answers written so far are kept", "Go on from there with"),
        ("convert", "no file is half written", "Begin again with"),
    ],
)
def test_a_command_says_what_it_has_kept(command: str, kept: str, again: str) -> None:
    said = how_to_go_on([command, "x"])
    assert said == f"interrupted: {kept}\n  {again} the same command: backcourt {command} x"
