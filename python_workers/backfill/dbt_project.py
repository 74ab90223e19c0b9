"""Runs dbt in this process: parses the project once, then runs stages over a date range."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from python_workers.accounting.known_gaps import KNOWN_GAPS_FILE, read_known_gaps
from python_workers.accounting.seasons import (
    SEASONS_FILE,
    read_seasons,
    seasons_file,
    store_seasons,
)
from python_workers.backfill.dbt_environment import dbt_environment, names_in_manifest
from python_workers.backfill.project_files import PassedTests, StoredManifest, files_digest
from python_workers.backfill.project_state import project_state
from python_workers.errors import BackcourtError, ExitCode
from python_workers.runtime import injected_faults as faults
from python_workers.runtime import signals
from python_workers.runtime.tuning import collector_paused_for_imports
from python_workers.settings import Settings, resolve_project_dir
from python_workers.warehouse.base import Warehouse
from python_workers.warehouse.duckdb.file import (
    disk_full,
    in_use_error,
    is_disk_full,
    is_lock_conflict,
    lock_holder,
    plain_errors,
)

POLL_SECONDS = 0.2

# A row of the macro failing_tests.
_FAILING_TEST = re.compile(r"select '(\w+)' as test_name, ([1-9]\d*) as failures")

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

    def parse(self) -> None:
        """Read the parsed project, or parse it, unless this object has done so before."""
        if self._manifest is not None:
            return
        stored = StoredManifest(
            self._target_folder() / f"backcourt_{self._settings.target}.pickle", self.digest()
        )
        with collector_paused_for_imports():
            from dbt.cli.main import dbtRunner  # noqa: PLC0415 -- a second to import

            self._manifest = stored.read()
        if self._manifest is not None:
            return
        with dbt_environment(self._settings):
            # Parse without vars, so that dbt's partial parsing finds the project unchanged.
            parsed = dbtRunner().invoke(["parse", *self._flags()])
            self._check(parsed)
            self._manifest = parsed.result
        stored.write(self._manifest)

    def digest(self) -> str:
        """Return a digest of everything that decides the parsed project.

        These are the files that dbt reads, the versions of dbt, the target, the database's name
        and the variables that the project may read.
        """
        names = names_in_manifest(self._settings)
        return hashlib.sha256(f"{files_digest(self.directory)} {names}".encode()).hexdigest()[:32]

    def passed_tests(self) -> PassedTests:
        """Return the memory of the tests that have passed on this warehouse."""
        return PassedTests(
            self._target_folder() / "backcourt_passed_tests.json",
            str(self._settings.warehouse_file),
        )

    @property
    def known_gaps_file(self) -> Path:
        """The file of known gaps: the one of the settings, else the project's seed."""
        named = self._settings.known_gaps
        return named.expanduser().absolute() if named else self.directory / KNOWN_GAPS_FILE

    @property
    def seasons_file(self) -> Path:
        """The file of the seasons: the one of the settings, else the project's seed."""
        return seasons_file(self._settings, self.directory)

    def store_seasons(self, warehouse: Warehouse) -> None:
        """Store the seasons of `seasons_file`.

        Raises
        ------
        BackcourtError
            If a line of the file is wrong.
        """
        store_seasons(warehouse, read_seasons(self.seasons_file))

    def state(self) -> str:
        """Return digests of all that decides in the project what the models compute.

        Raises
        ------
        BackcourtError
            If the file of known gaps or seasons cannot be read, or a line of it is wrong.
        """
        read_known_gaps(self.known_gaps_file)
        read_seasons(self.seasons_file)
        files = {KNOWN_GAPS_FILE: self.known_gaps_file, SEASONS_FILE: self.seasons_file}
        return project_state(self.directory, files)

    def build(
        self,
        select: Sequence[str],
        start: date | None = None,
        end: date | None = None,
        only_dates: Sequence[date] | None = None,
        seasons: Sequence[int] | None = None,
        exclude: Sequence[str] = (),
        without_rows: Sequence[str] = (),
    ) -> list[NodeOutcome]:
        """Run the selected models over a date range, both ends included.

        Parameters
        ----------
        select, start, end, only_dates
            What to build, the range, and optionally the only dates in it to build.
        seasons
            Start years of the seasons to rebuild in the analytics tables; None rebuilds all.
        exclude, without_rows
            What to leave out of the selection, and models whose dates to leave as they are.

        Raises
        ------
        BackcourtError
            If models fail; it names them and the database's message.
        """
        left_out = ("--exclude", *exclude) if exclude else ()
        outcomes = self._invoke(
            ["run", "--select", *select, *left_out, "--cache-selected-only"],
            {
                **_range_vars(start, end, only_dates, seasons),
                "without_rows": list(without_rows),
                "notes_input_builds": True,
            },
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
        chosen = ("--select", *select, "--exclude-resource-type", "unit_test")
        variables = _range_vars(start, end, only_dates)
        if processors is not None:
            variables["processors"] = list(processors)
        outcomes = self._invoke(["test", *chosen, "--no-populate-cache"], variables)
        return _some(outcomes, "tests", select)

    def test_at_once(
        self,
        name: str,
        start: date,
        end: date,
        only_dates: Sequence[date] | None = None,
        processors: Sequence[str] | None = None,
    ) -> tuple[dict[str, int] | None, float]:
        """Run a test that runs others; return the failures of those that fail, and its duration.

        The failures are None if the test itself could not run.
        """
        (outcome,) = self.test((name,), start, end, only_dates, processors)
        if outcome.status not in ("pass", "warn"):
            return None, outcome.seconds
        (result,) = self._results
        rows = _FAILING_TEST.findall(result.node.compiled_code)
        return {test: int(failures) for test, failures in rows}, outcome.seconds

    @property
    def is_local(self) -> bool:
        """Whether the warehouse runs in this process, on the cores that dbt needs, too."""
        return self._settings.target == "duckdb"

    def severities(self, tag: str) -> dict[str, str]:
        """Return the severity, ``error`` or ``warn``, of the data tests that have a tag."""
        self.parse()
        return {
            node.name: str(node.config.severity).lower()
            for node in self._manifest.nodes.values()
            if node.resource_type == "test" and tag in node.tags
        }

    def relations(self, materialized: Collection[str]) -> list[str]:
        """Return the ``schema.table`` of every model with one of these materialisations."""
        self.parse()
        return sorted(
            self._relation(node)
            for node in self._manifest.nodes.values()
            if node.resource_type == "model" and node.config.materialized in materialized
        )

    def document(self, folder: Path) -> Path:
        """Write dbt's documentation of all models and of the warehouse's tables as one page.

        Parameters
        ----------
        folder
            A folder for dbt's files; the page is the ``static_index.html`` in it.
        """
        from dbt.cli.main import dbtRunner  # noqa: PLC0415 -- a second to import

        flags = [flag for flag in self._flags() if flag != "--no-write-json"]
        with dbt_environment(self._settings):
            try:
                result = dbtRunner().invoke(
                    ["docs", "generate", "--static", "--target-path", str(folder), *flags]
                )
            finally:
                self._release_file()
        self._check(result)
        return folder / "static_index.html"

    def compiled(self, select: Sequence[str], start: date, end: date) -> list[CompiledNode]:
        """Return the selects of models and tests over a date range, without running them."""
        chosen = ["--select", *select, "--indirect-selection", "empty"]
        self._invoke(["compile", *chosen, "--no-populate-cache"], _range_vars(start, end, None))
        return [
            CompiledNode(
                self._relation(result.node)
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

    def _relation(self, node: Any) -> str:  # noqa: ANN401 -- dbt is untyped
        return f"{node.schema.removeprefix(self._settings.bq_dataset_prefix)}.{node.alias}"

    def _invoke(self, arguments: list[str], variables: Mapping[str, Any]) -> list[NodeOutcome]:
        self.parse()
        from dbt.cli.main import dbtRunner  # noqa: PLC0415 -- parse() has imported it

        with dbt_environment(self._settings):
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

    def _target_folder(self) -> Path:
        """Return dbt's folder; raise an error that names its variables if it is not writable."""
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
        return folder

    def _release_file(self) -> None:
        """Close the connection that dbt-duckdb would keep open until the process ends."""
        if not self.is_local:
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
        if event.info.name != "LogModelResult":
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
