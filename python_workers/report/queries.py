"""Reads all data of the report before the page is rendered, with SQL for both engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from python_workers import table_names
from python_workers.accounting.coverage import Coverage, read_coverage
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import BY_NAME, PROCESSORS
from python_workers.processors.failures import NEEDS_ATTENTION
from python_workers.processors.shot_zones import SHOT_ZONES
from python_workers.processors.team_defense import TEAM_DEFENSE
from python_workers.raw.findings import (
    CONTRADICTIONS,
    Finding,
    count_findings,
    list_findings,
)
from python_workers.reading.outputs import OUTPUTS
from python_workers.reading.scope import Scope
from python_workers.report.causes import Cause, read_causes
from python_workers.report.changes import Changes, read_changes
from python_workers.report.entities import read_entities
from python_workers.report.rows import RangeRows, Row
from python_workers.simulation.league import FIRST_PLAYER_ID
from python_workers.warehouse.base import Column, Warehouse

# Largest number of entries to investigate that the page shows; it counts the rest.
SHOWN_INVESTIGATIONS = 500

_INVESTIGATIONS = f"""
select
    failures.processor_name, failures.entity_id, registry.player_name, failures.failure_category,
    failures.failure_reason, count(*) as dates, min(failures.analysis_date) as first_date,
    max(failures.analysis_date) as last_date, count(*) over () as entries
from {table_names.PRECOMPUTE_FAILURES} as failures
left join {table_names.PLAYER_REGISTRY} as registry
    on failures.player_id = registry.player_id
where {{failures.analysis_date}}
    and {NEEDS_ATTENTION}
group by
    failures.processor_name, failures.entity_id, registry.player_name, failures.failure_category,
    failures.failure_reason
order by dates desc, first_date, failures.processor_name, failures.entity_id
limit @limit
"""  # noqa: S608 our own names

_RUNS = f"""
select
    processor_name, run_id, mode, count(*) as dates, sum(seconds) as seconds,
    sum(records) as records, sum(inserted) as inserted, sum(updated) as updated,
    sum(unchanged) as unchanged, sum(deleted) as deleted, min(started_at) as started_at,
    max(finished_at) as finished_at
from {table_names.PROCESSOR_RUNS}
where {{analysis_date}}
group by processor_name, run_id, mode
order by finished_at desc, processor_name
"""  # noqa: S608 our own names

_CURRENT_RUNS = f"""
select
    runs.processor_name, count(*) as dates, sum(runs.seconds) as seconds,
    sum(runs.records) as records
from (
    select processor_name, analysis_date, run_id
    from {table_names.PROCESSED_DATES}
    where {{analysis_date}}
) as processed
inner join {table_names.PROCESSOR_RUNS} as runs
    on processed.processor_name = runs.processor_name
    and processed.analysis_date = runs.analysis_date
    and processed.run_id = runs.run_id
where {{runs.analysis_date}}
group by runs.processor_name
"""  # noqa: S608 our own names

_COMMITS = f"""
select
    processor_name, finished_at, count(*) as dates, sum(seconds) as seconds,
    sum(records) as records
from {table_names.PROCESSOR_RUNS}
where {{analysis_date}}
    and run_id = @run_id
group by processor_name, finished_at
order by finished_at, processor_name
"""  # noqa: S608 our own names

_ZONE_ATTEMPTS = f"""
select
    game_date, sum(paint_attempts) as paint, sum(mid_range_attempts) as mid_range,
    sum(three_attempts_pbp) as three
from {table_names.PLAYER_GAME_SUMMARY}
where {{game_date}}
    and paint_attempts is not null
group by game_date
order by game_date
"""  # noqa: S608 our own names

_PLAYERS = f"""
select
    zones.analysis_date, zones.player_lookup, registry.player_name, zones.player_position,
    zones.primary_scoring_zone, zones.total_shots_last_10, zones.paint_rate_last_10,
    zones.mid_range_rate_last_10, zones.three_pt_rate_last_10
from {SHOT_ZONES.table} as zones
left join {table_names.PLAYER_REGISTRY} as registry
    on zones.player_id = registry.player_id
where {{zones.analysis_date}}
    and zones.analysis_date in unnest(@days)
order by zones.analysis_date, zones.total_shots_last_10 desc, zones.player_lookup
"""  # noqa: S608 our own names

_TEAMS = f"""
select
    team_abbr, games_in_sample, defensive_rating_last_15, strongest_zone, weakest_zone,
    paint_defense_vs_league_avg, mid_range_defense_vs_league_avg, three_pt_defense_vs_league_avg
