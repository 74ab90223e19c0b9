"""The one exception whose text is written for the user at the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command line."""

    OK = 0
    ATTENTION = 1
    USAGE = 2
    ENVIRONMENT = 3
    INTERRUPTED = 130


class BackcourtError(Exception):
    """An error that the user can fix; its message says how.

    Parameters
    ----------
    message
        What is wrong, with which value, in one line.
    hint
        Further lines: the relevant facts and what to do. A single string is one line.
    exit_code
        The exit code of the command that raises it.

    Examples
    --------
    >>> print(BackcourtError("no raw games", ["Load some with: backcourt load DIR"]).render())
    error: no raw games
      Load some with: backcourt load DIR
    """

    def __init__(
        self,
        message: str,
        hint: str | Sequence[str] = (),
        exit_code: int = ExitCode.ATTENTION,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint: tuple[str, ...] = (hint,) if isinstance(hint, str) else tuple(hint)
        self.exit_code = int(exit_code)

    def __reduce__(self) -> tuple[type[BackcourtError], tuple[str, tuple[str, ...], int]]:
        """Keep all three parts when a process pool pickles the error."""
        return (type(self), (self.message, self.hint, self.exit_code))

    def render(self) -> str:
        """Return the message as the CLI prints it: ``error: ...`` and indented hint lines."""
        return "\n".join([f"error: {self.message}", *(f"  {line}" for line in self.hint)])
