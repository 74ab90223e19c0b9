"""Faults that tests inject; the parent process reads them from the environment.

``BACKCOURT_FAULTS`` is a JSON object such as ``{"sigkill": [2544], "stop_at": "commit:2"}``.
``sigkill``, ``exit``, ``abort``, ``hang`` and ``raise`` list players whose computation ends that
way. ``stop_at`` names the crash point at which the parent kills itself, and on which visit to it.
``trace`` names a file in which the parent logs every crash point that it visits, with the time.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

VARIABLE = "BACKCOURT_FAULTS"
WORKER_FAULTS = ("sigkill", "exit", "abort", "hang", "raise")

_passed: Counter[str] = Counter()


def configured() -> dict[str, Any]:
    """Return the faults from the environment; outside of tests there are none."""
    faults: dict[str, Any] = json.loads(os.environ.get(VARIABLE) or "{}")
    return faults


def worker_faults() -> dict[str, list[int]]:
    """Return the faults for workers, which travel in a chunk's parameters."""
    return {name: players for name, players in configured().items() if name in WORKER_FAULTS}


def crash_point(name: str) -> None:
    """Kill this process if the environment names this crash point."""
    if VARIABLE not in os.environ:
        return
    _passed[name] += 1
    passing, faults = f"{name}:{_passed[name]}", configured()
    if "trace" in faults:
        with Path(faults["trace"]).open("a") as trace:
            trace.write(f"{passing} {time.time()}\n")
    if faults.get("stop_at") == passing:
        os.kill(os.getpid(), signal.SIGKILL)


def wrapped(
    compute: Callable[[Mapping[str, pa.Table], Mapping[str, object]], Any],
    params: Mapping[str, object],
) -> Callable[[Mapping[str, pa.Table], Mapping[str, object]], Any]:
    """Return `compute`; if the parameters hold faults, inject them first."""
    if not params.get("faults"):
        return compute

    def faulty(tables: Mapping[str, pa.Table], params: Mapping[str, object]) -> Any:  # noqa: ANN401
        faults: Mapping[str, list[int]] = params["faults"]  # type: ignore[assignment]
        for name, players in faults.items():
            if pc.any(pc.is_in(tables["players"].column("player_id"), pa.array(players))).as_py():
                _commit_fault(name)
        return compute(tables, params)

    return faulty


def _commit_fault(name: str) -> None:
    match name:
        case "sigkill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(7)
        case "abort":
            os.abort()
        case "hang":
            time.sleep(3600)
        case _:
            raise RuntimeError("an injected fault")
