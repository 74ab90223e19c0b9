"""Coverage: reconciles the expected entities of each processor and date with rows and failures.

It also has the rule for exit codes: a command ends with 1 if its range needs attention.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from python_workers import table_names
from python_workers.accounting.input_builds import InputBuilds
from python_workers.accounting.ledger import Ledger
from python_workers.accounting.raw_ahead import read_behind
from python_workers.accounting.schedule import Schedule
from python_workers.accounting.stray_rows import REPAIR, Stray, find_strays
from python_workers.errors import BackcourtError, ExitCode
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import BY_NAME, PROCESSORS
from python_workers.processors.failures import CATEGORIES, NEEDS_ATTENTION, UNKNOWN_CATEGORY
from python_workers.raw.findings import Finding, count_findings
from python_workers.warehouse.base import Warehouse
from python_workers.warehouse.missing_tables import missing_table_error
from python_workers.wording import counted

COUNTS = (
    "expected",
    "records",
    *(category.column for category in CATEGORIES.values()),
    UNKNOWN_CATEGORY,
    "unaccounted",
    "duplicated",
    "unexpected",
)

# Failures that need attention.
INVESTIGATE = (
    *(category.column for category in CATEGORIES.values() if category.needs_attention),
    UNKNOWN_CATEGORY,
)

# All counts that need attention.
ATTENTION = (*INVESTIGATE, "unaccounted", "duplicated", "unexpected")

# Statuses of dates that are due; they need attention, too.
ATTENTION_STATUSES = {
    "not_run": "not run",
    "incomplete": "incomplete",
    "stale": "stale",
}
SHOWN_GAMES = 10

_COVERAGE = f"""
select processor_name, analysis_date, coverage_status, {", ".join(COUNTS)}
from {table_names.BACKFILL_COVERAGE}
where analysis_date between @start and @end
order by analysis_date, processor_name
"""  # noqa: S608 our own names

_UNMATCHED = f"""
select game_id, player_id, mismatch, reason, noted_on
from {table_names.UNMATCHED_KNOWN_GAPS}
where game_date is null or game_date between @start and @end
order by game_id, player_id
"""  # noqa: S608 our own names

# A missing game fails the same player on many dates: show one line for all of them.
_TO_INVESTIGATE = f"""
select
    processor_name, entity_id, player_id, failure_category, missing_game_dates,
    min(failure_reason) as failure_reason, min(analysis_date) as first_date,
    max(analysis_date) as last_date, count(*) as dates
from {table_names.PRECOMPUTE_FAILURES}
where analysis_date between @start and @end
    and {NEEDS_ATTENTION}
    and {{condition}}
