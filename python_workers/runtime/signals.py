"""On Ctrl-C, SIGTERM or SIGHUP, ends the command in order and says how to resume it.

The module imports only the standard library: a signal may arrive while imports still run.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

from python_workers.runtime.redaction import plain_command
from python_workers.runtime.streams import shown

_WORDS = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    signal.SIGHUP: "the terminal is gone",
}
SIGNALS = tuple(_WORDS)
# Commands that write files instead of the warehouse; but for `fetch`, each writes all of them anew.
_FILES_ANEW = ("convert", "simulate", "export", "report", "docs", "bench")

# An exception inside the import machinery may be swallowed, or leave Python's import lock locked.
_IMPORT_MACHINERY = "<frozen importlib"
_NEXT_TRY_SECONDS = 0.02

_received: list[signal.Signals] = []
_over: list[bool] = []


class Interrupted(KeyboardInterrupt):
    """A signal has arrived.

    It is a class of its own because Python ends with the signal instead of the exit code when a
    plain KeyboardInterrupt passes through an ``exec`` of text, as many imports do.
    """


def answer_signals() -> None:
    """Install handlers: the first signal raises Interrupted, a second one ends the process.

    An ignored signal stays ignored, such as Ctrl-C in a shell script's background job and SIGHUP
    under nohup.
    """
    for number in _WORDS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _answer)
    signal.signal(signal.SIGALRM, lambda _number, frame: _interrupt(frame))


def received() -> signal.Signals | None:
    """Return the signal that has arrived, if any."""
    return _received[0] if _received else None


def stop_if_received() -> None:
    """Raise Interrupted again if other code has swallowed it."""
    if _received:
        raise Interrupted


def command_over() -> None:
    """Mark the command as finished: from now on a signal ends the process at once."""
    _over.append(True)


def exit_code() -> int:
    """Return a shell's exit code for the signal: 129 SIGHUP, 130 Ctrl-C, 143 SIGTERM."""
    return 128 + (received() or signal.SIGINT)


def how_to_go_on(arguments: Sequence[str]) -> str:
    """Return the message that tells the user how to resume.

    Parameters
    ----------
    arguments
        The arguments of the command.
    """
    command = next(iter(arguments), "")
    kept, again = "everything committed so far is kept", "Go on from there with"
    if command == "fetch":
        kept = "the answers written so far are kept"
    elif command in _FILES_ANEW:
        kept, again = "no file is half written", "Begin again with"
    return (
        f"{_WORDS[received() or signal.SIGINT]}: {kept}\n"
        f"  {again} the same command: {plain_command(arguments)}"
    )


def _answer(number: int, frame: FrameType | None) -> None:
    if _received or _over:
        # The user does not want to wait. A commit is all or nothing, and the pool's processes exit
        # when their parent is gone.
        with suppress(OSError):
            os.write(2, shown(f"{how_to_go_on(sys.argv[1:])}\n").encode())
        os._exit(128 + number)
    _received.append(signal.Signals(number))
    _interrupt(frame)


def _interrupt(frame: FrameType | None) -> None:
    """Raise Interrupted; if the import machinery is running, try again a little later."""
    if frame is not None and frame.f_code.co_filename.startswith(_IMPORT_MACHINERY):
        signal.setitimer(signal.ITIMER_REAL, _NEXT_TRY_SECONDS)
        return
    raise Interrupted
