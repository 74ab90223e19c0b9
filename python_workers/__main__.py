"""The ``backcourt`` command, also as ``python -m python_workers``."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from contextlib import suppress

from python_workers.runtime import signals
from python_workers.runtime.tuning import collector_paused_for_imports, keep_blas_single_threaded


def main() -> None:
    """Run the command line as a process of its own."""
    try:
        try:
            signals.answer_signals()
            _run()
        finally:
            signals.command_over()
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be gone
            sys.stderr.write(f"{signals.how_to_go_on(sys.argv[1:])}\n")
        sys.exit(signals.exit_code())


def _run() -> None:
    _open_standard_streams()
    # The pool has its own message for this case, in which joblib starts no worker processes.
    warnings.filterwarnings("ignore", ".*joblib will operate in serial mode")
    # Our warnings are whole sentences; dbt would add its own prefix.
    ours = logging.getLogger("python_workers")
    ours.addHandler(logging.StreamHandler())
    ours.propagate = False
    keep_blas_single_threaded()
    with collector_paused_for_imports():
        from python_workers.cli.app import main as run  # noqa: PLC0415 -- after the signals
    run()


def _open_standard_streams() -> None:
    """Open closed standard streams on /dev/null, and escape characters that they cannot encode.

    Otherwise the warehouse file could become descriptor 1 and receive the printed text.
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