from {TEAM_DEFENSE.table}
where analysis_date = @day
order by defensive_rating_last_15, team_abbr
"""  # noqa: S608 our own names

_SIMULATED = f"""
select count(*) as players
from {table_names.PLAYERS}
where player_id >= @first_simulated
"""  # noqa: S608 our own names


@dataclass(frozen=True)
class Run:
    """A run with the dates of the range that it committed.

    Parameters
    ----------
    run_id, mode
        As in ``processor_runs``.
    by_processor
        Sums of the run for each processor, in order.
    """

    run_id: str
    mode: str
    by_processor: Mapping[Processor, Row]

    @property
    def dates(self) -> int:
        """Number of committed processor-dates."""
        return sum(row["dates"] for row in self.by_processor.values())

    @property
    def started_at(self) -> datetime:
        """Time of the start."""
        starts: list[datetime] = [row["started_at"] for row in self.by_processor.values()]
        return min(starts)

    @property
    def finished_at(self) -> datetime:
        """Time of the last commit."""
        ends: list[datetime] = [row["finished_at"] for row in self.by_processor.values()]
        return max(ends)


@dataclass(frozen=True)
class ReportData:
    """Everything on the page.

    Parameters
    ----------
    scope
        Dates of the report.
    coverage
        Reconciliation of each processor and date.
    investigations, investigation_entries
        Up to `SHOWN_INVESTIGATIONS` failures to investigate by player and reason, those on most
        dates first; and the number of all.
    runs
        Every run that committed a date of the range, the last run first.
    last_runs
        Sums for each processor over the last run of every date.
    largest_run, commits
        The run that committed the most dates (the latest of several), and its commits.
    zone_attempts
        League attempts by zone for each game date.
    players
        Shot zones of every player with a row, by the last date of each season.
    teams, teams_day
        Team defence on the last date that has it.
    columns
        Columns of each output table that exists.
    raw_findings, raw_lines
        Counts of what is wrong or missing in the raw tables; and up to `SHOWN_INVESTIGATIONS`
        single findings that make a line or more unusable.
    causes
        Games and players that block rows, most rows first.
    entities
        Players and teams, as `read_entities` returns them.
    changes
        What the last run restated.
    engine
        Kind of the warehouse.
    is_simulated
        Whether any player comes from ``backcourt simulate``.
    """

    scope: Scope
    coverage: Coverage
    investigations: Sequence[Row]
    investigation_entries: int
    runs: Sequence[Run]
    last_runs: Mapping[Processor, Row]
    largest_run: Run | None
    commits: Sequence[Row]
    zone_attempts: Sequence[Row]
    players: Mapping[date, Sequence[Row]]
    teams: Sequence[Row]
    teams_day: date | None
    columns: Mapping[str, Sequence[Column]]
    raw_findings: Sequence[Finding]
    raw_lines: Sequence[Row]
    causes: Sequence[Cause]
    entities: Mapping[str, Any]
    changes: Changes | None
    engine: str
    is_simulated: bool


def read_report(warehouse: Warehouse, scope: Scope, project_state: str | None = None) -> ReportData:
    """Read everything that the page shows.

    Raises
    ------
    BackcourtError
        With exit code 3 if nothing has been built yet.
    """
    schedule = scope.schedule
    coverage = read_coverage(warehouse, schedule, project_state=project_state)
    if schedule.only_dates is not None:
        wanted = set(schedule.only_dates)
        rows = [row for row in coverage.by_date if row["analysis_date"] in wanted]
        coverage = replace(coverage, by_date=rows)
    reader = RangeRows(warehouse, scope)
    investigations = reader.rows(_INVESTIGATIONS, limit=SHOWN_INVESTIGATIONS)
    runs = _runs(reader.rows(_RUNS))
    largest = max(runs, key=lambda run: (run.dates, run.finished_at), default=None)
    teams_day = max(_days_with_rows(coverage, TEAM_DEFENSE), default=None)
    # Unknown games and players have no date.
    about = f"({scope.condition('game_date')}) or game_date is null"
    return ReportData(
        scope=scope,
        coverage=coverage,
        investigations=investigations,
        investigation_entries=investigations[0]["entries"] if investigations else 0,
        runs=runs,
        last_runs={
            BY_NAME[row["processor_name"]]: row
            for row in reader.rows(_CURRENT_RUNS, needs=table_names.PROCESSED_DATES)
            if row["processor_name"] in BY_NAME
        },
        largest_run=largest,
        commits=reader.rows(_COMMITS, run_id=largest.run_id) if largest else [],
        zone_attempts=reader.rows(_ZONE_ATTEMPTS, needs=table_names.PLAYER_GAME_SUMMARY),
        players=_players(reader, coverage),
        teams=reader.rows(_TEAMS, day=teams_day) if teams_day else [],
        teams_day=teams_day,
        columns={
            output.table: warehouse.columns(output.table)
            for output in OUTPUTS.values()
            if warehouse.has_table(output.table)
        },
        raw_findings=count_findings(warehouse, about, scope.parameters()),
        raw_lines=list_findings(
            warehouse,
            f"({about}) and (is_error or finding in unnest(@contradictions))",
            scope.parameters(contradictions=list(CONTRADICTIONS)),
        )[:SHOWN_INVESTIGATIONS],
        causes=read_causes(warehouse, schedule),
        entities=read_entities(reader),
        changes=read_changes(reader, runs[0].run_id) if runs else None,
        engine=warehouse.kind,
        is_simulated=reader.rows(_SIMULATED, first_simulated=FIRST_PLAYER_ID)[0]["players"] > 0,
    )


def _runs(rows: Sequence[Row]) -> list[Run]:
    found: dict[tuple[str, str], dict[Processor, Row]] = {}
    for row in rows:
        processor = BY_NAME.get(row["processor_name"])
        if processor is not None:
            found.setdefault((row["run_id"], row["mode"]), {})[processor] = row
    runs = [
        Run(
            run_id,
            mode,
            {
                processor: by_processor[processor]
                for processor in PROCESSORS
                if processor in by_processor
            },
        )
        for (run_id, mode), by_processor in found.items()
    ]
    return sorted(runs, key=lambda run: (run.finished_at, run.run_id), reverse=True)


def _players(reader: RangeRows, coverage: Coverage) -> dict[date, list[Row]]:
    seasons = reader.scope.seasons(_days_with_rows(coverage, SHOT_ZONES))
    days = [season_days[-1] for season_days in seasons.values()]
    found: dict[date, list[Row]] = {}
    if days:
        for row in reader.rows(_PLAYERS, days=days):
            found.setdefault(row["analysis_date"], []).append(row)
    return found


def _days_with_rows(coverage: Coverage, processor: Processor) -> list[date]:
    return [
        row["analysis_date"]
        for row in coverage.by_date
        if row["processor_name"] == processor.name and row["records"]
    ]
