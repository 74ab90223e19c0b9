"""Returns the memory of a process to the system."""

from __future__ import annotations

import ctypes
import sys


def return_free_memory() -> None:
    """Return malloc's free memory to the system, on Linux with glibc; elsewhere do nothing.

    Python frees the results of workers in another order than it allocated them, and glibc would
    keep hundreds of MB between those in use.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