group by processor_name, entity_id, player_id, failure_category, missing_game_dates
order by first_date, processor_name, entity_id, missing_game_dates
"""  # noqa: S608 our own names


@dataclass(frozen=True)
class Coverage:
    """Coverage of a date range.

    Parameters
    ----------
    start, end
        The range.
    by_date
        One mapping per processor and date: ``processor_name``, ``analysis_date``,
        ``coverage_status``, ``stale_reason`` and `COUNTS`.
    raw_errors
        Wrong raw rows of the range, which somebody must correct. The models omit them, so they add
        no expected entities. dbt's tests read the same view.
    changed_games
        ``game_id``, ``game_date``, ``season`` and ``load_id`` of the games whose changes the
        features do not contain yet.
    unmatched_gaps
        Lines of ``known_source_gaps`` in the range that stand for no gap (any more), as in
        ``unmatched_known_gaps``. They need no attention: they hide nothing.
    missing_tables
        Tables and views of the project that are not there; the next backfill makes them again.
    strays
        Rows of no date or processor. They are of every range, since they are of none.
    """

    start: date
    end: date
    by_date: Sequence[Mapping[str, Any]]
    raw_errors: Sequence[Finding] = ()
    changed_games: Sequence[Mapping[str, Any]] = ()
    unmatched_gaps: Sequence[Mapping[str, Any]] = ()
    missing_tables: Sequence[str] = ()
    strays: Sequence[Stray] = ()

    def totals(self) -> dict[Processor, dict[str, int]]:
        """Sum the counts by processor, with the numbers of dates and of dates not run."""
        sums: dict[Processor, dict[str, int]] = {}
        for row in self.by_date:
            processor = BY_NAME[row["processor_name"]]
            total = sums.setdefault(
                processor, {"dates": 0, "not_run": 0, **dict.fromkeys(COUNTS, 0)}
            )
            total["dates"] += 1
            total["not_run"] += row["coverage_status"] == "not_run"
            for name in COUNTS:
                total[name] += row[name]
        return {processor: sums[processor] for processor in PROCESSORS if processor in sums}

    @property
    def to_investigate(self) -> int:
        """Number of failures that need attention."""
        return sum(row[name] for row in self.by_date for name in INVESTIGATE)

    @property
    def needs_attention(self) -> list[str]:
        """Descriptions of everything that needs attention; empty if nothing does."""
        found = []
        if self.to_investigate:
            found.append(f"{counted(self.to_investigate, 'failure')} to investigate")
        for name in ("unaccounted", "duplicated", "unexpected"):
            count = sum(row[name] for row in self.by_date if row["coverage_status"] != "not_run")
            if count:
                found.append(f"{count:,} {'entity' if count == 1 else 'entities'} {name}")
        for status, words in ATTENTION_STATUSES.items():
            count = sum(row["coverage_status"] == status for row in self.by_date)
            if count:
                found.append(f"{counted(count, 'processor-date')} {words}")
        errors = sum(error.found for error in self.raw_errors)
        if errors:
            found.append(f"{counted(errors, 'raw row')} to correct")
        if self.missing_tables:
            found.append(f"{counted(len(self.missing_tables), 'table')} missing")
        if self.strays:
            found.append(counted(sum(stray.rows for stray in self.strays), "stray row"))
        return found

    @property
    def unmatched_lines(self) -> list[str]:
        """Lines about known gaps that are none (any more)."""
        lines = []
        for gap in self.unmatched_gaps[:SHOWN_GAMES]:
            who = "" if gap["player_id"] is None else f" player {gap['player_id']}"
            why = "no such game" if gap["mismatch"] == "unknown_game" else "its data is there"
            lines.append(f"known gap to take out: game {gap['game_id']}{who}: {why}")
        if len(self.unmatched_gaps) > SHOWN_GAMES:
            lines.append(f"  … and {len(self.unmatched_gaps) - SHOWN_GAMES:,} more known gaps")
        return lines

    @property
    def repair_lines(self) -> list[str]:
        """Lines about all that is to be repaired, each with the command that repairs it."""
        lines = [*self._stale_lines]
        days = [
            row["analysis_date"]
            for row in self.by_date
            if row["coverage_status"] in ("not_run", "incomplete") and not row["stale_reason"]
        ]
        if days:
            lines.append(
                f"not run or incomplete: {counted(len(set(days)), 'date')}, {min(days)} to "
                f"{max(days)}; run: {backfill_of(min(days), max(days))}"
            )
        reasons = {row["stale_reason"] for row in self.by_date if row["stale_reason"]}
        if len(reasons) + bool(days) > 1:
            days += [row["analysis_date"] for row in self.by_date if row["stale_reason"]]
            lines.append(f"all of these dates at once: {backfill_of(min(days), max(days))}")
        if self.missing_tables:
            lines.append(
                f"missing tables and views: {', '.join(self.missing_tables)}; "
                f"run: {backfill_of(self.start, self.end)}"
            )
        if self.strays:
            told = ", ".join(map(str, self.strays))
            lines.append(f"stray rows: {told}; run: {REPAIR}")
        return lines

    @property
    def _stale_lines(self) -> list[str]:
        """Lines about stale dates, by reason, and about the changed games that cause them."""
        days: dict[str, set[date]] = {}
        for row in self.by_date:
            if row["stale_reason"]:
                days.setdefault(row["stale_reason"], set()).add(row["analysis_date"])
        lines = [
            f"stale: {why}: {counted(len(of_reason), 'game date')}, "
            f"{min(of_reason)} to {max(of_reason)}; "
            f"run: {backfill_of(min(of_reason), max(of_reason))}"
            for why, of_reason in days.items()
        ]
        lines += [
            f"  changed since: game {game['game_id']} of {game['game_date']} "
            f"(load {game['load_id'][:8]})"
            for game in self.changed_games[:SHOWN_GAMES]
        ]
        if len(self.changed_games) > SHOWN_GAMES:
            last = self.changed_games[-1]["game_date"]
            more = len(self.changed_games) - SHOWN_GAMES
            lines.append(f"  … and {counted(more, 'more game')}, the last of {last}")
        return lines


def backfill_of(start: date, end: date) -> str:
    """Return the backfill of a range as a command."""
    return f"backcourt backfill --start {start} --end {end}"


def exit_code(found: Coverage, failed_tests: Sequence[object] = ()) -> ExitCode:
    """Return the exit code of a finished command; all commands share this rule.

    Parameters
    ----------
    found
        Coverage of the command's range and processors at the end of the command.
    failed_tests
        Failed dbt tests of the command.
    """
    return ExitCode.ATTENTION if found.needs_attention or failed_tests else ExitCode.OK


def check_backfilled(warehouse: Warehouse, schedule: Schedule, *, must_exist: bool = True) -> None:
    """Raise a `BackcourtError` if a warehouse lacks the view that reconciles its outputs.

    Either no backfill has run on it, which is an error if `must_exist`, or somebody has dropped
    the view.
    """
    if warehouse.has_table(table_names.BACKFILL_COVERAGE):
        return
    if warehouse.has_table(table_names.PROCESSED_DATES):
        (recorded,) = warehouse.query(
            f"select count(*) as dates from {table_names.PROCESSED_DATES}"  # noqa: S608 our own name
        ).to_pylist()
        if recorded["dates"]:
            raise missing_table_error(table_names.BACKFILL_COVERAGE, "the warehouse")
    if must_exist:
        raise no_backfill_error(schedule)


def no_backfill_error(schedule: Schedule) -> BackcourtError:
    """Return the error for a warehouse without a backfill; it names the one of the range."""
    return BackcourtError(
        "no backfill has run on this warehouse: it has no features and no coverage yet",
        f"Run: {backfill_of(schedule.start, schedule.end)}",
        ExitCode.ENVIRONMENT,
    )


def read_coverage(
    warehouse: Warehouse,
    schedule: Schedule,
    processors: Sequence[Processor] = PROCESSORS,
    project_state: str | None = None,
    *,
    builds: InputBuilds | None = None,
    ledger: Ledger | None = None,
    must_exist: bool = True,
) -> Coverage:
    """Reconcile the dates of a schedule from the current tables.

    In a whole range, dates that are no game dates (any more) but have rows count, too. A game date
    that the models do not know yet, such as after a load, counts as not run.

    Parameters
    ----------
    warehouse, schedule, processors
        What to reconcile.
    project_state
        State of the dbt project, to find inputs that are older than the raw tables or the project's
        files. None if the inputs are known to be up to date.
    builds
        The recorded builds of the inputs, if the command has read them; else they are read.
    ledger
        The records and stored rows of the range, likewise.
    must_exist
        Whether a warehouse without any build is an error; else all its dates count as not run.

    Raises
    ------
    BackcourtError
        If nothing has been built yet, or a table has other columns than the project declares.
    """
    if ledger is None:
        ledger = Ledger.of_stored(warehouse, schedule.start, schedule.end)
    has_view = warehouse.has_table(table_names.BACKFILL_COVERAGE)
    if must_exist or not has_view:
        check_backfilled(warehouse, schedule, must_exist=must_exist)
    names = {processor.name for processor in processors}
    ends = {"start": schedule.start, "end": schedule.end}
    rows = [
        row
        for row in (warehouse.query(_COVERAGE, ends).to_pylist() if has_view else ())
        if row["processor_name"] in names and schedule.has(row["analysis_date"])
    ]
    known = {(row["processor_name"], row["analysis_date"]) for row in rows}
    rows += [
        {
            "processor_name": name,
            "analysis_date": day,
            "coverage_status": "not_run",
            "stale_reason": None,
            **dict.fromkeys(COUNTS, 0),
        }
        for day in schedule.dates
        for name in sorted(names)
        if (name, day) not in known
    ]
    rows.sort(key=lambda row: (row["analysis_date"], row["processor_name"]))
    computed = sorted({row["analysis_date"] for row in rows if row["coverage_status"] != "not_run"})
    if builds is None and project_state is not None:
        builds = InputBuilds.read(warehouse, project_state, of=(schedule.start, schedule.end))
    behind = read_behind(warehouse, schedule, computed, builds, ledger)
    for row in rows:
        why = behind.reasons.get((row["processor_name"], row["analysis_date"]))
        row["stale_reason"] = None if row["coverage_status"] == "not_run" else why
        if row["stale_reason"] and row["coverage_status"] != "incomplete":
            row["coverage_status"] = "stale"
    unmatched = (
        warehouse.query(_UNMATCHED, ends).to_pylist()
        if warehouse.has_table(table_names.UNMATCHED_KNOWN_GAPS)
        else ()
    )
    return Coverage(
        schedule.start,
        schedule.end,
        rows,
        _raw_errors(warehouse, schedule),
        behind.games,
        unmatched,
        () if builds is None else builds.missing_tables,
        find_strays(warehouse),
    )


def _raw_errors(warehouse: Warehouse, schedule: Schedule) -> list[Finding]:
    condition, params = "game_date between @start and @end", {}
    if schedule.only_dates is not None:
        condition += " and game_date in unnest(@days)"
        params = {"days": list(schedule.only_dates)}
    return count_findings(
        warehouse,
        # A row of an unknown game has no date.
        f"is_error and ({condition} or game_date is null)",
        {"start": schedule.start, "end": schedule.end, **params},
    )


def failures_to_investigate(
    warehouse: Warehouse, schedule: Schedule, processors: Sequence[Processor] = PROCESSORS
) -> list[dict[str, Any]]:
    """Return the failures that need attention, grouped by cause.

    Returns
    -------
    list
        Per processor, entity, category and missing games: a reason, the first and last date, and
        the number of dates; the earliest first.
    """
    names = {processor.name for processor in processors}
    only = schedule.only_dates
    condition, given = "true", {}
    if only is not None:
        condition, given = "analysis_date in unnest(@days)", {"days": list(only)}
    rows = warehouse.query(
        _TO_INVESTIGATE.format(condition=condition),
        {"start": schedule.start, "end": schedule.end, **given},
    ).to_pylist()
    return [row for row in rows if row["processor_name"] in names]
