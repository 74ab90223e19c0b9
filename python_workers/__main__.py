"""The ``backcourt`` command, also as ``python -m python_workers``."""

from __future__ import annotations

import sys

from python_workers import signals


def main() -> None:
    """Run the command line as a process of its own."""
    signals.answer_signals()
    try:
        from python_workers.cli import main as run  # noqa: PLC0415 -- takes a second or two

        run()
    except KeyboardInterrupt:
        sys.stderr.write(f"{signals.how_to_go_on(sys.argv[1:])}\n")
        sys.exit(signals.exit_code())
    finally:
        signals.command_over()


if __name__ == "__main__":
    main()
