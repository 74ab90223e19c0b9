"""The workspace of a benchmark: copies warehouses, runs commands on them, and measures them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from python_workers.bench.results import KIB_PER_GIB
from python_workers.errors import BackcourtError, ExitCode
from python_workers.settings import PROJECT_DIR_VARIABLE
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse

PACKAGE_DIR = Path(__file__).resolve().parent.parent

# A benchmark loads its own data, so never count a load as stale.
_ALWAYS_FRESH_HOURS = "1000000"
_OUTPUT_SHOWN = 30
_IN_USE = "in_use"
_SUFFIXES = (".duckdb", ".duckdb.wal")
_NO_BYTE_CODE = "PYTHONDONTWRITEBYTECODE"


@dataclass(frozen=True)
class Outcome:
    """One command, measured from outside.

    Parameters
    ----------
    seconds
        Wall time from before the interpreter starts until after it is gone.
    cpu_seconds
        CPU time of the process itself, including dbt but not its workers.
    peak_gib
        Peak memory of the process itself, without its workers.
    exit_code
        Its exit code.
    events
        Its log events.
    """

    seconds: float
    cpu_seconds: float
    peak_gib: float
    exit_code: int
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def stages(self) -> dict[str, float]:
        """Seconds of each stage, in order."""
        return {
            event["stage"]: event["seconds"]
            for event in self.events
            if event["event"] == "stage_finished"
        }

    @property
    def rows_written(self) -> int:
        """Rows inserted, updated or deleted."""
        return int(self._event("run_finished").get("rows_written", 0))

    @property
    def game_dates(self) -> int:
        """Game dates of the range."""
        return int(self._event("range_resolved").get("game_dates", 0))

    @property
    def run_id(self) -> str:
        """The run's id."""
        return str(self._event("run_finished").get("run_id", ""))

    def _event(self, name: str) -> dict[str, Any]:
        return next((event for event in self.events if event["event"] == name), {})


