"""A Dask cluster of separate processes on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.python.support.folders import REPOSITORY

distributed = pytest.importorskip("distributed")


@dataclass
class Cluster:
    """A scheduler and its workers, started as people start them."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def ready(self, workers: int) -> str:
        """Wait until so many workers are there; return the address of the scheduler."""
        file = str(self.folder / "scheduler.json")
        with distributed.Client(scheduler_file=file, set_as_default=False, timeout=120) as client:
            if workers:
                client.wait_for_workers(workers, timeout=120)
            return str(client.scheduler.address)

    def start(self, command: str, *options: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                f"distributed.cli.dask_{command}",
                "--scheduler-file",
                str(self.folder / "scheduler.json"),
                "--host",
                "127.0.0.1",
                "--no-dashboard",
                *options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / f"{command}-{len(self.processes)}.log").open("wb"),
            env=os.environ
            | {"PYTHONPATH": str(REPOSITORY), "PYTHONWARNINGS": "ignore"}
            | self.environment,
        )
        self.processes.append(process)
        return process

    def start_worker(self, *options: str, threads: str = "1") -> subprocess.Popen[bytes]:
        return self.start(
            "worker", "--nthreads", threads, "--local-directory", str(self.folder), *options
        )

    def stop(self) -> None:
        """Kill them all, but let a nanny take its worker and its semaphores along."""
        for process in reversed(self.processes):
            if "--nanny" in list(process.args):  # type: ignore[arg-type]  # started from a list
                process.terminate()
                process.wait(timeout=60)
            process.kill()
            process.wait()


def kill_a_worker(address: str) -> None:
    with distributed.Client(address, set_as_default=False) as client:
        pids = client.run(os.getpid, on_error="ignore").values()
    os.kill(max(pids), signal.SIGKILL)
