"""Finds stale dates: those built before the current raw tables or project files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from python_workers import table_names
from python_workers.accounting.input_builds import InputBuilds
from python_workers.accounting.ledger import Ledger
from python_workers.accounting.processed_dates import BUILT_BY_HAND, Stored
from python_workers.accounting.schedule import Schedule
from python_workers.processors.catalogue import BY_KEY, PROCESSORS
from python_workers.raw.schema import CHANGED_GAMES
from python_workers.warehouse.base import Warehouse

RAW_CHANGED = "raw data changed"


_STALE = f"""
select processor_name, analysis_date, stale_reason
from {table_names.STALE_DATES}
where analysis_date between @start and @end
"""  # noqa: S608 our own name

# In the seasons of the given dates, the games that have changed since the earliest build.
_GAMES = f"""
select
    game_id, max(season) as season, max(coalesce(game_date, former_game_date)) as game_date,
    max(load_id) as load_id
from {CHANGED_GAMES.name}
where game_id is not null
    and season in (
        select season from {table_names.GAMES} where game_date in unnest(@days)
    )
    and coalesce(game_date, former_game_date) <= @end
    and coalesce(change_number, 0) > (
        select min(coalesce(last_raw_change, 0))
        from {table_names.INPUT_FINGERPRINTS}
        where analysis_date between @start and @end
            and analysis_date in unnest(@days)
    )
group by game_id
order by game_date, game_id
"""  # noqa: S608 our own names

Reasons = dict[tuple[str, date], str]
"""The reason why a (processor name, date) is stale."""


@dataclass(frozen=True)
class Behind:
    """Stale dates and their causes.

    Parameters
    ----------
    reasons
        The reason by processor name and date.
    games
        ``game_id``, ``game_date``, ``season`` and ``load_id`` of the games that `backcourt load`
        has changed since.
    """

    reasons: Mapping[tuple[str, date], str]
    games: Sequence[Mapping[str, Any]] = ()


def read_behind(
    warehouse: Warehouse,
    schedule: Schedule,
    days: Sequence[date],
    builds: InputBuilds | None,
    ledger: Ledger,
) -> Behind:
    """Find the stale dates and the reasons.

    The view finds changed inputs, upstream rows and loads. This function adds new versions of the
    calculation, rows and failures that differ from their record, raw rows that were changed
    without a load, and changed files of the dbt project.

    Parameters
    ----------
    warehouse, schedule
        The warehouse and the range.
    days
        The computed dates.
    builds
        The recorded builds of the inputs; None if the inputs are known to be up to date.
    ledger
        The records and stored rows of the range.
    """
    ends = {"start": schedule.start, "end": schedule.end}
    reasons: Reasons = {}
    if builds is not None:
        reasons = {
            (processor.name, day): why
            for day, why in builds.behind(days).items()
            for processor in PROCESSORS
        }
    if warehouse.has_table(table_names.STALE_DATES):
        for row in warehouse.query(_STALE, ends).to_pylist():
            reasons[row["processor_name"], row["analysis_date"]] = row["stale_reason"]
    for (key, day), record in ledger.current.items():
        processor = BY_KEY[key]
        was = record.calculation_version
        if was != processor.calculation_version:
            why = f"version changed: {was} to {processor.calculation_version}"
            reasons[processor.name, day] = why
        elif not record.is_verified and builds is not None and not builds.is_of_a_run_by_hand:
            reasons[processor.name, day] = BUILT_BY_HAND
        elif record.is_verified or not processor.upstream:
            lost = ledger.stored.get((key, day), Stored()).difference(record)
            if lost:
                reasons[processor.name, day] = lost
    asked = set(days)
    reasons = {key: why for key, why in reasons.items() if key[1] in asked}
    changed = sorted({day for (_, day), why in reasons.items() if why == RAW_CHANGED})
    games = _games(warehouse, schedule, changed)
    loads = {row["season"]: row["load_id"] for row in games}
    if len(set(loads.values())) == 1:
        (load,) = set(loads.values())
        told = f"{RAW_CHANGED} (load {load[:8]})"
        reasons = {key: told if why == RAW_CHANGED else why for key, why in reasons.items()}
    return Behind(reasons, games)


def _games(
    warehouse: Warehouse, schedule: Schedule, days: Sequence[date]
) -> list[Mapping[str, Any]]:
    if not days or not warehouse.has_table(CHANGED_GAMES.name):
        return []
    if all(
        column.name != "last_raw_change"
        for column in warehouse.columns(table_names.INPUT_FINGERPRINTS)
    ):
        return []  # an older version, which did not record it, built the table
    found: list[Mapping[str, Any]] = warehouse.query(
        _GAMES, {"start": schedule.start, "end": schedule.end, "days": list(days)}
    ).to_pylist()
    return found
