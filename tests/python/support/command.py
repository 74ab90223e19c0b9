"""The command line in process: its output and its exit code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from python_workers.cli.app import main


@dataclass(frozen=True)
class Outcome:
    """The exit code of a command, and the text of its two streams."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """Return all events of JSON lines, or those of a name; other output is an error."""
        found = [json.loads(line) for line in self.out.splitlines()]
        return [event for event in found if name in (None, event["event"])]


class CommandLine:
    """Runs commands on one warehouse."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: object) -> Outcome:
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(each) for each in arguments])
        written = self._capture.readouterr()
        return Outcome(int(ended.value.code or 0), written.out, written.err)

    def attention(self, *arguments: object) -> Outcome:
        """Run a command that must do its work and end with 1, since something needs attention."""
        outcome = self(*arguments)
        assert (outcome.code, outcome.err) == (1, ""), outcome
        return outcome

    def ok(self, *arguments: object) -> Outcome:
        """Run a command that must succeed."""
        outcome = self(*arguments)
        assert (outcome.code, outcome.err) == (0, ""), outcome
        return outcome
