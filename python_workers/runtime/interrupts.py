"""Signals while worker processes run: only the parent answers, and no process stays behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

from python_workers.runtime.signals import SIGNALS


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Delay signals until the block ends, so that they cannot interrupt it halfway."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    answered = {
        number: handler
        for number in SIGNALS
        if callable(handler := signal.getsignal(number))  # neither ignored nor the system's
    }
    came: list[int] = []
    for number in answered:
        signal.signal(number, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in answered.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


@contextmanager
def hangups_blocked() -> Iterator[None]:
    """Block SIGHUP, also in the processes that start in the block: they inherit the mask.

    The parent answers a SIGHUP of the block at its end. The trackers of semaphores ignore Ctrl-C
    and SIGTERM by themselves. If SIGHUP ended one, its successor would not know the semaphores that
    it is told to forget, and would print a traceback.
    """
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


@contextmanager
def interrupts_kept_from_children() -> Iterator[None]:
    """Start child processes that ignore Ctrl-C and SIGHUP from their first instruction.

    The terminal sends both to every process, and only the parent answers them. Processes and
    threads inherit the signal mask, so processes that loky's threads start later have it, too.
    """
    with hangups_blocked():
        resource_tracker.ensure_running()  # starting it later would lift the mask
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
