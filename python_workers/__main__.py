"""The ``backcourt`` command, also as ``python -m python_workers``."""

from __future__ import annotations

import gc
import logging
import os
import sys
import warnings
from contextlib import suppress

from python_workers.runtime import signals


def main() -> None:
    """Run the command line as a process of its own."""
    signals.answer_signals()
    _open_standard_streams()
    # It then has no worker processes, which the pool says in a sentence of its own.
    warnings.filterwarnings("ignore", ".*joblib will operate in serial mode")
    # Our warnings are sentences; dbt would put its own prefix before them.
    ours = logging.getLogger("python_workers")
    ours.addHandler(logging.StreamHandler())
    ours.propagate = False
    # numpy's threads for linear algebra, which is not used here, would spin while they wait.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        gc.disable()  # of what is imported nothing ever goes, and looking through it takes time
        from python_workers.cli.app import main as run  # noqa: PLC0415 -- takes half a second

        gc.freeze()
        gc.enable()
        run()
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be gone
            sys.stderr.write(f"{signals.how_to_go_on(sys.argv[1:])}\n")
        sys.exit(signals.exit_code())
    finally:
        signals.command_over()


def _open_standard_streams() -> None:
    """Give streams that were closed a place, and let no character be too much for any of them.

    Otherwise the warehouse's file could become number 1, and get what is printed.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            stream = open(os.devnull, "w" if number else "r", encoding="utf-8")  # noqa: SIM115, PTH123 -- stays open
            setattr(sys, name, stream)
        elif number:
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
