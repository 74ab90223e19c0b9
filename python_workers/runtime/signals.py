"""Ctrl-C, SIGTERM, SIGHUP: the command ends in order, says how to go on, and leaves nothing behind.

Only the standard library, since a command may be interrupted while it is still importing.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

from python_workers.runtime.redaction import plain_command

_WORDS = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    signal.SIGHUP: "the terminal is gone",
}
SIGNALS = tuple(_WORDS)

# An exception there may leave Python's import lock locked for ever, and may be swallowed besides.
_IMPORT_MACHINERY = "<frozen importlib"
_NEXT_TRY_SECONDS = 0.02

_received: list[signal.Signals] = []
_over: list[bool] = []


class Interrupted(KeyboardInterrupt):
    """A signal has come.

    A class of its own, because a plain KeyboardInterrupt that passes through an ``exec`` of text,
    as in many an import, lets Python end with the signal instead of the exit code.
    """


def answer_signals() -> None:
    """Let the first of the signals raise Interrupted, and a second one end the process.

    A signal that is ignored stays ignored, as Ctrl-C is in a shell script's background job and
    SIGHUP under nohup.
    """
    for number in _WORDS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _answer)
    signal.signal(signal.SIGALRM, lambda _number, frame: _interrupt(frame))


def received() -> signal.Signals | None:
    """Return the signal that has come, if any."""
    return _received[0] if _received else None


def stop_if_received() -> None:
    """Raise Interrupted again where something in between has swallowed it."""
    if _received:
        raise Interrupted


def command_over() -> None:
    """From now on a signal ends the process at once: there is nothing left to do in order."""
    _over.append(True)


def exit_code() -> int:
    """Return what a shell gives to the signal: 129 SIGHUP, 130 Ctrl-C, 143 SIGTERM."""
    return 128 + (received() or signal.SIGINT)


def how_to_go_on(arguments: Sequence[str]) -> str:
    """Return what the user is told.

    Parameters
    ----------
    arguments
        Of the command.
    """
    return (
        f"{_WORDS[received() or signal.SIGINT]}: everything committed so far is kept\n"
        f"  Go on from there with the same command: {plain_command(arguments)}"
    )


def _answer(number: int, frame: FrameType | None) -> None:
    if _received or _over:
        # Somebody who does not want to wait. A commit is all or nothing, and the pool's processes
        # leave when their parent is gone.
        with suppress(OSError):
            os.write(2, f"{how_to_go_on(sys.argv[1:])}\n".encode())
        os._exit(128 + number)
    _received.append(signal.Signals(number))
    _interrupt(frame)


def _interrupt(frame: FrameType | None) -> None:
    """Raise Interrupted; in the middle of the import machinery, a little later."""
    if frame is not None and frame.f_code.co_filename.startswith(_IMPORT_MACHINERY):
        signal.setitimer(signal.ITIMER_REAL, _NEXT_TRY_SECONDS)
        return
    raise Interrupted
