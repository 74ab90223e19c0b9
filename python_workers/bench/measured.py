"""The process that is measured: the command itself, which notes its own peak memory at its end.

``python -m python_workers.bench.measured NOTE [--profile FILE] COMMAND ...``
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

PROFILE_OPTION = "--profile"


def main(arguments: list[str]) -> None:
    """Run the command and write the note, however the command ends."""
    note, command = Path(arguments[0]), arguments[1:]
    try:
        if command[0] == PROFILE_OPTION:
            _run_profiled(command[2:], Path(command[1]))
        else:
            _run(command)
    finally:
        own = resource.getrusage(resource.RUSAGE_SELF)
        found = {
            "peak_kib": peak_memory_kib(),
            "cpu_seconds": own.ru_utime + own.ru_stime,
        }
        note.write_text(json.dumps(found), encoding="utf-8")


def peak_memory_kib() -> int:
    """Return the most memory that this process has held, in KiB.

    Linux counts into ``ru_maxrss`` what the process that started this one held, so its own
    high-water mark is read where there is one.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // 1024 if sys.platform == "darwin" else peak
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def _run(command: list[str]) -> None:
    from python_workers.cli.app import main as backcourt  # noqa: PLC0415 -- part of what is measured

    backcourt(command)


def _run_profiled(command: list[str], target: Path) -> None:
    import cProfile  # noqa: PLC0415 -- only where asked for

    profile = cProfile.Profile()
    profile.enable()
    try:
        _run(command)
    finally:
        profile.disable()
        profile.dump_stats(target)


if __name__ == "__main__":
    main(sys.argv[1:])
