"""Facts about the machine of a benchmark, without any that identify its owner."""

from __future__ import annotations

import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import psutil

from python_workers import __version__

PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "numpy", "pandas", "pyarrow", "joblib")


def machine_facts(project: Path) -> dict[str, Any]:
    """Return cores, memory, versions, and the revision of the project.

    Parameters
    ----------
    project
        The folder of the project; git knows its revision.
    """
    return {
        "cores": joblib.cpu_count(),
        "processor": _processor(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "backcourt": __version__,
        "revision": _revision(project),
        "packages": {name: version(name) for name in PACKAGES},
        "load_before": round(psutil.getloadavg()[0], 2),
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown"
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _revision(project: Path) -> str:
    """Return the short revision, marked if files differ from it."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    found = subprocess.run(  # noqa: S603 -- git itself, with fixed arguments
        [git, "-C", str(project), "describe", "--always", "--dirty", "--exclude", "*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"
