"""Puts together why a processor has the row or failure of an entity that it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from python_workers import table_names
from python_workers.accounting.coverage import check_backfilled
from python_workers.accounting.ledger import DateState, Ledger
from python_workers.accounting.raw_ahead import read_behind
from python_workers.accounting.schedule import Schedule, game_dates, no_games_error
from python_workers.explain.entities import Who
from python_workers.explain.games import Game, games_of_player, games_of_team
from python_workers.explain.lines import Line
from python_workers.explain.pool_row import Recomputed, explain_pool
from python_workers.explain.sql_row import explain_sql
from python_workers.hashing import HASH_FIELDS, data_hash
from python_workers.processors.base import PoolWork, Processor
from python_workers.processors.catalogue import BY_KEY
from python_workers.processors.failures import CATEGORIES, CIRCUIT_BREAKER_ACTIVE
from python_workers.warehouse.base import Warehouse

_RECORD = f"""
select
    current_records.*, runs.mode
from {table_names.PROCESSED_DATES} as current_records
left join (
    select run_id, mode from {table_names.PROCESSOR_RUNS}
    where processor_name = @processor and analysis_date = @day
) as runs
    on current_records.run_id = runs.run_id
where current_records.processor_name = @processor and current_records.analysis_date = @day
"""  # noqa: S608 our own names

_FAILURE = f"""
select * from {table_names.PRECOMPUTE_FAILURES}
where processor_name = @processor and analysis_date = @day and entity_id = @entity
"""  # noqa: S608 our own names

_EXPECTED = f"""
select entity_id from {table_names.EXPECTED_ENTITIES}
where processor_name = @processor and analysis_date = @day and entity_id = @entity
"""  # noqa: S608 our own names


@dataclass(frozen=True)
class Read:
    """An upstream row that a computation read; hash and run are None where it has none."""

    processor: str
    entity: object
    is_there: bool
    data_hash: str | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class Hash:
    """The hash of a row: as stored, of the stored values, and of the values as computed now."""

    stored: str
    recomputed: str
    computed_now: str | None


@dataclass
class Explanation:
    """Why a processor has the row or failure of an entity that it has.

    Parameters
    ----------
    processor, day, who
        Whose row it is.
    state
        State of the date, as in `backcourt plan`.
    record
        The current record of the date: run, mode, fingerprints, version; empty if it has none.
    row, failure
        The stored row or failure; both None if there is neither.
    lines
        The columns with their formulas, each after the values on the way to it.
    games
        The games of the window, most recent first.
    reads
        The upstream rows that the computation reads.
    hash
        The hash of a pool processor's row.
    problems
        What does not fit together.
    repair
        What to do, line by line.
    """

    processor: Processor
    day: date
    who: Who
    state: DateState
    record: Mapping[str, Any] = field(default_factory=dict)
    row: Mapping[str, Any] | None = None
    failure: Mapping[str, Any] | None = None
    lines: Sequence[Line] = ()
    games: Sequence[Game] = ()
    reads: Sequence[Read] = ()
    hash: Hash | None = None
    problems: list[str] = field(default_factory=list)
    repair: list[str] = field(default_factory=list)

    @property
    def needs_attention(self) -> bool:
        """Whether something does not fit, or the failure is one to investigate."""
        if self.problems:
            return True
        if self.failure is None:
            return False
        category = CATEGORIES.get(self.failure["failure_category"])
        return category is None or category.needs_attention


def explain_all(
    warehouse: Warehouse, processors: Iterable[Processor], day: date, who: Who, directory: Path
) -> list[Explanation]:
    """Explain the rows or failures of an entity on a date, processor by processor.

    Parameters
    ----------
    warehouse, day, who, directory
        As for `explain`.
    processors
        Processors that are about the kind of entity.

    Raises
    ------
    BackcourtError
        If no backfill has run on the warehouse, or if nothing is played on the date.
    """
    schedule = Schedule(day, day, (day,))
    check_backfilled(warehouse, schedule)
    ledger = Ledger.read(warehouse, day, day)
    known = game_dates(warehouse)
    if day not in ledger.computed_dates and all(day != game_day for game_day, _ in known):
        raise no_games_error(known, day, day)
    # Without a look at all raw tables and models, which takes longer than everything else.
    behind = read_behind(warehouse, schedule, [day], None, ledger).reasons
    return [
        explain(warehouse, ledger, each, day, who, directory, behind.get((each.name, day)))
        for each in processors
    ]


def explain(
    warehouse: Warehouse,
    ledger: Ledger,
    processor: Processor,
    day: date,
    who: Who,
    directory: Path,
    stale_reason: str | None = None,
) -> Explanation:
    """Explain the row or failure of an entity on a date.

    Parameters
    ----------
    warehouse
        The warehouse; it is only read.
    ledger
        The ledger of the date.
    processor, day, who
        Whose row it is.
    directory
        The folder of the dbt project, whose models a SQL processor's row is recomputed from.
    stale_reason
        Why the date is behind what it is made of; None if it is not, as far as is known.
    """
    given = {"processor": processor.name, "day": day, "entity": who.lookup}
    record = _first(warehouse, _RECORD, given) or {}
    state = ledger.state(processor, day, record.get("daily_mark") or "")
    if stale_reason and state.status in ("done", "failed"):
        state = DateState("stale", stale_reason)
    found = Explanation(
        processor,
        day,
        who,
        state,
        record,
        _first(
            warehouse,
            f"select * from {processor.table} "  # noqa: S608 our own names
            f"where {processor.date_column} = @day and {processor.entity} = @who",
            {"day": day, "who": who.entity},
        ),
        _first(warehouse, _FAILURE, given),
    )
    if found.row is None and found.failure is None:
        _explain_nothing(found, is_expected=_first(warehouse, _EXPECTED, given) is not None)
        return found
    if isinstance(processor.work, PoolWork):
        _explain_pool_row(warehouse, found)
    else:
        _explain_sql_row(warehouse, found, directory)
    found.problems += [f"{line.name}: {line.problem}" for line in found.lines if line.problem]
    found.problems += _problems_of_the_date(found.state)
    if state.status == "missing" and not record:
        found.problems.append("no run has recorded the date")
    if found.failure is not None and state.status != "stale":
        found.repair = _repair(found)
    elif found.problems:
        found.repair = [_backfill(day), "then, if it persists: backcourt verify --all"]
    return found


def _explain_nothing(found: Explanation, *, is_expected: bool) -> None:
    found.problems += _problems_of_the_date(found.state)
    if found.state.status == "missing" and not found.record:
        found.problems.append("the date has not been computed")
    elif is_expected:
        found.problems.append("expected, but neither a row nor a failure is there")
    if found.problems:
        found.repair = [_backfill(found.day)]


def _problems_of_the_date(state: DateState) -> list[str]:
    if state.status in ("stale", "missing") and state.reason:
        return [f"the date is {state.status}: {state.reason}"]
    return []


def _explain_pool_row(warehouse: Warehouse, found: Explanation) -> None:
    player = found.who.player_id
    if player is None:
        raise TypeError(f"{found.processor.key} is about players")
    params = _daily_params(found.processor, found.day, found.record)
    now = explain_pool(warehouse, found.processor, found.day, player, found.row, params)
    found.lines = now.lines
    found.games = games_of_player(warehouse, player, now.games)
    opponent = None if now.row is None else now.row.get("opponent_team_abbr")
    found.reads = _reads(warehouse, found, opponent)
    if found.row is not None:
        found.hash = Hash(
            found.row["data_hash"],
            data_hash(found.row, HASH_FIELDS[found.processor.key]),
            None if now.row is None else now.row["data_hash"],
        )
        if found.hash.stored != found.hash.recomputed:
            found.problems.append("data_hash is not the hash of the stored values")
    found.problems += _outcome_problems(found, now)


def _outcome_problems(found: Explanation, now: Recomputed) -> list[str]:
    failure = found.failure
    if failure is not None and failure["failure_category"] == CIRCUIT_BREAKER_ACTIVE.name:
        return []
    if now.row is None and now.failure is None:
        return ["the inputs do not list him any more"]
    if found.row is not None and now.failure is not None:
        return [f"computed now, it fails: {now.failure['failure_reason']}"]
    if failure is not None and now.failure is None:
        return ["a failure is stored, but computed now there is a row"]
    if failure is None or now.failure is None:
        return []
    return [
        f"{name}: stored is {failure[name]!r}, computed now {now.failure[name]!r}"
        for name in ("failure_category", "failure_reason", "missing_game_dates")
        if failure[name] != now.failure[name]
    ]


def _explain_sql_row(warehouse: Warehouse, found: Explanation, directory: Path) -> None:
    entity = found.who.entity
    row, found.lines = explain_sql(
        warehouse, found.processor, found.day, entity, found.row, directory
    )
    if (row is None) != (found.row is None):
        found.problems.append(
            "the model gives no row now" if row is None else "the model gives a row now"
        )
    if found.who.player_id is None:
        counted = None if row is None else row["games_in_sample"]
        found.games = games_of_team(warehouse, found.who.lookup, found.day, counted)
    found.reads = _reads(warehouse, found, None if row is None else row.get("opponent_team_abbr"))


def _reads(warehouse: Warehouse, found: Explanation, opponent: object) -> list[Read]:
    reads = []
    for key in found.processor.upstream:
        upstream = BY_KEY[key]
        entity = opponent if upstream.entity == "team_abbr" else found.who.entity
        if entity is None:
            continue
        row = _first(
            warehouse,
            f"select * from {upstream.table} "  # noqa: S608 our own names
            f"where {upstream.date_column} = @day and {upstream.entity} = @entity",
            {"day": found.day, "entity": entity},
        )
        known = row or {}
        reads.append(
            Read(key, entity, row is not None, known.get("data_hash"), known.get("run_id"))
        )
    return reads


def _daily_params(processor: Processor, day: date, record: Mapping[str, Any]) -> dict[str, object]:
    """Return the parameters with which daily mode has computed the date."""
    work = processor.work
    if not isinstance(work, PoolWork) or not work.checks_completeness:
        return {}
    if not str(record.get("mode") or "").startswith("daily"):
        return {}
    is_waived = str(record.get("daily_mark") or "").startswith("+waived")
    return {"waived_dates" if is_waived else "checked_dates": [day]}


def _repair(found: Explanation) -> list[str]:
    failure = found.failure or {}
    category = CATEGORIES.get(failure.get("failure_category", ""))
    if category is None or not category.needs_attention:
        return [] if category is None else [f"{category.action} ({category.meaning})"]
    games = [game.game_id for game in found.games if game.missing and game.game_id]
    if not games:
        return [category.action.partition(";")[0], _backfill(found.day)]
    return [f"backcourt load DIR, with the data of {', '.join(games)}", _backfill(found.day)]


def _backfill(day: date) -> str:
    return f"backcourt backfill --start {day} --end {day}"


def _first(
    warehouse: Warehouse, sql: str, params: Mapping[str, object]
) -> Mapping[str, Any] | None:
    rows: list[dict[str, Any]] = warehouse.query(sql, params).to_pylist()
    return rows[0] if rows else None
