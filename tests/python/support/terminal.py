"""The ``backcourt`` command as a process of its own, and what it leaves behind."""

from __future__ import annotations

import json
import os
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import psutil

from python_workers.processors.catalogue import POOL_PROCESSORS
from tests.python.support.folders import REPOSITORY

MARK = "BACKCOURT_TEST_MARK"
PATIENCE_SECONDS = 300.0

# Columns that differ between two runs with the same results: times and run ids.
_BOOKKEEPING = {
    *("run_id", "build_id", "created_at", "processed_at", "started_at", "finished_at"),
    *("built_at", "seconds", "load_id", "loaded_at"),
}
_UNCOMPARED_TABLES = {"nba_raw.loads"}
# dbt commits the rows of two processors by itself, so a crash right after that makes the rows of
# the next run unchanged ones: only the sum of the two says the same.
_CURRENT_RUNS = """
    select
        runs.* exclude (inserted, updated, unchanged, run_id, started_at, finished_at, seconds),
        inserted + updated + unchanged as present,
    from {database}.nba_processing.processor_runs as runs
    semi join {database}.nba_processing.processed_dates
        using (processor_name, analysis_date, run_id)
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return f"exit code {self.code}\n{self.out}{self.err}"

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the events of that name that ``--log-format json`` wrote."""
        # A killed command may leave half a line.
        lines = [json.loads(line) for line in self.out.splitlines() if line.endswith("}")]
        return [line for line in lines if line["event"] == name]

    def assert_says_disk_is_full(self) -> None:
        assert self.code == 3, self.text
        assert "no space left for" in self.err
        assert "run the same command again" in self.err
        assert "Traceback" not in self.text


@dataclass
class Command:
    """A command under way, the leader of a process group of its own as on a terminal.

    Every process that descends from it is told by a mark in its environment.
    """

    process: subprocess.Popen[str]
    mark: str
    trace: Path
    out_file: Path
    err_file: Path
    started_at: float

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, number: signal.Signals, *, group: bool = False) -> None:
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def wait(self) -> Ended:
        code = self.process.wait(PATIENCE_SECONDS)
        return Ended(code, self.out_file.read_text(), self.err_file.read_text())

    def points(self) -> list[str]:
        """Return the points of `faults` that it has passed."""
        return list(self.times())

    def times(self) -> dict[str, float]:
        """Return when it passed each point, in seconds since it was started."""
        if not self.trace.exists():
            return {}
        lines = [line.split() for line in self.trace.read_text().splitlines()]
        return {line[0]: float(line[1]) - self.started_at for line in lines if len(line) == 2}

    def wait_for_point(self, name: str) -> None:
        """Wait until it has passed a point, for example ``before-commit:2``."""
        self.wait_until(lambda: name in self.points())

    def wait_until(self, happened: Callable[[], bool]) -> None:
        """Wait until something has happened, which must be before the command ends."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not happened():
            assert self.process.poll() is None, self.wait().text
            assert time.monotonic() < deadline, self.out_file.read_text()
            time.sleep(0.01)

    def workers(self) -> list[psutil.Process]:
        """Return its pool processes."""
        return [each for each in _marked(self.mark) if _is_worker(each)]

    def kill_workers(self) -> None:
        """Kill its pool processes, as soon as there are any."""
        self.wait_until(lambda: bool(self.workers()))
        for worker in self.workers():
            with suppress(psutil.NoSuchProcess):
                worker.kill()

    def assert_nothing_is_left(self) -> None:
        """Wait for every process that it started to be gone."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while left := _marked(self.mark):
            assert time.monotonic() < deadline, [process.as_dict(["cmdline"]) for process in left]
            time.sleep(0.05)

    def end(self) -> None:
        """Kill all processes of the command that still run."""
        for process in _marked(self.mark):
            with suppress(psutil.Error):
                process.kill()
        self.process.wait(PATIENCE_SECONDS)


