"""Which seasons' inputs are up to date with the raw tables and the dbt project."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import pyarrow as pa

from python_workers import table_names
from python_workers.accounting.schedule import Schedule, game_dates
from python_workers.processors.catalogue import PROCESSORS
from python_workers.warehouse.base import TableChange, Warehouse

_SCHEMA = pa.schema(
    [
        ("build_id", pa.string()),
        ("raw_state", pa.string()),
        ("project_state", pa.string()),
        ("start_date", pa.date32()),
        ("end_date", pa.date32()),
        ("built_at", pa.timestamp("us", tz="UTC")),
    ]
)

# Rows of each raw table as ``t``, with the season that reads them. Keys are unique.
_BY_GAME = f"inner join {table_names.GAMES} as g on t.game_id = g.game_id"
_BY_PLAYER = f"""
inner join (
    select distinct g.season, lines.player_id
    from {table_names.PLAYER_BOX_SCORES} as lines
    inner join {table_names.GAMES} as g on lines.game_id = g.game_id
) as listed on t.player_id = listed.player_id
"""  # noqa: S608 our own names
_SEASON_ROWS = {
    table_names.GAMES: f"{table_names.GAMES} as t",
    table_names.PLAYER_BOX_SCORES: f"{table_names.PLAYER_BOX_SCORES} as t {_BY_GAME}",
    table_names.SHOTS: f"{table_names.SHOTS} as t {_BY_GAME}",
    table_names.PLAYERS: f"{table_names.PLAYERS} as t {_BY_PLAYER}",
    table_names.PLAYER_REGISTRY: f"{table_names.PLAYER_REGISTRY} as t {_BY_PLAYER}",
}

RAW_TABLES = tuple(_SEASON_ROWS)

# Remainders of it sum up to an INT64.
_PRIME = 2**31 - 1

Span = tuple[date, date]
"""First and last date, both included."""


class SeasonDates(NamedTuple):
    """The dates that belong to a season.

    Parameters
    ----------
    first, last
        Its first and last game date; the first season begins with time itself.
    until
        The day before the next season's first: dates called off lie in between.
    """

    first: date
    last: date
    until: date


@dataclass(frozen=True)
class Build:
    """A row of `INPUT_BUILDS`: the inputs of some dates of a season, and their analytics tables.

    Without dates, the season's analytics tables alone.
    """

    build_id: str
    raw_state: str
    project_state: str
    span: Span | None


@dataclass(frozen=True)
class InputBuilds:
    """What the inputs should be made of, and what they were made of.

    No model reads across seasons, so each season has a state of its own.

    Parameters
    ----------
    raw_states
        What the raw tables hold of each season on the schedule.
    project_state
        What the dbt project is.
    seasons
        The dates of each season on the schedule.
    years
        The year in which each season starts, as far as the warehouse knows.
    builds
        What is noted as built.
    lacking
        Game dates whose inputs are not there, whatever is noted.
    """

    raw_states: Mapping[str, str]
    project_state: str
    seasons: Mapping[str, SeasonDates]
    years: Mapping[str, int]
    builds: tuple[Build, ...]
    lacking: frozenset[date] = frozenset()

    @classmethod
    def read(cls, warehouse: Warehouse, project_state: str) -> InputBuilds:
        """Read what is noted, and look what the raw tables hold now."""
        known = game_dates(warehouse)
        seasons = _season_dates(known)
        years: dict[str, int] = {}
        builds: list[Build] = []
        if warehouse.has_table(table_names.SEASONS):
            found = warehouse.query(f"select season, season_year from {table_names.SEASONS}")  # noqa: S608 our own names
            years = {row["season"]: row["season_year"] for row in found.to_pylist()}
        if warehouse.has_table(table_names.INPUT_BUILDS):
            noted = warehouse.query(
                "select build_id, raw_state, project_state, start_date, end_date "  # noqa: S608 our own names
                f"from {table_names.INPUT_BUILDS}"
            )
            builds = [_build_of(row) for row in noted.to_pylist()]
        lacking = lacking_inputs(warehouse, [day for day, _ in known])
        return cls(
            _raw_states(warehouse, seasons),
            project_state,
            seasons,
            years,
            tuple(builds),
            frozenset(lacking),
        )

    def stale_range(self, schedule: Schedule, *, force: bool = False) -> Span | None:
        """Return the part of a range whose inputs are to be built; None where they are current.

        With `force` that is every season that the range has a game date of.
        """
        asked = [
            span
            for season, span in self._within(schedule.start, schedule.end).items()
            if any(span[0] <= day <= span[1] for day in schedule.dates)
            and (force or not self._is_built(season, span, schedule))
        ]
        if not asked:
            return None
        return min(first for first, _ in asked), max(last for _, last in asked)

    def behind(self, days: Iterable[date]) -> dict[date, str]:
        """Return the dates whose inputs are not of the present raw tables and project, with why.

        Where nothing is noted, as after `dbt run` by hand, nothing is known here.
        """
        if not self.builds:
            return {}
        projects = {build.project_state for build in self.builds}
        why = "raw data changed" if self.project_state in projects else "dbt project changed"
        return {day: why for day in days if day not in self.lacking and not self._is_current(day)}

    def _is_current(self, day: date) -> bool:
        return any(
            first <= day <= until and self._has_build(season, (day, day))
            for season, (first, _, until) in self.seasons.items()
        )

    def stale_seasons(self, start: date, end: date) -> set[str]:
        """Return the seasons to build the analytics tables of, for inputs of a range.

        These are the range's, and those that have changed since these tables were built of them.
        """
        current = {build.raw_state for build in self.builds if self._is_of_now(build)}
        changed = {season for season, state in self.raw_states.items() if state not in current}
        return changed | self._within(start, end).keys()

    def season_years(self, seasons: Collection[str]) -> list[int] | None:
        """Return the years of seasons; None where these are all, or not known."""
        if len(seasons) == len(self.raw_states) or not self.years.keys() >= set(seasons):
            return None
        return sorted(self.years[season] for season in seasons)

    def forget(self, warehouse: Warehouse, start: date, end: date) -> None:
        """Forget the builds that are of another state, or that overlap a range to be built."""
        left = [
            build.build_id
            for build in self.builds
            if not self._is_of_now(build)
            or (build.span is not None and start <= build.span[1] and build.span[0] <= end)
        ]
        if left:
            keys = pa.table({"build_id": pa.array(left, pa.string())})
            warehouse.commit([TableChange(table_names.INPUT_BUILDS, delete_keys=keys)])

    def note(self, warehouse: Warehouse, run_id: str, start: date, end: date) -> None:
        """Note that the inputs of a range are built, and the analytics tables of all seasons."""
        spans = self._within(start, end)
        now = datetime.now(UTC)
        rows = pa.Table.from_pylist(
            [
                {
                    "build_id": f"{run_id}/{season}",
                    "raw_state": self.raw_states[season],
                    "project_state": self.project_state,
                    "start_date": spans[season][0] if season in spans else None,
                    "end_date": spans[season][1] if season in spans else None,
                    "built_at": now,
                }
                for season in self.stale_seasons(start, end)
            ],
            schema=_SCHEMA,
        )
        warehouse.commit(
            [
                TableChange(
                    table_names.INPUT_BUILDS, rows=rows, delete_keys=rows.select(["build_id"])
                )
            ]
        )

    def _within(self, start: date, end: date) -> dict[str, Span]:
        """Return what a range has of each season.

        A range with a season's last game date has the called-off dates after it, too.
        """
        cut = {
            season: (
                max(first, start),
                until if end >= last and until < date.max else min(until, end),
            )
            for season, (first, last, until) in self.seasons.items()
        }
        return {season: span for season, span in cut.items() if span[0] <= min(span[1], end)}

    def _is_of_now(self, build: Build) -> bool:
        return (
            build.raw_state in self.raw_states.values()
            and build.project_state == self.project_state
        )

    def _is_built(self, season: str, span: Span, schedule: Schedule) -> bool:
        if any(span[0] <= day <= span[1] for day in self.lacking.intersection(schedule.dates)):
            return False
        return self._has_build(season, span)

    def _has_build(self, season: str, span: Span) -> bool:
        return any(
            build.raw_state == self.raw_states[season]
            and build.project_state == self.project_state
            and build.span is not None
            and build.span[0] <= span[0]
            and build.span[1] >= span[1]
            for build in self.builds
        )


def lacking_inputs(warehouse: Warehouse, days: Sequence[date]) -> list[date]:
    """Return those of some game dates that have no input fingerprint of one processor or more."""
    if not days or not warehouse.has_table(table_names.INPUT_FINGERPRINTS):
        return list(days)
    found = warehouse.query(
        f"select analysis_date from {table_names.INPUT_FINGERPRINTS} "  # noqa: S608 our own name
        "where analysis_date between @first and @last "
        "group by analysis_date having count(*) = @processors",
        {"first": min(days), "last": max(days), "processors": len(PROCESSORS)},
    )
    built = set(found.column("analysis_date").to_pylist())
    return [day for day in days if day not in built]


def _build_of(row: Mapping[str, Any]) -> Build:
    span = None if row["start_date"] is None else (row["start_date"], row["end_date"])
    return Build(row["build_id"], row["raw_state"], row["project_state"], span)


def _season_dates(known: Sequence[tuple[date, str]]) -> dict[str, SeasonDates]:
    first_dates: dict[str, date] = {}
    last_dates: dict[str, date] = {}
    for day, season in known:
        first_dates.setdefault(season, day)
        last_dates[season] = day
    firsts = [date.min, *list(first_dates.values())[1:]]
    untils = [*(first - timedelta(days=1) for first in firsts[1:]), date.max]
    return {
        season: SeasonDates(first, last_dates[season], until)
        for season, first, until in zip(first_dates, firsts, untils, strict=True)
    }


def _raw_states(warehouse: Warehouse, seasons: Iterable[str]) -> dict[str, str]:
    """Return a digest of what the raw tables hold of each season.

    Where an engine tells for nothing that a table has changed, but not what of it, a change of any
    season is one of all.
    """
    digests = {season: hashlib.sha256(season.encode()) for season in seasons}
    if warehouse.has_free_content_state:
        state = warehouse.content_state(RAW_TABLES).encode()
        for digest in digests.values():
            digest.update(state)
    else:
        for table, relation in _SEASON_ROWS.items():
            if not warehouse.has_table(table):
                continue
            # A sum, too: DuckDB mixes the last column in by exclusive or, so that the same change
            # of it in two rows, such as two games called off, leaves bit_xor as it is.
            rows = warehouse.query(
                f"select season, count(*) as n, bit_xor({warehouse.row_hash}) as hash, "  # noqa: S608 our own names
                f"sum(mod({warehouse.row_hash}, {_PRIME})) as total from {relation} group by season"
            )
            for row in rows.to_pylist():
                if row["season"] in digests:
                    text = f"{table}:{row['n']}:{row['hash']}:{row['total']}"
                    digests[row["season"]].update(text.encode())
    return {season: digest.hexdigest()[:32] for season, digest in digests.items()}
