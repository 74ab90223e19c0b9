"""The ``backcourt`` command, also as ``python -m python_workers``."""

from __future__ import annotations

import gc
import os
import sys

from python_workers import signals


def main() -> None:
    """Run the command line as a process of its own."""
    signals.answer_signals()
    # numpy's threads for linear algebra, which is not used here, would spin while they wait.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        gc.disable()  # of what is imported nothing ever goes, and looking through it takes time
        from python_workers.cli import main as run  # noqa: PLC0415 -- takes half a second

        gc.freeze()
        gc.enable()
        run()
    except KeyboardInterrupt:
        sys.stderr.write(f"{signals.how_to_go_on(sys.argv[1:])}\n")
        sys.exit(signals.exit_code())
    finally:
        signals.command_over()


if __name__ == "__main__":
    main()
