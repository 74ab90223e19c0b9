"""The standard streams: control characters are escaped, and write failures have their own class."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Literal

# Control characters except tab and line feed, marks that change the direction of writing,
# separators of lines and paragraphs, and lone surrogates, which no encoding can write.
_UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def shown(text: str) -> str:
    r"""Escape the characters that would control a terminal, so that they are visible.

    The escapes are those of JSON, so a JSON text keeps its meaning.

    Examples
    --------
    >>> shown("Luka\x1b[2J\x7f :skull:")
    'Luka\\u001b[2J\\u007f :skull:'
    """
    return _UNSHOWN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class OutputError(Exception):
    """Writing to standard output or standard error failed.

    Parameters
    ----------
    cause
        The reason; a BrokenPipeError if the reader has exited, as ``head`` does.
    """

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Stream:
    """The current standard output or standard error; write failures raise `OutputError`."""

    def __init__(self, name: Literal["stdout", "stderr"]) -> None:
        self._name = name

    def write(self, text: str) -> int:
        """Write the text unchanged."""
        with self._checked() as stream:
            return stream.write(text)

    def flush(self) -> None:
        """Flush the written text."""
        with self._checked() as stream:
            stream.flush()

    def __getattr__(self, attribute: str) -> Any:  # noqa: ANN401 -- any attribute of a file
        return getattr(self._current(), attribute)

    def _current(self) -> IO[str]:
        stream: IO[str] = getattr(sys, self._name)
        # While a progress bar is visible, rich replaces the stream by a proxy that prints through a
        # console.
        proxied: IO[str] = getattr(stream, "rich_proxied_file", stream)
        return proxied

    @contextmanager
    def _checked(self) -> Iterator[IO[str]]:
        try:
            yield self._current()
        except OSError as error:
            raise OutputError(error) from error


def write_line(text: str) -> None:
    """Write a line to standard output with its control characters escaped."""
    stream = Stream("stdout")
    stream.write(shown(text) + "\n")
    stream.flush()


def say(text: str) -> None:
    """Write a line to standard error with its control characters escaped."""
    Stream("stderr").write(f"{shown(text)}\n")


def give_output_up() -> None:
    """Redirect unwritable streams to /dev/null: the interpreter would fail to flush them."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError, ValueError):  # a test's stand-in has no file
                os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