@dataclass
class Terminal:
    """The command on the warehouse file of a folder.

    Parameters
    ----------
    folder
        For the file and for dbt's output. Always the same one: dbt parses the project anew for a
        file of another name.
    environment
        Further variables.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    _started: list[Command] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "backcourt.duckdb"

    def put(self, file: Path) -> None:
        """Begin with a copy of a warehouse."""
        self.clear()
        shutil.copyfile(file, self.file)

    def clear(self) -> None:
        """End what runs and remove the file and what belongs to it."""
        for command in self._started:
            command.end()
        self._started.clear()
        for path in self.folder.glob("backcourt.duckdb*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def start(
        self,
        *arguments: str,
        faults: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
    ) -> Command:
        """Start a command; `before` is called in the new process."""

        def prepare() -> None:
            # `nohup` ahead of the tests would have it ignored.
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            if before is not None:
                before()

        mark = secrets.token_hex(8)
        trace, out_file, err_file = (
            self.folder / f"{mark}.{suffix}" for suffix in ("trace", "out", "err")
        )
        started_at = time.time()
        with out_file.open("w") as out, err_file.open("w") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "python_workers", *arguments],
                cwd=REPOSITORY,
                env={
                    **os.environ,
                    "BACKCOURT_DUCKDB_PATH": str(self.file),
                    "BACKCOURT_N_JOBS": "2",
                    "BACKCOURT_CHUNK_DATES": "12",
                    "BACKCOURT_COMMIT_ROWS": "1",
                    "BACKCOURT_FAULTS": json.dumps({"trace": str(trace), **(faults or {})}),
                    "DBT_TARGET_PATH": str(self.folder / "target"),
                    MARK: mark,
                    **self.environment,
                    **(environment or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                text=True,
                start_new_session=True,
                preexec_fn=prepare,  # noqa: PLW1509 -- no thread of a test holds a lock here
            )
        command = Command(process, mark, trace, out_file, err_file, started_at)
        self._started.append(command)
        return command

    def run(self, *arguments: str, **options: Any) -> Ended:
        """Run a command to its end."""
        return self.start(*arguments, **options).wait()

    def run_well(self, *arguments: str, **options: Any) -> Ended:
        """Run a command that must end well."""
        ended = self.run(*arguments, **options)
        assert ended.code == 0, ended.text
        return ended

    def run_until_killed(self, point: str, *arguments: str, **options: Any) -> Ended:
        """Run a command that kills itself at a point, and assert that it leaves no process."""
        command = self.start(*arguments, **options, faults={"stop_at": point})
        ended = command.wait()
        assert ended.code == -signal.SIGKILL, f"{point} was not reached\n{ended.text}"
        command.assert_nothing_is_left()
        return ended

    def run_until_disk_is_full(self, limit: int, *arguments: str) -> None:
        """Run a command that finds no room for a file beyond a size in bytes.

        A limit on the size of files stands in for the disk: the same failing writes.
        """
        command = self.start(
            *arguments, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        )
        command.wait().assert_says_disk_is_full()
        command.assert_nothing_is_left()

    def forget_outputs(self) -> None:
        """Delete what the pool computed, so that only the inputs and dbt's rows are left."""
        names = ", ".join(f"'{processor.name}'" for processor in POOL_PROCESSORS)
        for processor in POOL_PROCESSORS:
            self.query(f"delete from {processor.table}")
        for table in ("precompute_failures", "processor_runs", "processed_dates"):
            self.query(f"delete from nba_processing.{table} where processor_name in ({names})")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.file)) as connection:
            return connection.execute(sql).fetchall()

    def repeated_runs(self) -> list[tuple[Any, ...]]:
        """Return the (processor, date) pairs that have more than one run record."""
        return self.query(
            "select processor_name, analysis_date, count(*) from nba_processing.processor_runs "
            "group by all having count(*) > 1 order by all"
        )


def differences(one: Path, other: Path) -> dict[str, int]:
    """Return in how many rows two warehouses differ, by table; nothing if they are equal.

    Every table is compared row for row and column for column, run records by the current one of
    each (processor, date), leaving out what only says when and by which run something was written.
    """
    with duckdb.connect(config={"memory_limit": "600MB"}) as connection:
        connection.execute(f"attach '{one}' as one (read_only)")
        connection.execute(f"attach '{other}' as other (read_only)")
        tables = _tables(connection, "one")
        found = dict.fromkeys(tables.keys() ^ _tables(connection, "other").keys(), 1)
        for table, columns in tables.items():
            if table in found or table in _UNCOMPARED_TABLES:
                continue
            select = (
                _CURRENT_RUNS
                if table == "nba_processing.processor_runs"
                else f"select {', '.join(columns)} from {{database}}.{table}"
            )
            left, right = (select.format(database=database) for database in ("one", "other"))
            row = connection.execute(
                f"select count(*) from (({left} except all {right}) "
                f"union all ({right} except all {left}))"
            ).fetchone()
            if row and row[0]:
                found[table] = row[0]
    return found


def _tables(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for schema, table, column in connection.execute(
        "select columns.schema_name, columns.table_name, columns.column_name "
        "from duckdb_columns() as columns "
        "inner join duckdb_tables() as tables using (table_oid, database_name) "
        "where database_name = $database order by all",
        {"database": database},
    ).fetchall():
        columns = found.setdefault(f"{schema}.{table}", [])
        if column not in _BOOKKEEPING:
            columns.append(f'"{column}"')
    return found


def _marked(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _is_worker(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return "popen_loky" in " ".join(process.cmdline())
    return False
