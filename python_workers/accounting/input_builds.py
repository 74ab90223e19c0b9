"""Finds the seasons whose inputs are up to date with the raw tables and the dbt project."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from python_workers import table_names
from python_workers.accounting.derived_tables import DerivedRows, Scope, read_derived
from python_workers.accounting.project_parts import (
    is_same_project,
    missing_models,
    views_state,
    what_changed,
)
from python_workers.accounting.raw_states import (
    RawDates,
    dates_from_text,
    dates_to_text,
    read_last_raw_change,
    read_raw_dates,
    read_raw_states,
)
from python_workers.accounting.schedule import (
    Schedule,
    SeasonDates,
    game_dates,
    season_dates,
)
from python_workers.processors.catalogue import PROCESSORS
from python_workers.warehouse.base import TableChange, Warehouse

_KEY = table_names.RECORD_KEYS[table_names.INPUT_BUILDS]
_SCHEMA = pa.schema(
    [
        ("build_id", pa.string()),
        ("raw_state", pa.string()),
        ("raw_dates", pa.string()),
        ("last_raw_change", pa.int64()),
        ("behind_from", pa.date32()),
        ("project_state", pa.string()),
        ("derived_state", pa.string()),
        ("views_state", pa.string()),
        ("start_date", pa.date32()),
        ("end_date", pa.date32()),
        ("built_at", pa.timestamp("us", tz="UTC")),
    ]
)

BY_HAND = "dbt run"
"""Key of the record that macros/forget_input_builds.sql leaves after a run of dbt by hand."""

NOT_RECORDED = "no build of the inputs is recorded"
DERIVED_CHANGED = "tables or views that dbt built have changed since"

Span = tuple[date, date]
"""First and last date, both included."""


@dataclass(frozen=True)
class Build:
    """A row of `INPUT_BUILDS`: the inputs of some dates of a season, and their analytics tables.

    A build without dates covers only the season's analytics tables. It is intact unless something
    else has changed what it built. After the load of number `last_raw_change`, raw rows differed
    from those that the build has read from the date `behind_from` on.
    """

    build_id: str
    raw_state: str
    project_state: str
    span: Span | None
    is_intact: bool = True
    raw_dates: RawDates | None = None
    last_raw_change: int = 0
    behind_from: date | None = None

    @property
    def season(self) -> str:
        """The season of the dates."""
        return self.build_id.rpartition("/")[2]


@dataclass(frozen=True)
class InputBuilds:
    """The current state of the raw tables and the project, and the states of recorded builds.

    No model reads across seasons, so each season has its own state.

    Parameters
    ----------
    raw_states
        Digest of the raw tables' rows for each season on the schedule.
    project_state
        State of the dbt project.
    seasons
        The dates of each season on the schedule.
    years
        The year in which each season starts, if the warehouse knows it.
    builds
        The recorded builds.
    lacking
        Game dates without inputs, whatever is recorded.
    raw_dates
        What the raw states are digests of, where the engine reads the rows.
    last_raw_change
        Number of the last load that changed a raw table.
    missing_tables
        Tables and views that the project makes and that are not there, though it has been built.
    """

    raw_states: Mapping[str, str]
    project_state: str
    seasons: Mapping[str, SeasonDates]
    years: Mapping[str, int]
    builds: tuple[Build, ...]
    lacking: frozenset[date] = frozenset()
    raw_dates: Mapping[str, RawDates] = field(default_factory=dict)
    last_raw_change: int = 0
    missing_tables: tuple[str, ...] = ()

    @classmethod
    def read(
        cls,
        warehouse: Warehouse,
        project_state: str,
        *,
        checks_derived: bool = True,
        of: Span | None = None,
    ) -> InputBuilds:
        """Read the recorded builds and the current state of the raw tables.

        `checks_derived` compares the tables that dbt built with their record. Omit it if this
        process has compared them, and holds the warehouse since. `of` limits the comparison to the
        seasons of a range and those whose raw rows have changed; the builds of other seasons then
        count as intact.
        """
        known = game_dates(warehouse)
        seasons = season_dates(known)
        years = _season_years(warehouse)
        raw_dates = read_raw_dates(warehouse, seasons)
        raw_states = read_raw_states(warehouse, seasons, raw_dates)
        builds: list[Build] = []
        if warehouse.has_table(table_names.INPUT_BUILDS):
            noted = warehouse.query(
                f"select * from {table_names.INPUT_BUILDS}"  # noqa: S608 our own names
            ).to_pylist()
            compared = set(seasons)
            if of is not None:
                built = {row["raw_state"] for row in noted}
                changed = {season for season, state in raw_states.items() if state not in built}
                compared = _overlapping(seasons, *of) | changed
            derived = (
                read_derived(warehouse, _scope(compared, seasons, years))
                if noted and checks_derived
                else None
            )
            others = seasons.keys() - compared
            views = views_state(warehouse) if noted else None
            builds = [
                _build_of(row, None if _season_of(row) in others else derived, views, years)
                for row in noted
            ]
        lacking = lacking_inputs(warehouse, [day for day, _ in known])
        return cls(
            raw_states,
            project_state,
            seasons,
            years,
            tuple(builds),
            frozenset(lacking),
            raw_dates,
            read_last_raw_change(warehouse),
            missing_models(warehouse) if builds else (),
        )

    @property
    def is_of_a_run_by_hand(self) -> bool:
        """Whether a run of dbt by hand has built inputs since: its user knows what he has built."""
        return any(build.build_id == BY_HAND for build in self.builds)

    @property
    def has_views_of_project(self) -> bool:
        """Whether a recorded build is of the current project, and nobody has changed its views."""
        return any(self._is_of_project(build) for build in self.builds) and all(
            build.is_intact for build in self.builds
        )

    def stale_range(self, schedule: Schedule, *, force: bool = False) -> Span | None:
        """Return the part of a range whose inputs must be built; None if all are up to date.

        It begins with the first date whose inputs are not. With `force`, or if a table or view is
        missing, it is every season with a game date in the range.
        """
        force = force or bool(self.missing_tables)
        asked: list[Span] = []
        for season, span in self._within(schedule.start, schedule.end).items():
            if any(span[0] <= day <= span[1] for day in schedule.dates):
                first = span[0] if force else self._first_stale(season, span, schedule)
                if first is not None:
                    asked.append((first, span[1]))
        if not asked:
            return None
        return min(first for first, _ in asked), max(last for _, last in asked)

    def behind(self, days: Iterable[date]) -> dict[date, str]:
        """Return the dates whose inputs are older than the raw tables or the project, with reasons.

        A changed raw row puts the dates behind that may read it: its own, and those after it in its
        season. After `dbt run` by hand, return nothing.
        """
        if self.is_of_a_run_by_hand:
            return {}
        found = {day: self._why_behind(day) for day in days if day not in self.lacking}
        return {day: why for day, why in found.items() if why}

    def _why_behind(self, day: date) -> str:
        seasons = [
            season for season, (first, _, until) in self.seasons.items() if first <= day <= until
        ]
        if any(self._has_build(season, (day, day)) for season in seasons):
            return ""
        covering = [
            build for build in self.builds if build.span and build.span[0] <= day <= build.span[1]
        ]
        if not covering:
            return NOT_RECORDED
        of_project = [build for build in covering if self._is_of_project(build)]
        if not of_project:
            return what_changed(covering[-1].project_state, self.project_state)
        if any(self._is_of_raw(build, season, day) for build in of_project for season in seasons):
            return DERIVED_CHANGED
        return "raw data changed"

    def stale_seasons(self, start: date, end: date) -> set[str]:
        """Return the seasons whose analytics tables must be built before the inputs of a range.

        These are the seasons of the range, and those that have changed since their last build.
        """
        current = {build.raw_state for build in self.builds if self._is_of_now(build)}
        changed = {season for season, state in self.raw_states.items() if state not in current}
        return changed | self._within(start, end).keys()

    def season_years(self, seasons: Collection[str]) -> list[int] | None:
        """Return the start years of seasons; None if these are all, or a year is unknown."""
        if len(seasons) == len(self.raw_states) or not self.years.keys() >= set(seasons):
            return None
        return sorted(self.years[season] for season in seasons)

    def forget(self, warehouse: Warehouse, start: date, end: date) -> None:
        """Delete the records of builds of another state, and of those that overlap the range."""
        left = [
            build.build_id
            for build in self.builds
            if not self._is_of_now(build)
            or (build.span is not None and start <= build.span[1] and build.span[0] <= end)
        ]
        if left:
            keys = pa.table({"build_id": pa.array(left, pa.string())})
            warehouse.commit([TableChange(table_names.INPUT_BUILDS, _KEY, delete_keys=keys)])

    def note(self, warehouse: Warehouse, run_id: str, start: date, end: date) -> None:
        """Record that the inputs of a range and the analytics tables of all seasons are built.

        Record the builds anew that `forget` has deleted, for their other dates that no changed raw
        row concerns.
        """
        within, stale = self._within(start, end), self.stale_seasons(start, end)
        spans = [(f"{run_id}/{season}", season, within.get(season)) for season in stale]
        for build in self.builds:
            spans += [
                (f"{run_id}/{kept[0]}/{build.season}", build.season, kept)
                for kept in self._kept(build, start, end)
            ]
        # The first build has made the table of the seasons.
        years = _season_years(warehouse)
        derived = read_derived(warehouse, _scope(stale, self.seasons, years))
        views = views_state(warehouse)
        now = datetime.now(UTC)
        rows = pa.Table.from_pylist(
            [
                {
                    "build_id": build_id,
                    "raw_state": self.raw_states[season],
                    "raw_dates": dates_to_text(self.raw_dates.get(season)),
                    "last_raw_change": self.last_raw_change,
                    "behind_from": None,
                    "project_state": self.project_state,
                    "derived_state": derived
                    and derived.digest(years.get(season), *(span or (None, None))),
                    "views_state": views,
                    "start_date": span[0] if span else None,
                    "end_date": span[1] if span else None,
                    "built_at": now,
                }
                for build_id, season, span in spans
            ],
            schema=_SCHEMA,
        )
        warehouse.commit([TableChange(table_names.INPUT_BUILDS, _KEY, rows)])
        self.confirm(warehouse)

    def confirm(self, warehouse: Warehouse) -> None:
        """Record which dates of the builds the loads since have left as they are.

        A load may have taken back an earlier one, and the view `stale_dates` reads no rows.
        """
        for build in self.builds:
            if build.span is None or build.season not in self.raw_states:
                continue
            day = self._first_change(build)
            known = build.last_raw_change, build.behind_from
            if day == date.min or known == (self.last_raw_change, day):
                continue
            behind = "null" if day is None else f"date '{day}'"
            warehouse.execute(
                f"update {table_names.INPUT_BUILDS} "  # noqa: S608 our own name
                f"set last_raw_change = @change, behind_from = {behind} where build_id = @build",
                {"change": self.last_raw_change, "build": build.build_id},
            )

    def _kept(self, build: Build, start: date, end: date) -> list[Span]:
        """Return the dates of a build outside a range that are of the current raw tables."""
        if (
            build.span is None
            or build.season not in self.raw_states
            or not build.is_intact
            or not self._is_of_project(build)
        ):
            return []
        first, last = build.span
        is_apart = last < start or end < first
        if is_apart and build.raw_state == self.raw_states[build.season]:
            return []  # its record stands
        change = self._first_change(build)
        if change is not None:
            last = min(last, change - timedelta(days=1)) if change > first else date.min
        day = timedelta(days=1)
        parts = [(first, last)] if is_apart else []
        if not is_apart and start > first:
            parts.append((first, start - day))
        if not is_apart and end < last:
            parts.append((end + day, last))
        return [(one, min(other, last)) for one, other in parts if one <= min(other, last)]

    def _within(self, start: date, end: date) -> dict[str, Span]:
        """Return the part of a range that belongs to each season.

        If a range contains a season's last game date, it also contains the called-off dates after.
        """
        cut = {
            season: (
                max(first, start),
                until if end >= last and until < date.max else min(until, end),
            )
            for season, (first, last, until) in self.seasons.items()
        }
        return {season: span for season, span in cut.items() if span[0] <= min(span[1], end)}

    def _is_of_project(self, build: Build) -> bool:
        return is_same_project(build.project_state, self.project_state)

    def _is_of_now(self, build: Build) -> bool:
        return (
            build.is_intact
            and build.raw_state in self.raw_states.values()
            and self._is_of_project(build)
        )

    def _first_stale(self, season: str, span: Span, schedule: Schedule) -> date | None:
        """Return the first date of a span of a season that needs inputs; None if none does."""
        stale = [day for day in schedule.dates if day in self.lacking and day >= span[0]]
        first = span[0]
        for built, until in sorted(self._current_spans(season)):
            if built <= first <= until < span[1]:
                first = until + timedelta(days=1)
        if not self._has_build(season, (first, span[1])):
            stale.append(first)
        return min((day for day in stale if day <= span[1]), default=None)

    def _has_build(self, season: str, span: Span) -> bool:
        return any(
            first <= span[0] and span[1] <= last for first, last in self._current_spans(season)
        )

    def _current_spans(self, season: str) -> Iterator[Span]:
        """Yield the dates of each build whose inputs are of the current raw rows of a season."""
        for build in self.builds:
            if build.span is None or not build.is_intact or not self._is_of_project(build):
                continue
            first, last = build.span
            if build.raw_state != self.raw_states[season]:
                change = self._first_change(build) if build.season == season else None
                if change is None or change <= first:
                    continue
                last = min(last, change - timedelta(days=1))
            yield first, last

    def _is_of_raw(self, build: Build, season: str, last: date) -> bool:
        """Tell whether a build has read the current raw rows of a season up to a date."""
        if build.raw_state == self.raw_states[season]:
            return True
        change = self._first_change(build) if build.season == season else date.min
        return change is None or change > last

    def _first_change(self, build: Build) -> date | None:
        """Return the first date whose raw rows differ from those that a build has read."""
        if build.raw_state == self.raw_states[build.season]:
            return None
        if build.raw_dates is None:
            return date.min
        was, now = build.raw_dates, self.raw_dates.get(build.season, {})
        changed = (day for day in was.keys() | now.keys() if was.get(day) != now.get(day))
        return min(changed, default=date.min)


def lacking_inputs(warehouse: Warehouse, days: Sequence[date]) -> list[date]:
    """Return the game dates that lack the input fingerprint of at least one processor."""
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


def _build_of(
    row: Mapping[str, Any],
    derived: DerivedRows | None,
    views: str | None,
    years: Mapping[str, int],
) -> Build:
    span = None if row["start_date"] is None else (row["start_date"], row["end_date"])
    year = years.get(_season_of(row))
    has_its_tables = derived is None or row.get("derived_state") == derived.digest(
        year, *(span or (None, None))
    )
    is_intact = has_its_tables and row.get("views_state") == views
    return Build(
        row["build_id"],
        row["raw_state"],
        row["project_state"],
        span,
        is_intact,
        dates_from_text(row.get("raw_dates")),
        row.get("last_raw_change") or 0,
        row.get("behind_from"),
    )


def _season_of(row: Mapping[str, Any]) -> str:
    """Return the season of a recorded build; the record of a run by hand has none."""
    return str(row["build_id"]).rpartition("/")[2]


def _overlapping(seasons: Mapping[str, SeasonDates], start: date, end: date) -> set[str]:
    """Return the seasons that a range touches, called-off dates after them included."""
    return {season for season, of in seasons.items() if of.first <= end and start <= of.until}


def _scope(
    chosen: Collection[str], seasons: Mapping[str, SeasonDates], years: Mapping[str, int]
) -> Scope | None:
    """Return what contains the rows of some seasons; None, for all, if a year is unknown."""
    if not chosen or len(chosen) == len(seasons) or not years.keys() >= set(chosen):
        return None
    return Scope(
        {years[season] for season in chosen},
        min(seasons[season].first for season in chosen),
        max(seasons[season].until for season in chosen),
    )


def _season_years(warehouse: Warehouse) -> dict[str, int]:
    if not warehouse.has_table(table_names.SEASONS):
        return {}
    found = warehouse.query(f"select season, season_year from {table_names.SEASONS}")  # noqa: S608 our own names
    return {row["season"]: row["season_year"] for row in found.to_pylist()}
