"""Runs dbt in this process: parses the project once, then runs stages over a date range."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from python_workers.backfill.project_state import project_state
from python_workers.errors import BackcourtError, ExitCode
from python_workers.runtime import injected_faults as faults
from python_workers.runtime import signals
from python_workers.settings import Settings, resolve_project_dir
from python_workers.warehouse.duckdb.file import (
    disk_full,
    in_use_error,
    is_disk_full,
    is_lock_conflict,
    lock_holder,
    plain_errors,
)
from python_workers.warehouse.job_labels import (
    LABELS_VARIABLE,
    RUN_VARIABLE,
    current_run,
    job_labels,
)

POLL_SECONDS = 0.2

DBT_VARIABLES = ("DBT_", "DBT_ENGINE_")
# Keep the variables for dbt's folders: a clone on a read-only mount needs them.
DBT_PATHS = ("TARGET_PATH", "LOG_PATH")

QUIET = (
    "--quiet",
    "--no-print",
    "--log-level",
    "none",
    "--log-level-file",
    "none",
    "--no-write-json",
    "--no-use-colors",
    "--no-send-anonymous-usage-stats",
    "--no-version-check",
)


@dataclass(frozen=True)
class NodeOutcome:
    """The outcome of one model or test in an invocation."""

    name: str
    status: str
    message: str
    failures: int
    seconds: float


@dataclass(frozen=True)
class CompiledNode:
    """A compiled model or test: its ``schema.table`` or name, materialisation and select."""

    name: str
    materialized: str
    date_column: str | None
    columns: tuple[str, ...]
    sql: str


class DbtProject:
    """The dbt project on one target.

    Parameters
    ----------
    settings
        Target and connection. The profile reads them from the environment, which this class sets.
    on_node
        Called after each finished node of an invocation.
    """

    def __init__(
        self, settings: Settings, on_node: Callable[[NodeOutcome], None] | None = None
    ) -> None:
        self.directory = resolve_project_dir()
        self._settings = settings
        self._on_node = on_node
        self._manifest: Any = None
        self._results: list[Any] = []
        self.nodes_run = 0

    def on_copy(self, settings: Settings) -> DbtProject:
        """Return the project on a copy of its file, parsed as this one: the names are the same."""
        self.parse()
        copy = DbtProject(settings, self._on_node)
        copy._manifest = self._manifest
        return copy

    def parse(self) -> None:
        """Parse the project, unless it is already parsed."""
        if self._manifest is not None:
            return
        from dbt.cli.main import dbtRunner  # noqa: PLC0415 -- a second to import

        self._check_target_folder()
        with self._environment():
            # Parse without vars, so that dbt's partial parsing finds the project unchanged.
            parsed = dbtRunner().invoke(["parse", *self._flags()])
            self._check(parsed)
            self._manifest = parsed.result

    def state(self) -> str:
        """Return a digest of all that decides in the project what the models compute."""
        return project_state(self.directory)

    def build(
        self,
        select: Sequence[str],
        start: date | None = None,
        end: date | None = None,
        only_dates: Sequence[date] | None = None,
        seasons: Sequence[int] | None = None,
    ) -> list[NodeOutcome]:
        """Run the selected models and seeds over a date range, both ends included.

        Parameters
        ----------
        select, start, end, only_dates
            What to build, the range, and optionally the only dates in it to build.
        seasons
            Start years of the seasons to rebuild in the analytics tables; None rebuilds all.

        Raises
        ------
        BackcourtError
            If models fail; it names them and the database's message.
        """
        outcomes = self._invoke(
            [
                "build",
                "--select",
                *select,
                "--exclude-resource-type",
                "test",
                "--exclude-resource-type",
                "unit_test",
            ],
            {**_range_vars(start, end, only_dates, seasons), "notes_input_builds": True},
        )
        failed = [outcome for outcome in outcomes if outcome.status in ("error", "fail")]
        for outcome in failed:
            if is_disk_full(outcome.message):
                raise disk_full(self._settings.warehouse_file, _first_lines(outcome.message))
        if failed:
            raise BackcourtError(
                f"dbt could not build {', '.join(outcome.name for outcome in failed)}",
                [*(_first_lines(outcome.message) for outcome in failed[:3])],
                ExitCode.ENVIRONMENT,
            )
        return _some(outcomes, "models", select)

    def test(
        self,
        select: Sequence[str],
        start: date,
        end: date,
        only_dates: Sequence[date] | None = None,
        processors: Sequence[str] | None = None,
    ) -> list[NodeOutcome]:
        """Run the selected data tests over a date range and return their outcomes.

        If `processors` is given, the tests require runs of these processors only.

        Raises
        ------
        BackcourtError
            If dbt selects no test, which would prove nothing.
        """
        variables = _range_vars(start, end, only_dates)
        if processors is not None:
            variables["processors"] = list(processors)
        outcomes = self._invoke(
            ["test", "--select", *select, "--exclude-resource-type", "unit_test"], variables
        )
        return _some(outcomes, "tests", select)

    def compiled(self, select: Sequence[str], start: date, end: date) -> list[CompiledNode]:
        """Return the selects of models and tests over a date range, without running them."""
        chosen = ["compile", "--select", *select, "--indirect-selection", "empty"]
        self._invoke(chosen, _range_vars(start, end, None))
        prefix = self._settings.bq_dataset_prefix
        return [
            CompiledNode(
                f"{result.node.schema.removeprefix(prefix)}.{result.node.alias}"
                if result.node.resource_type == "model"
                else result.node.name,
                str(result.node.config.materialized),
                result.node.config.meta.get("date_column"),
                tuple(result.node.columns),
                result.node.compiled_code or "",
            )
            for result in self._results
            if result.node.resource_type in ("model", "test")
        ]

    def _invoke(self, arguments: list[str], variables: Mapping[str, Any]) -> list[NodeOutcome]:
        from dbt.cli.main import dbtRunner  # noqa: PLC0415 -- a second to import

        self.parse()
        with self._environment():
            runner = dbtRunner(manifest=self._manifest, callbacks=[self._event])
            given = ["--vars", json.dumps(variables)] if variables else []
            deadline = time.monotonic() + self._settings.wait_seconds
            while True:
                try:
                    result = runner.invoke([*arguments, *self._flags(), *given])
                finally:
                    self._release_file()
                signals.stop_if_received()
                conflict = _lock_conflict(result)
                if conflict is None:
                    break
                if time.monotonic() >= deadline:
                    raise in_use_error(self._settings.warehouse_file, lock_holder(conflict))
                time.sleep(POLL_SECONDS)
        self._check(result)
        found: Any = result.result or []
        nodes = [result for result in found if result.node.resource_type != "operation"]
        self._results = nodes
        self.nodes_run += sum(str(result.status) != "skipped" for result in nodes)
        return [
            NodeOutcome(
                result.node.name,
                str(result.status),
                result.message or "",
                result.failures or 0,
                result.execution_time,
            )
            for result in nodes
        ]

    def _check_target_folder(self) -> None:
        """Raise an error that names dbt's path variables if its folder is not writable."""
        folder = self.directory / (os.environ.get("DBT_TARGET_PATH") or "target")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise BackcourtError(
                f"dbt cannot write to its folder {folder}: {error.strerror}",
                [
                    "Name another one with DBT_TARGET_PATH, and with DBT_LOG_PATH for its logs.",
                    "The path of the warehouse itself is BACKCOURT_DUCKDB_PATH.",
                ],
                ExitCode.ENVIRONMENT,
            ) from error

    def _release_file(self) -> None:
        """Close the connection that dbt-duckdb would keep open until the process ends."""
        if self._settings.target != "duckdb":
            return
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: PLC0415

        environment: Any = DuckDBConnectionManager._ENV  # noqa: SLF001 -- there is no public way
        if environment is not None:
            with plain_errors(self._settings.warehouse_file):
                environment.close()
        DuckDBConnectionManager.close_all_connections()

    def _check(self, result: Any) -> None:  # noqa: ANN401 -- dbt is untyped
        error: BaseException | None = result.exception
        if error is None:
            return
        if isinstance(error, KeyboardInterrupt | BackcourtError):
            raise error
        if is_disk_full(str(error)):
            raise disk_full(self._settings.warehouse_file, _first_lines(str(error))) from error
        raise BackcourtError(
            "dbt could not run", [_first_lines(str(error))], ExitCode.ENVIRONMENT
        ) from error

    def _event(self, event: Any) -> None:  # noqa: ANN401 -- dbt is untyped
        if event.info.name not in ("LogModelResult", "LogSeedResult"):
            return
        data = event.data
        faults.crash_point(f"after-dbt-{data.node_info.node_name}")
        if self._on_node is None:
            return
        self._on_node(
            NodeOutcome(data.node_info.node_name, data.status, "", 0, data.execution_time)
        )

    def _flags(self) -> list[str]:
        return [
            *QUIET,
            "--project-dir",
            str(self.directory),
            "--profiles-dir",
            str(self.directory / "profiles"),
            "--profile",
            "backcourt",
            "--target",
            self._settings.target,
        ]

    @contextlib.contextmanager
    def _environment(self) -> Iterator[None]:
        """Set the environment variables that the profile reads, for one invocation.

        Hide switches such as ``DBT_EMPTY`` or ``DBT_FULL_REFRESH`` from dbt, which would read them
        from the environment and delete rows.
        """
        path = self._settings.warehouse_file
        given = {
            "BACKCOURT_DUCKDB_PATH": str(path),
            "BACKCOURT_DUCKDB_MEMORY_LIMIT": self._settings.duckdb_memory_limit,
            "BACKCOURT_BQ_DATASET_PREFIX": self._settings.bq_dataset_prefix,
            "BACKCOURT_BQ_LOCATION": self._settings.bq_location,
            "BACKCOURT_BQ_MAX_BYTES_BILLED": str(self._settings.bq_max_bytes_billed),
            "BACKCOURT_BQ_PRIORITY": self._settings.bq_priority,
            "BACKCOURT_BQ_JOB_SECONDS": str(self._settings.bq_job_seconds),
            LABELS_VARIABLE: json.dumps(job_labels()),
            RUN_VARIABLE: current_run(),
        }
        where = (
            "bq_project",
            "bq_endpoint",
            "bq_impersonate",
            "bq_execution_project",
            "bq_quota_project",
            "bq_reservation",
            "bq_kms_key",
        )
        values = {name: getattr(self._settings, name) for name in where}
        given |= {f"BACKCOURT_{name.upper()}": text for name, text in values.items() if text}
        taken = [name for name in os.environ if _is_dbt_switch(name)]
        before = {name: os.environ.get(name) for name in [*given, *taken]}
        for name in taken:
            del os.environ[name]
        os.environ.update(given)
        if self._settings.target == "duckdb":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _is_dbt_switch(name: str) -> bool:
    paths = {prefix + path for prefix in DBT_VARIABLES for path in DBT_PATHS}
    return name.startswith(DBT_VARIABLES) and name not in paths


def _some(outcomes: list[NodeOutcome], what: str, select: Sequence[str]) -> list[NodeOutcome]:
    if not outcomes:
        raise BackcourtError(
            f"dbt found no {what} to run under {' '.join(select)}",
            "Check that the project still has all its models and tests, with their tags.",
            ExitCode.ENVIRONMENT,
        )
    return outcomes


def _lock_conflict(result: Any) -> str | None:  # noqa: ANN401 -- dbt is untyped
    """Return DuckDB's message if another process opened the file before dbt did."""
    messages = [str(result.exception or "")]
    messages += [str(getattr(node, "message", "")) for node in result.result or []]
    return next((text for text in messages if is_lock_conflict(text)), None)


def _range_vars(
    start: date | None,
    end: date | None,
    only_dates: Sequence[date] | None,
    seasons: Sequence[int] | None = None,
) -> dict[str, Any]:
    variables: dict[str, Any] = {}
    if start is not None and end is not None:
        variables = {"start_date": start.isoformat(), "end_date": end.isoformat()}
    if only_dates is not None:
        variables["only_dates"] = [day.isoformat() for day in only_dates]
    if seasons is not None:
        variables["seasons"] = list(seasons)
    return variables


def _first_lines(message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return " | ".join(lines[:4])
