"""How the memory of a process goes back to the system."""

from __future__ import annotations

import ctypes
import sys


def return_free_memory() -> None:
    """Give back what lies free in the heap of malloc, on Linux with glibc; elsewhere do nothing.

    The results of workers are freed in another order than they came in. glibc would keep hundreds
    of MB between those that are still there.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
