"""The standard streams: text that steers no terminal, and failures told from others."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Literal

# Control characters but tab and line feed, marks that turn the direction of writing, separators of
# lines and paragraphs, and halves of characters, which no encoding can write.
_UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def shown(text: str) -> str:
    r"""Return text for a terminal, each character that would steer it as a visible escape.

    The escapes are JSON's, so JSON stays the same JSON.

    Examples
    --------
    >>> shown("Luka\x1b[2J\x7f :skull:")
    'Luka\\u001b[2J\\u007f :skull:'
    """
    return _UNSHOWN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class OutputError(Exception):
    """Standard output or standard error cannot be written to.

    Parameters
    ----------
    cause
        Why: a BrokenPipeError where the reader has gone, as ``head`` does.
    """

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Stream:
    """Standard output or standard error of the moment, whose failures are told from others."""

    def __init__(self, name: Literal["stdout", "stderr"]) -> None:
        self._name = name

    def write(self, text: str) -> int:
        """Write text as it is."""
        with self._checked() as stream:
            return stream.write(text)

    def flush(self) -> None:
        """Hand over what was written."""
        with self._checked() as stream:
            stream.flush()

    def __getattr__(self, attribute: str) -> Any:  # noqa: ANN401 -- whatever a file has
        return getattr(self._current(), attribute)

    def _current(self) -> IO[str]:
        stream: IO[str] = getattr(sys, self._name)
        # While a progress bar is up, rich puts a proxy there, which prints through a console.
        proxied: IO[str] = getattr(stream, "rich_proxied_file", stream)
        return proxied

    @contextmanager
    def _checked(self) -> Iterator[IO[str]]:
        try:
            yield self._current()
        except OSError as error:
            raise OutputError(error) from error


def write_line(text: str) -> None:
    """Write a line to standard output as it is, but for control characters."""
    stream = Stream("stdout")
    stream.write(shown(text) + "\n")
    stream.flush()


def give_output_up() -> None:
    """Send what is still to be written nowhere: the interpreter would fail on it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError, ValueError):  # a stand-in without a file, as in a test
                os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
