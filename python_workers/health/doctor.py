"""Checks an installation from its packages to the hashes of stored rows; changes nothing."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from importlib import metadata
from typing import NamedTuple

import psutil
import yaml

import python_workers
from python_workers import table_names
from python_workers.accounting.coverage import read_coverage
from python_workers.accounting.input_builds import InputBuilds
from python_workers.accounting.ledger import Ledger
from python_workers.accounting.schedule import (
    Schedule,
    check_seasons,
    game_dates,
)
from python_workers.accounting.seasons import read_seasons, seasons_file
from python_workers.backfill.dbt_project import DbtProject
from python_workers.daily.readiness import last_loads, stale_loads
from python_workers.daily.status import past_dates
from python_workers.errors import BackcourtError, ExitCode
from python_workers.health.verify import verify
from python_workers.settings import Settings, resolve_project_dir
from python_workers.warehouse.base import Warehouse
from python_workers.warehouse.open import open_warehouse

SAMPLE_DATES = 3
_OUTSIDE = ExitCode.ENVIRONMENT

_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
_MEMORY = re.compile(r"([\d.]+) ?([KMGT]?)")
_SIZES = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


class Found(NamedTuple):
    """What a check found.

    Parameters
    ----------
    found
        What is there, in a sentence.
    mend
        What to do; empty if nothing is wrong.
    exit_code
        Exit code of a command that ends because of it.
    """

    found: str
    mend: str = ""
    exit_code: ExitCode = ExitCode.OK


@dataclass(frozen=True)
class Check:
    """The outcome of one check: what it is called, and what it found."""

    name: str
    outcome: Found

    @property
    def is_ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.outcome.exit_code == ExitCode.OK


def examine(settings: Settings) -> Iterator[Check]:
    """Run all checks; leave out those of the rows if the warehouse cannot be read.

    Parameters
    ----------
    settings
        Target, connection and limits.
    """
    for name, of_settings in _OF_SETTINGS.items():
        yield Check(name, _outcome(of_settings, settings))
    can_read = Check("warehouse", _outcome(_readable, settings))
    yield can_read
    if not can_read.is_ok:
        return
    with open_warehouse(settings, read_only=True) as warehouse:
        stored = _Stored(warehouse, settings)
        for name, of_rows in _OF_ROWS.items():
            yield Check(name, _outcome(of_rows, stored))


class _Stored:
    """What several checks of a warehouse read; each part is read once."""

    def __init__(self, warehouse: Warehouse, settings: Settings) -> None:
        self.warehouse = warehouse
        self.settings = settings

    @cached_property
    def game_dates(self) -> list[tuple[date, str]]:
        return game_dates(self.warehouse)

    @cached_property
    def builds(self) -> InputBuilds:
        return InputBuilds.read(self.warehouse, DbtProject(self.settings).state())

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger.of_stored(self.warehouse, date.min, date.max)


def _outcome(check: Callable[..., Found], *given: object) -> Found:
    """Run a check; an error that it runs into is its outcome."""
    try:
        return check(*given)
    except BackcourtError as error:
        return Found(error.message, " ".join(error.hint), ExitCode(error.exit_code))


def _versions(_settings: Settings) -> Found:
    own = f"Backcourt {python_workers.__version__}, Python {sys.version.split()[0]}"
    lock = resolve_project_dir() / "requirements.lock"
    if not lock.exists():
        return Found(f"{own}; no requirements.lock to compare with")
    pinned = (_PINNED.match(line) for line in lock.read_text(encoding="utf-8").splitlines())
    locked: dict[str, set[str]] = {}
    for line in filter(None, pinned):
        locked.setdefault(line[1], set()).add(line[2])
    installed = {package: _version(package) for package in locked}
    other = [
        f"{package} {installed[package]} (locked: {', '.join(sorted(versions))})"
        for package, versions in locked.items()
        if installed[package] is not None and installed[package] not in versions
    ]
    if other:
        return Found(f"{own}; {_some(other)}", "make setup", _OUTSIDE)
    there = sum(version is not None for version in installed.values())
    return Found(f"{own}; {there} packages as locked")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _profile(settings: Settings) -> Found:
    file = resolve_project_dir() / "profiles" / "profiles.yml"
    mend = f"restore {file} from the clone"
    try:
        outputs = yaml.safe_load(file.read_text(encoding="utf-8"))["backcourt"]["outputs"]
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        return Found(f"{file}: {error}", mend, _OUTSIDE)
    if settings.target not in outputs:
        return Found(f"it has no target {settings.target}", mend, _OUTSIDE)
    return Found(f"target {settings.target}")


def _dbt_folder(_settings: Settings) -> Found:
    folder = resolve_project_dir() / (os.environ.get("DBT_TARGET_PATH") or "target")
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if not os.access(existing, os.W_OK):
        return Found(
            f"{folder} cannot be written to",
            "name another one with DBT_TARGET_PATH, and with DBT_LOG_PATH for the logs",
            _OUTSIDE,
        )
    return Found(str(folder))


def _memory(settings: Settings) -> Found:
    size = _MEMORY.match(settings.duckdb_memory_limit)
    limit = float(size[1]) * 1000 ** _SIZES[size[2]] if size else 0.0
    free = psutil.virtual_memory().available
    found = f"{_size(free)} available"
    if settings.target != "duckdb":
        return Found(found)
    found += f", DuckDB's limit is {settings.duckdb_memory_limit}"
    if limit > free:
        return Found(found, "lower BACKCOURT_DUCKDB_MEMORY_LIMIT", _OUTSIDE)
    return Found(found)


def _credentials(settings: Settings) -> Found:
    if settings.target == "duckdb":
        return Found("DuckDB needs none")
    if settings.target == "emulator":
        return Found("the emulator needs none")
    if settings.bq_project is None:
        return Found("no BigQuery project is named", "set BACKCOURT_BQ_PROJECT", _OUTSIDE)
    import google.auth  # noqa: PLC0415 -- slow to import
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415

    try:
        credentials, _ = google.auth.default()
    except GoogleAuthError as error:
        first = str(error).split("\n", maxsplit=1)[0]
        return Found(first, "gcloud auth application-default login", _OUTSIDE)
    return Found(f"{type(credentials).__name__} for project {settings.bq_project}")


def _readable(settings: Settings) -> Found:
    if settings.target != "duckdb":
        with open_warehouse(settings, read_only=True) as warehouse:
            has_raw = warehouse.has_table(table_names.GAMES)
        datasets = f"{settings.bq_project}, datasets {settings.bq_dataset_prefix}nba_*"
        return Found(datasets) if has_raw else _empty(datasets)
    path = settings.warehouse_file
    with open_warehouse(settings, read_only=True) as warehouse:
        has_raw = warehouse.has_table(table_names.GAMES)
    size, free = path.stat().st_size, shutil.disk_usage(path.parent).free
    found = f"{path}, {_size(size)}; {_size(free)} free beside it"
    if not has_raw:
        return _empty(found)
    if free < size:
        mend = "free disk space: a run that restates everything may double the file"
        return Found(found, mend, _OUTSIDE)
    return Found(found)


def _empty(found: str) -> Found:
    return Found(f"{found}: no raw tables", "backcourt load DIR", _OUTSIDE)


def _seasons(stored: _Stored) -> Found:
    known, settings = stored.game_dates, stored.settings
    check_seasons(
        stored.warehouse,
        Schedule(known[0][0], known[-1][0], tuple(day for day, _ in known)),
        [season.season for season in read_seasons(seasons_file(settings, resolve_project_dir()))],
    )
    seasons = sorted({season for _, season in known})
    return Found(f"{', '.join(seasons)}: {len(known):,} game dates, all known")


def _raw(stored: _Stored) -> Found:
    now = datetime.now(UTC)
    loads = last_loads(stored.warehouse, now)
    last = max(loads.values()).strftime("%Y-%m-%d %H:%M UTC") if loads else "never"
    dates = [day for day, _ in stored.game_dates]
    found = f"last loaded {last}; games from {dates[0]} to {dates[-1]}"
    if dates[-1] < now.date():
        return Found(f"{found}: no game to come, so it need not be fresh")
    stale = stale_loads(stored.warehouse, stored.settings.fresh_hours)
    if stale:
        return Found(" ".join(stale), "backcourt load DIR", ExitCode.ATTENTION)
    return Found(found)


def _inputs(stored: _Stored) -> Found:
    computed = sorted(stored.ledger.computed_dates)
    if not computed:
        return Found("nothing is computed yet", "backcourt backfill --all", ExitCode.ATTENTION)
    if stored.builds.missing_tables:
        return Found(
            f"missing: {_some([*stored.builds.missing_tables])}",
            "backcourt backfill --all",
            ExitCode.ATTENTION,
        )
    behind = stored.builds.behind(computed)
    if behind:
        days = sorted(behind)
        why = ", ".join(sorted(set(behind.values())))
        return Found(
            f"{why}: {len(days):,} dates are older, {days[0]} to {days[-1]}",
            f"backcourt backfill --start {days[0]} --end {days[-1]}",
            ExitCode.ATTENTION,
        )
    return Found(f"{len(computed):,} dates are built from these raw tables and models")


def _accounting(stored: _Stored) -> Found:
    """Judge all dates up to today, as `backcourt status` does."""
    past = past_dates([day for day, _ in stored.game_dates], datetime.now(UTC).date())
    found = read_coverage(
        stored.warehouse, past, builds=stored.builds, ledger=stored.ledger, must_exist=False
    )
    if found.needs_attention:
        return Found(
            "; ".join(found.needs_attention),
            "backcourt coverage --all says what to do",
            ExitCode.ATTENTION,
        )
    return Found(f"everyone is accounted for on {len(past.dates):,} dates")


def _hashes(stored: _Stored) -> Found:
    found = verify(stored.warehouse, date.min, date.max, sample=SAMPLE_DATES, ledger=stored.ledger)
    wrong = [
        f"{verified.processor.key} {day}: {what}"
        for verified in found
        for day, what in verified.wrong_dates.items()
    ]
    wrong += [
        f"{verified.processor.key}: {verified.wrong_hashes:,} rows have another hash"
        for verified in found
        if verified.wrong_hashes
    ]
    if wrong:
        return Found(_some(wrong), "backcourt verify --all shows all", ExitCode.ATTENTION)
    rows = sum(verified.rows for verified in found)
    return Found(f"{rows:,} rows of {SAMPLE_DATES} dates of each processor recomputed")


def _some(texts: list[str], shown: int = 3) -> str:
    more = f" and {len(texts) - shown:,} more" if len(texts) > shown else ""
    return ", ".join(texts[:shown]) + more


def _size(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


_OF_SETTINGS: Mapping[str, Callable[[Settings], Found]] = {
    "versions": _versions,
    "profile": _profile,
    "dbt's folder": _dbt_folder,
    "memory": _memory,
    "credentials": _credentials,
}
_OF_ROWS: Mapping[str, Callable[[_Stored], Found]] = {
    "seasons": _seasons,
    "raw data": _raw,
    "inputs": _inputs,
    "accounting": _accounting,
    "hashes": _hashes,
}
