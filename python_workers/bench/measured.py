"""The measured process: runs a command, and writes down its peak memory at the end.

``python -m python_workers.bench.measured NOTE [--profile FILE] COMMAND ...``
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

PROFILE_OPTION = "--profile"


def main(arguments: list[str]) -> None:
    """Run the command and write the note, even if the command fails."""
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
    """Return the peak memory of this process, in KiB.

    On Linux, ``ru_maxrss`` includes the memory of the parent process, so read the process's own
    high-water mark instead if the system has one.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // 1024 if sys.platform == "darwin" else peak
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def _run(command: list[str]) -> None:
    from python_workers.cli.app import main as backcourt  # noqa: PLC0415 -- the measurement includes the import

    backcourt(command)


def _run_profiled(command: list[str], target: Path) -> None:
    import cProfile  # noqa: PLC0415 -- only needed for a profile

    profile = cProfile.Profile()
    profile.enable()
    try:
        _run(command)
    finally:
        profile.disable()
        profile.dump_stats(target)


if __name__ == "__main__":
    main(sys.argv[1:])
