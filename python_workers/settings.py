"""Settings from the environment: one typed object, which a command reads once."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from python_workers.choices import BackendName, Priority, Target
from python_workers.errors import BackcourtError, ExitCode
from python_workers.runtime.redaction import plain_address

PREFIX = "BACKCOURT_"
PROJECT_DIR_VARIABLE = f"{PREFIX}PROJECT_DIR"
DEFAULT_DUCKDB_PATH = Path("data") / "backcourt.duckdb"
# One row group of DuckDB: DuckDB writes commits of this size once, without going through its log.
# On BigQuery larger commits mean fewer load jobs.
COMMIT_ROWS = 122_880

_MEMORY_SIZE = r"^(\d+(?:\.\d+)?) ?([KMGT]i?B)$"
MemorySize = Annotated[str, StringConstraints(pattern=_MEMORY_SIZE)]
# These values become parts of SQL identifiers, so admit only what BigQuery allows in names.
ProjectId = Annotated[str, StringConstraints(pattern=r"^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,61}$")]
DatasetPrefix = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{0,64}$")]
ReservationName = Annotated[
    str, StringConstraints(pattern=r"^projects/[^/\s]+/locations/[^/\s]+/reservations/[^/\s]+$")
]
KeyName = Annotated[
    str,
    StringConstraints(
        pattern=r"^projects/[\w.:-]+/locations/[\w-]+/keyRings/[\w-]+/cryptoKeys/[\w-]+$"
    ),
]
Location = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{2,40}$")]


# Options that are not called as their setting.
_OPTIONS = {"wait_seconds": "--wait"}
_EXAMPLES = {
    "duckdb_memory_limit": "700MB",
    "bq_project": "my-project",
    "bq_location": "US",
    "bq_dataset_prefix": "staging_",
    "bq_execution_project": "my-project",
    "bq_quota_project": "my-project",
    "bq_reservation": "projects/my-project/locations/EU/reservations/nightly",
    "bq_kms_key": "projects/my-project/locations/eu/keyRings/ring/cryptoKeys/key",
}


class Settings(BaseSettings):
    """Configuration from ``BACKCOURT_*`` variables; command-line options override it.

    An empty variable counts as unset. docs/reference.md lists them all.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    target: Target = Field(
        default="duckdb", description="Warehouse, a name of `profiles/profiles.yml`."
    )
    duckdb_path: Path = Field(
        default=DEFAULT_DUCKDB_PATH,
        description="The DuckDB file. A relative path counts from the working directory, the "
        "default one from the project directory.",
    )
    duckdb_memory_limit: MemorySize = Field(
        default="700MB",
        description="Upper bound of DuckDB's own memory while dbt runs; beyond it DuckDB spills "
        "to disk beside the file. The package's own streaming statements get half of it.",
    )
    wait_seconds: float = Field(
        default=0.0,
        ge=0.0,
        le=86_400.0,
        description="How long to wait for another run to release the DuckDB file or BigQuery's "
        "datasets.",
    )
    raw_dir: Path | None = Field(
        default=None, description="Folder of raw files for commands that get none."
    )
    seasons: Path | None = Field(
        default=None,
        description="File of seasons and their days; the default is the project's "
        "`seeds/seasons.csv`.",
    )
    known_gaps: Path | None = Field(
        default=None,
        description="File of known gaps (docs/runbook.md); the default is the project's "
        "`seeds/known_source_gaps.csv`.",
    )
    report: str | None = Field(
        default=None,
        description="File or address of the report page to which `explain` and `coverage` link; "
        "the default is `report.html` beside the DuckDB file.",
    )
    bq_project: ProjectId | None = Field(default=None, description="BigQuery: project.")
    bq_location: Location = Field(default="US", description="BigQuery: location of the datasets.")
    bq_dataset_prefix: DatasetPrefix = Field(
        default="", description="BigQuery: prefix of every dataset name."
    )
    bq_endpoint: str | None = Field(default=None, description="BigQuery: address of an emulator.")
    bq_storage_endpoint: str | None = Field(
        default=None,
        description="host:port of an emulator's Storage Read service; without it, rows are read "
        "through REST.",
    )
    bq_max_bytes_billed: int = Field(
        default=200_000_000_000,
        gt=0,
        description="BigQuery: the most bytes that one statement may bill.",
    )
    bq_retry_seconds: float = Field(
        default=600.0,
        gt=0.0,
        le=86_400.0,
        description="Total time in which to repeat a BigQuery request after transient failures.",
    )
    bq_execution_project: ProjectId | None = Field(
        default=None,
        description="BigQuery: project that runs and pays for the jobs; by default that of the "
        "datasets.",
    )
    bq_quota_project: ProjectId | None = Field(
        default=None,
        description="BigQuery: project whose quota the requests use; by default that of the "
        "credentials.",
    )
    bq_reservation: ReservationName | None = Field(
        default=None, description="BigQuery: reservation whose slots the queries use."
    )
    bq_priority: Priority = Field(
        default="interactive",
        description="BigQuery: `batch` queries wait for idle slots and do not count towards the "
        "limit of concurrent queries.",
    )
    bq_kms_key: KeyName | None = Field(
        default=None,
        description="BigQuery: Cloud KMS key that encrypts new datasets and tables (CMEK).",
    )
    bq_connect_seconds: float = Field(
        default=15.0,
        gt=0.0,
        le=600.0,
        description="BigQuery: time in which a command must reach the address at all.",
    )
    bq_job_seconds: int = Field(
        default=1800,
        ge=1,
        le=21_600,
        description="BigQuery: longest run of one job, dbt's included; BigQuery ends it then.",
    )
    bq_lease_seconds: float = Field(
        default=120.0,
        ge=1.0,
        le=3_600.0,
        description="BigQuery: time after which another run may take over the datasets from a run "
        "that has died.",
    )
    bq_impersonate: str | None = Field(
        default=None, description="BigQuery: service account to impersonate."
    )
    bq_usd_per_tib: float = Field(
        default=6.25,
        ge=0.0,
        description="Price of one TiB read, in USD, for `backfill --dry-run`.",
    )
    n_jobs: int = Field(
        default=-1,
        ge=-1,
        description="Pool processes; -1 is one per core (joblib's convention).",
    )
    backend: BackendName = Field(default="loky", description="joblib backend of the pool.")
    exchange_dir: Path | None = Field(
        default=None,
        description="Folder that all machines share under the same path: workers read inputs "
        "from it and write results to it, instead of exchanging them with the parent.",
    )
    fresh_hours: float = Field(
        default=24.0,
        gt=0.0,
        description="Age in hours from which daily mode reports a raw table as stale.",
    )
    hook: str | None = Field(
        default=None,
        description="What a daily run notifies at its end: a command, an http(s) address, or - "
        "for standard output.",
    )
    record_changes_days: int = Field(
        default=730,
        ge=1,
        description="Days that an entry of the log of restated rows is kept.",
    )
    chunk_dates: int = Field(default=40, ge=1, le=1_000, description="Game dates in one pool task.")
    commit_rows: int = Field(
        default=COMMIT_ROWS,
        ge=1,
        description="Number of records from which on finished chunks are committed together; 1 "
        "commits every chunk by itself.",
    )
    hang_seconds: float = Field(
        default=600.0,
        gt=0.0,
        description="A pool task that takes longer counts as hung, and its worker process is "
        "killed.",
    )

    @field_validator("n_jobs")
    @classmethod
    def _zero_jobs_do_nothing(cls, value: int) -> int:
        if value == 0:
            raise ValueError("must be a positive number of processes, or -1 for one per core")
        return value

    @field_validator("bq_endpoint")
    @classmethod
    def _endpoint_is_an_address(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"^https?://[^/\s]+(/\S*)?$", value):
            raise ValueError("must be an address such as http://127.0.0.1:9050")
        return value

    @property
    def warehouse_file(self) -> Path:
        """Absolute path of the DuckDB file."""
        if self.duckdb_path == DEFAULT_DUCKDB_PATH:
            return resolve_project_dir() / DEFAULT_DUCKDB_PATH
        return self.duckdb_path.expanduser().absolute()

    @property
    def streaming_memory_limit(self) -> str:
        """DuckDB's bound for the package's own statements, half of ``duckdb_memory_limit``.

        Meanwhile the tables of the running chunks also need memory.
        """
        return re.sub(
            _MEMORY_SIZE,
            lambda size: f"{float(size[1]) / 2:.15g}{size[2]}",
            self.duckdb_memory_limit,
        )