@dataclass(frozen=True)
class Workspace:
    """A folder of warehouses.

    Parameters
    ----------
    folder
        The folder for all written files.
    project
        The dbt project.
    jobs
        Size of the pool.
    """

    folder: Path
    project: Path
    jobs: int

    def file(self, name: str) -> Path:
        """Return the path of a warehouse."""
        return self.folder / f"{name}.duckdb"

    def copy(self, source: str, name: str) -> None:
        """Copy a warehouse to another name."""
        self.drop(name)
        shutil.copyfile(self.file(source), self.file(name))

    def drop(self, *names: str) -> None:
        """Remove warehouses."""
        for name in names:
            for suffix in _SUFFIXES:
                (self.folder / f"{name}{suffix}").unlink(missing_ok=True)

    def open(self, name: str) -> DuckDBWarehouse:
        """Open a warehouse like the commands do."""
        return DuckDBWarehouse(self.file(name))

    def run(
        self,
        name: str,
        *arguments: str,
        project: Path | None = None,
        profile: Path | None = None,
        jobs: int | None = None,
    ) -> Outcome:
        """Run a command on a warehouse in a separate process, and measure it.

        Parameters
        ----------
        name
            The warehouse.
        arguments
            The command and its options.
        project
            A dbt project other than the workspace's.
        profile
            File for a profile of the process.
        jobs
            A size of the pool other than the workspace's.

        Raises
        ------
        BackcourtError
            If the command fails; it contains the command's output.
        """
        note = self.folder / "measured.json"
        note.unlink(missing_ok=True)
        profiled = ["--profile", str(profile)] if profile else []
        logged = ["--log-format", "json"] if arguments[0] != "bench" else []
        command = [sys.executable, "-m", "python_workers.bench.measured", str(note), *profiled]
        environment = self._environment(project or self.project, jobs or self.jobs)
        with self._in_use(name):
            began = time.perf_counter()
            done = subprocess.run(  # noqa: S603 -- this interpreter, this package
                [*command, *arguments, *logged],
                env=environment,
                cwd=self.folder,
                capture_output=True,
                text=True,
                check=False,
            )
            seconds = time.perf_counter() - began
        if done.returncode not in (ExitCode.OK, ExitCode.ATTENTION) or not note.exists():
            said = (done.stderr or done.stdout).strip().splitlines()[-_OUTPUT_SHOWN:]
            raise BackcourtError(f"backcourt {' '.join(arguments)} failed", said)
        noted = json.loads(note.read_text(encoding="utf-8"))
        return Outcome(
            seconds,
            noted["cpu_seconds"],
            noted["peak_kib"] / KIB_PER_GIB,
            done.returncode,
            _events(done.stdout.splitlines()),
        )

    @contextlib.contextmanager
    def _in_use(self, name: str) -> Iterator[None]:
        """Move a warehouse to the one path that commands use, for the time of a command.

        With another path, dbt would see another profile and parse the project from scratch.
        """
        self._move(name, _IN_USE)
        try:
            yield
        finally:
            self._move(_IN_USE, name)

    def _move(self, source: str, target: str) -> None:
        for suffix in _SUFFIXES:
            path = self.folder / f"{source}{suffix}"
            if path.exists():
                path.replace(self.folder / f"{target}{suffix}")

    def _environment(self, project: Path, jobs: int) -> dict[str, str]:
        # A parsed dbt project contains its own path, so give each project its own dbt folder.
        parsed = self.folder / f"dbt-{hashlib.sha256(str(project).encode()).hexdigest()[:8]}"
        paths = [str(PACKAGE_DIR.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        left_out = ("BACKCOURT_HOOK", _NO_BYTE_CODE)
        inherited = {name: value for name, value in os.environ.items() if name not in left_out}
        if os.environ.get(_NO_BYTE_CODE):
            # Without cached byte code, compiling dbt's source would dominate a short run.
            inherited["PYTHONPYCACHEPREFIX"] = str(self.folder / "bytecode")
        return {
            **inherited,
            PROJECT_DIR_VARIABLE: str(project),
            "BACKCOURT_TARGET": "duckdb",
            "BACKCOURT_DUCKDB_PATH": str(self.file(_IN_USE)),
            "BACKCOURT_N_JOBS": str(jobs),
            "BACKCOURT_FRESH_HOURS": _ALWAYS_FRESH_HOURS,
            "DBT_TARGET_PATH": str(parsed),
            "DBT_LOG_PATH": str(parsed),
            "PYTHONPATH": os.pathsep.join(paths),
        }


@dataclass
class Memory:
    """The record of a workspace's finished warehouses, which a later run reuses.

    Parameters
    ----------
    path
        The file of the record.
    key
        Digest of the raw data and the code; if it changes, all warehouses are stale.
    made
        Names of the finished warehouses.
    """

    path: Path
    key: str
    made: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path, key: str) -> Memory:
        """Read the record of a folder, if it has this key."""
        memory = cls(folder / "made.json", key)
        with contextlib.suppress(OSError, ValueError, KeyError):
            found = json.loads(memory.path.read_text(encoding="utf-8"))
            if found["key"] == key:
                memory.made = list(found["made"])
        return memory

    def note(self, name: str) -> None:
        """Record a finished warehouse."""
        self.made = [*filter(lambda made: made != name, self.made), name]
        self.path.write_text(json.dumps({"key": self.key, "made": self.made}), encoding="utf-8")


def state_key(raw: Path, project: Path, extra: Mapping[str, object]) -> str:
    """Return a digest of everything that decides the warehouses' content: files, code, options."""
    digest = hashlib.sha256(repr(sorted(extra.items())).encode())
    for path in _files(raw, ("*",)):
        status = path.stat()
        digest.update(f"{path}:{status.st_size}:{status.st_mtime_ns}".encode())
    folders = (PACKAGE_DIR, *(project / name for name in ("models", "macros", "seeds")))
    for folder in folders:
        for path in _files(folder, ("*.py", "*.sql", "*.csv")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _files(folder: Path, patterns: Sequence[str]) -> list[Path]:
    found = (path for pattern in patterns for path in folder.rglob(pattern) if path.is_file())
    return sorted(path for path in found if "bench" not in path.relative_to(folder).parts)


def _events(lines: Sequence[str]) -> list[dict[str, Any]]:
    events = []
    for line in lines:
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and "event" in event:
                events.append(event)
    return events
