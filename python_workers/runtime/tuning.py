"""Settings of allocator and garbage collector, each with the gain that keeps it here.

The gains are processor time (user and system, of the process and its children), or peak memory, of
the same work with and without the setting, in interleaved runs on a machine of two cores:

==================================  ==========================================================
`collector_paused_for_imports`      24 % of ``backcourt compute --help`` (1.05 s to 0.80 s)
`keep_blas_single_threaded`         10 % of the same command (medians of 13 runs each)
`WORKER_ENVIRONMENT`                20 % of a worker's time on a chunk of shot zones
`return_free_memory`                nothing in one season; long ranges, see docs/decisions/0008
``Warehouse.beside_workers``        10 % of ``compute --force`` of a season (means of 6 runs)
``Warehouse.query(narrow=True)``    16 % of the parent's peak memory in the same run
==================================  ==========================================================

The last two stand with the engine that they are about. A setting that gains less than 5 % goes:
larger pipes to the workers and a lower priority of the workers gained nothing that was measurable;
pausing the collector during dbt's invocations gained 2.5 % of a daily run, since the imports are
frozen; naming the compression of text columns gained under 1 % of a backfill.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# A worker keeps the memory of a chunk for the next one. If it returned the memory, the kernel would
# zero the pages again for each chunk.
WORKER_ENVIRONMENT = {
    "MIMALLOC_PURGE_DELAY": "-1",  # Arrow's allocator
    "MALLOC_MMAP_THRESHOLD_": str(1 << 28),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
}


def keep_blas_single_threaded() -> None:
    """Let numpy start no threads for linear algebra, which nothing here needs."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@contextmanager
def collector_paused_for_imports() -> Iterator[None]:
    """Import without garbage collection, and never scan the imported objects: none is freed."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def return_free_memory() -> None:
    """Return malloc's free memory to the system, on Linux with glibc; elsewhere do nothing.

    Python frees the results of workers in another order than it allocated them, and glibc would
    keep hundreds of MB between those in use.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