def load_settings(**overrides: object) -> Settings:
    """Read the environment; report an invalid value in a plain message.

    Parameters
    ----------
    **overrides
        Values of command-line options; ``None`` keeps the environment's value.

    Raises
    ------
    BackcourtError
        With exit code 2, naming the variable and its value, or a variable that is misspelt.
    """
    _refuse_misspelt_variables()
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
        source = option if name in given else f"{PREFIX}{name.upper()}"
        if first["type"] == "string_pattern_mismatch":
            rule = f"should look like {_EXAMPLES[name]}"
        else:
            rule = re.sub(r"^(Value error, |Input |String )", "", first["msg"])
        raise BackcourtError(
            f"{source} is {plain_address(repr(first['input']))}, which is not valid",
            [f"It {rule}."],
            ExitCode.USAGE,
        ) from error


def _refuse_misspelt_variables() -> None:
    """Refuse a variable that is nearly a setting: the command would use another warehouse."""
    known = [name.upper() for name in Settings.model_fields]
    known.append(PROJECT_DIR_VARIABLE.removeprefix(PREFIX))
    for variable in sorted(os.environ):
        name = variable.removeprefix(PREFIX)
        if name == variable or name in known or not os.environ[variable]:
            continue
        meant = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
        if meant:
            raise BackcourtError(
                f"{variable} is no setting",
                f"Did you mean {PREFIX}{meant[0]}? An empty variable is an unset one.",
                ExitCode.USAGE,
            )


