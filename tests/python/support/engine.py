"""The engine in process: load, backfill and read back with the functions of the commands."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import duckdb

from python_workers.accounting.commits import Commit
from python_workers.accounting.coverage import Coverage, read_coverage
from python_workers.accounting.derived_tables import read_derived
from python_workers.accounting.processed_dates import BOOKKEEPING, record_stored
from python_workers.accounting.run_records import Run
from python_workers.accounting.schedule import Schedule, resolve
from python_workers.backfill.dbt_project import DbtProject
from python_workers.backfill.outcome import BackfillOptions, BackfillResult
from python_workers.backfill.pool_stage import PoolOptions
from python_workers.backfill.run import Backfill
from python_workers.choices import Reprocess
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import BY_KEY, PROCESSORS
from python_workers.processors.failures import CATEGORIES
from python_workers.raw.load import LoadReport, load_directory
from python_workers.settings import load_settings
from python_workers.table_names import INPUT_BUILDS, PROCESSED_DATES, PROCESSOR_RUNS
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support import parsed_project

Rows = dict[tuple[dt.date, str], dict[str, Any]]
Texts = dict[tuple[dt.date, str], str]

SHORTS = tuple(BY_KEY)
IN_PROCESS = PoolOptions(n_jobs=1, backend="threading")

_FAILURE_BOOKKEEPING = ("run_id", "created_at")


class Quiet:
    """A reporter that says nothing."""

    def stage(self, name: str, detail: str) -> None: ...

    def advance(self, processor: Processor, dates: int, rows: int) -> None: ...

    def stage_done(self, name: str, seconds: float, detail: str) -> None: ...

    def committed(self, run: Run, processor: Processor, commit: Commit) -> None: ...


class Engine:
    """The warehouse file of a folder and everything that can be done with it.

    The dbt project is read once a process. It holds the name of the file, which is why that is
    always the same.
    """

    _manifest: Any = None

    def __init__(self, folder: Path) -> None:
        self.path = folder / "backcourt.duckdb"

    def copy(self, folder: Path) -> Self:
        """Return an engine on a copy of the file."""
        folder.mkdir(parents=True, exist_ok=True)
        copied = type(self)(folder)
        shutil.copyfile(self.path, copied.path)
        return copied

    def load(self, folder: Path, *tables: str) -> LoadReport:
        """Load the named tables of a folder, or all of them."""
        with DuckDBWarehouse(self.path) as warehouse:
            return load_directory(warehouse, folder, tables=tables or None)

    def project(self) -> DbtProject:
        """Return the dbt project on this file."""
        project = DbtProject(load_settings(duckdb_path=self.path))
        if Engine._manifest is None:
            parsed_project.put_into(Path(os.environ["DBT_TARGET_PATH"]))
            project.parse()
            Engine._manifest = project._manifest
        project._manifest = Engine._manifest
        return project

    def backfill(
        self,
        start: dt.date | None = None,
        end: dt.date | None = None,
        *,
        seasons: Sequence[str] = (),
        processors: Sequence[Processor] = PROCESSORS,
        reprocess: Reprocess = "missing",
        pool: PoolOptions = IN_PROCESS,
        run_tests: bool = False,
    ) -> BackfillResult:
        """Backfill a range, some seasons or all games."""
        with DuckDBWarehouse(self.path) as warehouse:
            everything = start is None and not seasons
            schedule = resolve(warehouse, start, end, seasons, everything=everything)
            options = BackfillOptions(tuple(processors), reprocess, pool, run_tests=run_tests)
            return Backfill(warehouse, self.project(), schedule, options, Quiet()).run()

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Return the rows of a statement."""
        with duckdb.connect(str(self.path)) as connection:
            found: list[dict[str, Any]] = (
                connection.execute(sql, list(parameters)).to_arrow_table().to_pylist()
            )
        return found

    def execute(self, *statements: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, short: str, *, bookkeeping: bool = False) -> Rows:
        """Return a processor's rows by (date, entity)."""
        processor = BY_KEY[short]
        found = self.query(f"select * from {processor.table}")
        return {
            (row[processor.date_column], row[processor.entity_name]): row
            if bookkeeping
            else {name: value for name, value in row.items() if name not in BOOKKEEPING}
            for row in found
        }

    def failures(self, short: str) -> Rows:
        """Return a processor's failures by (date, entity)."""
        found = self.query(
            "select * from nba_processing.precompute_failures where processor_name = ?",
            [BY_KEY[short].name],
        )
        return {
            (row["analysis_date"], row["entity_id"]): {
                name: value for name, value in row.items() if name not in _FAILURE_BOOKKEEPING
            }
            for row in found
        }

    def outcomes(self, short: str) -> dict[tuple[dt.date, str], str]:
        return outcomes(self.rows(short), self.failures(short))

    def everything(
        self, start: dt.date = dt.date(1900, 1, 1), end: dt.date = dt.date(2199, 12, 31)
    ) -> dict[str, Texts]:
        """Return every row and failure of all processors as text, for comparison byte by byte."""
        found = {}
        failures = f"select * exclude ({', '.join(_FAILURE_BOOKKEEPING)}) "
        failures += "from nba_processing.precompute_failures"
        for short, processor in BY_KEY.items():
            rows = f"select * exclude ({', '.join(BOOKKEEPING)}) from {processor.table}"
            if processor.engine == "sql":
                rows = f"select * from {processor.table}"
            of_processor = f"{failures} where processor_name = '{processor.name}'"
            for kind, sql, day, entity in (
                ("rows", rows, processor.date_column, processor.entity_name),
                ("failures", of_processor, "analysis_date", "entity_id"),
            ):
                texts = self.query(
                    f"select {day} as day, {entity} as entity, cast(t as varchar) as text "
                    f"from ({sql}) as t where {day} between ? and ?",
                    [start, end],
                )
                found[f"{short} {kind}"] = {
                    (row["day"], row["entity"]): row["text"] for row in texts
                }
                assert len(found[f"{short} {kind}"]) == len(texts), "duplicate keys"
        return found

    def record(self, processor: Processor, day: dt.date) -> None:
        """Record the present rows and failures of a date, as if a run had computed them."""
        with DuckDBWarehouse(self.path) as warehouse:
            warehouse.commit([], [record_stored(warehouse, processor, [day])])

    def record_failures_to_investigate(
        self, processor: Processor, day: dt.date, number: int
    ) -> None:
        """Record failures of a date as errors, as if its last run had ended with them."""
        of_date = f"where processor_name = '{processor.name}' and analysis_date = date '{day}'"
        self.execute(
            f"update {PROCESSED_DATES} set investigate = {number} {of_date}",
            f"update {PROCESSOR_RUNS} set status = 'investigate', "
            f"processing_error = processing_error + {number}, "
            f"expected_incomplete = expected_incomplete - {number} {of_date}",
        )

    def record_builds(self) -> None:
        """Record the present tables of dbt, as if dbt had built them."""
        with DuckDBWarehouse(self.path) as warehouse:
            derived = read_derived(warehouse)
            assert derived is not None
            for row in warehouse.query(f"select * from {INPUT_BUILDS}").to_pylist():
                season = row["build_id"].rpartition("/")[2]
                digest = derived.digest(int(season[:4]), row["start_date"], row["end_date"])
                warehouse.execute(
                    f"update {INPUT_BUILDS} set derived_state = @digest where build_id = @build",
                    {"digest": digest, "build": row["build_id"]},
                )

    def forget(self, *shorts: str) -> None:
        """Undo what some processors have computed."""
        for short in shorts:
            processor = BY_KEY[short]
            self.execute(
                f"delete from {processor.table}",
                *(
                    f"delete from nba_processing.{table} where processor_name = '{processor.name}'"
                    for table in ("precompute_failures", "processor_runs", "processed_dates")
                ),
            )

    def coverage(self, start: dt.date, end: dt.date) -> Coverage:
        with DuckDBWarehouse(self.path) as warehouse:
            return read_coverage(warehouse, Schedule(start, end, ()))