def resolve_project_dir() -> Path:
    """Return the folder of ``dbt_project.yml``.

    That is ``BACKCOURT_PROJECT_DIR`` if set, else the working directory if it is a Backcourt
    project, else the folder that holds this package (an editable install or a clone).

    Raises
    ------
    BackcourtError
        With exit code 3 if none of them is a Backcourt project.
    """
    named = os.environ.get(PROJECT_DIR_VARIABLE)
    if named:
        folder = Path(named).expanduser().absolute()
        if is_project_dir(folder):
            return folder
        raise BackcourtError(
            f"{PROJECT_DIR_VARIABLE} is {named!r}, which has no dbt_project.yml of Backcourt",
            "Set it to the clone's folder, or unset it and run from there.",
            ExitCode.ENVIRONMENT,
        )
    for folder in (Path.cwd(), Path(__file__).resolve().parent.parent):
        if is_project_dir(folder):
            return folder
    raise BackcourtError(
        f"no dbt_project.yml of Backcourt in {Path.cwd()}",
        f"Run from the clone's folder, or set {PROJECT_DIR_VARIABLE} to it.",
        ExitCode.ENVIRONMENT,
    )


def is_project_dir(folder: Path) -> bool:
    """Tell whether the folder has Backcourt's own ``dbt_project.yml``."""
    try:
        text = (folder / "dbt_project.yml").read_text(encoding="utf-8")
    except OSError:
        return False
    return re.search(r"^name:\s*['\"]?backcourt['\"]?\s*$", text, flags=re.MULTILINE) is not None