def outcomes(rows: Rows, failures: Rows) -> dict[tuple[dt.date, str], str]:
    """Return the outcome of each entity: ``row`` or the category of its failure."""
    both = rows.keys() & failures.keys()
    assert not both, f"both a row and a failure: {sorted(both)[:5]}"
    categories = {key: failure["failure_category"] for key, failure in failures.items()}
    return dict.fromkeys(rows, "row") | categories


def assert_accounted_for(engine: Engine) -> None:
    """Assert that exactly the expected entities have a row or a failure, and none has both."""
    (season,) = engine.query("select min(game_date) as a, max(game_date) as z from nba_raw.games")
    found = engine.coverage(season["a"], season["z"])
    assert found.by_date
    statuses = {row["coverage_status"] for row in found.by_date}
    assert statuses <= {"complete", "complete_with_expected_gaps", "investigate"}
    for row in found.by_date:
        failures = sum(row[category.lower()] for category in CATEGORIES)
        assert row["expected"] == row["records"] + failures, row
        for name in ("unaccounted", "duplicated", "unexpected", "unknown_category"):
            assert row[name] == 0, row


def assert_same(
    one: Mapping[str, Mapping[Any, str]], other: Mapping[str, Mapping[Any, str]]
) -> None:
    """Compare what two `Engine.everything` hold, naming the first difference of each table."""
    differences = {}
    for name in sorted({*one, *other}):
        left, right = one.get(name, {}), other.get(name, {})
        differing = [key for key in {*left, *right} if left.get(key) != right.get(key)]
        if differing:
            key = min(differing)
            differences[name] = (len(differing), key, left.get(key), right.get(key))
    assert not differences
