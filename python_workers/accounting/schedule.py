"""Finds the game dates of a command from its options."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import NamedTuple

from python_workers import table_names
from python_workers.errors import BackcourtError, ExitCode
from python_workers.processors.catalogue import PROCESSORS
from python_workers.raw.values import parse_season
from python_workers.warehouse.base import Warehouse

FIRST_DATE, LAST_DATE = date(1900, 1, 1), date(2199, 12, 31)
"""Rows of other dates are strays: no command builds them."""

LOAD_HINT = "Load raw data with: backcourt load DIR"


class SeasonDates(NamedTuple):
    """The dates that belong to a season.

    Parameters
    ----------
    first, last
        First and last game date; for the first season, `first` is the earliest possible date.
    until
        The day before the next season's first; called-off dates may lie between `last` and it.
    """

    first: date
    last: date
    until: date


@dataclass(frozen=True)
class Schedule:
    """The game dates of a command's range.

    Parameters
    ----------
    start, end
        The requested range, both ends included.
    dates
        Game dates in it, ascending.
    is_whole_range
        False if the dates are seasons with other seasons between them.
    spans
        First and last date that belongs to each requested season; empty without seasons.
    """

    start: date
    end: date
    dates: tuple[date, ...]
    is_whole_range: bool = True
    spans: tuple[tuple[date, date], ...] = ()

    @property
    def only_dates(self) -> tuple[date, ...] | None:
        """The dates to list explicitly; None if the range alone defines them."""
        return None if self.is_whole_range else self.dates

    def has(self, day: date) -> bool:
        """Tell whether a date of the range counts, also one without games."""
        return self.is_whole_range or any(first <= day <= last for first, last in self.spans)

    def with_called_off(self, computed: Iterable[date]) -> Schedule:
        """Add computed dates that are no longer game dates, such as those of a postponed game.

        They have no expected entities, so computing them again deletes their rows.

        Parameters
        ----------
        computed
            Computed dates in the range. Dates outside the requested seasons are ignored.
        """
        added = {day for day in computed if self.has(day)}
        return replace(self, dates=tuple(sorted({*self.dates, *added})))


def game_dates(warehouse: Warehouse) -> list[tuple[date, str]]:
    """Return every game date on the schedule with its season, ascending."""
    if not warehouse.has_table(table_names.GAMES):
        raise BackcourtError("there are no raw tables yet", LOAD_HINT, ExitCode.ENVIRONMENT)
    found = warehouse.query(
        f"""
        select game_date, min(season) as season
        from {table_names.GAMES}
        where status != 'postponed'
        group by game_date
        order by game_date
        """  # noqa: S608 our own names
    )
    dates = [(row["game_date"], row["season"]) for row in found.to_pylist()]
    if not dates:
        raise BackcourtError(f"{table_names.GAMES} is empty", LOAD_HINT, ExitCode.ENVIRONMENT)
    return dates


def season_dates(known: Sequence[tuple[date, str]]) -> dict[str, SeasonDates]:
    """Return the dates of each season on the schedule; every date belongs to one season."""
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


def resolve(
    warehouse: Warehouse,
    start: date | None = None,
    end: date | None = None,
    seasons: Sequence[str] = (),
    *,
    everything: bool = False,
) -> Schedule:
    """Turn the options of a command into game dates.

    Raises
    ------
    BackcourtError
        With exit code 2 if the options contradict each other or name no valid season, and 3 if the
        range has no games and no stored rows.
    """
    check_range(start, end, seasons, everything=everything)
    known = game_dates(warehouse)
    if seasons:
        return _of_seasons(warehouse, known, seasons)
    if everything:
        dates = tuple(day for day, _ in known)
        ends = [dates[0], dates[-1], *_stored_ends(warehouse, date.min, date.max)]
        return Schedule(min(ends), max(ends), dates)
    if start is None or end is None:
        raise AssertionError("checked above")
    dates = tuple(day for day, _ in known if start <= day <= end)
    if not dates and not _stored_ends(warehouse, start, end):
        raise no_games_error(known, start, end)
    return Schedule(start, end, dates)


def check_seasons(
    warehouse: Warehouse, schedule: Schedule, known: Sequence[str] | None = None
) -> None:
    """Refuse games of a season that the seasons table lacks: every model omits them.

    Parameters
    ----------
    warehouse, schedule
        The warehouse with the games, and the dates to check.
    known
        Seasons with known dates; None reads them from the warehouse.

    Raises
    ------
    BackcourtError
        With exit code 3; it names the season and the file to complete.
    """
    if known is None:
        if not warehouse.has_table(table_names.SEASONS):
            return
        found = warehouse.query(f"select season from {table_names.SEASONS}")  # noqa: S608 our own name
        known = found.column("season").to_pylist()
    seasons = warehouse.query(
        f"""
        select season, min(game_date) as first_date
        from {table_names.GAMES}
        where game_date between @start and @end
            and status != 'postponed'
        group by season
        order by season
        """,  # noqa: S608 our own names
        {"start": schedule.start, "end": schedule.end},
    ).to_pylist()
    unknown = [(row["season"], row["first_date"]) for row in seasons if row["season"] not in known]
    if unknown:
        season, first = unknown[0]
        raise BackcourtError(
            f"there are games of season {season}, from {first} on, "
            "which is not in the seasons table",
            [
                "Add a line for it to seeds/seasons.csv, or to the file in BACKCOURT_SEASONS:",
                "its first date, the end of its regular season and its last date.",
            ],
            ExitCode.ENVIRONMENT,
        )


def no_games_error(known: Sequence[tuple[date, str]], start: date, end: date) -> BackcourtError:
    """Return the error for a range without games; it says where the schedule begins and ends."""
    where = f"on {start}" if start == end else f"between {start} and {end}"
    before = [day for day, _ in known if day < start]
    after = [day for day, _ in known if day > end]
    if not before:
        fact = f"The schedule in {table_names.GAMES} begins on {known[0][0]}."
    elif not after:
        fact = f"The schedule in {table_names.GAMES} ends on {known[-1][0]}."
    else:
        fact = f"The nearest game dates are {before[-1]} and {after[0]}."
    return BackcourtError(
        f"no raw games {where}",
        [fact, "Load more raw data with: backcourt load DIR"],
        ExitCode.ENVIRONMENT,
    )


def _stored_ends(warehouse: Warehouse, first: date, last: date) -> list[date]:
    """Return the first and last date with rows or failures, stored or recorded, games or not."""
    tables = {processor.table: processor.date_column for processor in PROCESSORS}
    tables |= dict.fromkeys(
        (table_names.PRECOMPUTE_FAILURES, table_names.PROCESSED_DATES), "analysis_date"
    )
    # The record of a date that lost its games is empty once a backfill has computed it again.
    conditions = {table_names.PROCESSED_DATES: "and records + failures > 0"}
    selects = [
        f"select min({day}) as first, max({day}) as last "  # noqa: S608 our own names
        f"from {table} where {day} between @first and @last {conditions.get(table, '')}"
        for table, day in tables.items()
        if warehouse.has_table(table)
    ]
    if not selects:
        return []
    within = {"first": max(first, FIRST_DATE), "last": min(last, LAST_DATE)}
    ends = warehouse.query(" union all ".join(selects), within).to_pylist()
    found = [day for row in ends for day in row.values() if day is not None]
    return [min(found), max(found)] if found else []


def check_range(
    start: date | None = None,
    end: date | None = None,
    seasons: Sequence[str] = (),
    *,
    everything: bool = False,
) -> None:
    """Refuse options that no warehouse makes right; a command does so before it opens one.

    Raises
    ------
    BackcourtError
        With exit code 2.
    """
    ways = [bool(start or end), bool(seasons), everything]
    if sum(ways) != 1:
        raise BackcourtError(
            "which dates?" if not any(ways) else "give the dates in one way only",
            "Use --start D --end D, or --season 2021-22 (repeatable), or --all.",
            ExitCode.USAGE,
        )
    if (start is None) != (end is None):
        raise BackcourtError(
            "a range needs both ends",
            f"Add {'--end' if end is None else '--start'} YYYY-MM-DD.",
            ExitCode.USAGE,
        )
    if start is not None and end is not None and start > end:
        raise BackcourtError(
            f"--start {start} is after --end {end}", "Swap the two.", ExitCode.USAGE
        )
    for season in seasons:
        try:
            parse_season(season)
        except ValueError as error:
            raise BackcourtError(
                f"--season {season!r} {error}", "Write it as 2021-22.", ExitCode.USAGE
            ) from error


def _first_dates(warehouse: Warehouse, known: Sequence[tuple[date, str]]) -> dict[str, date]:
    """Return the first date of each season on the schedule, in order.

    The seasons table may begin a season before its first game: that of a game called off.
    """
    found: dict[str, date] = {}
    for day, season in known:
        found.setdefault(season, day)
    if warehouse.has_table(table_names.SEASONS):
        rows = warehouse.query(f"select season, first_date from {table_names.SEASONS}")  # noqa: S608 our own name
        for row in rows.to_pylist():
            if row["season"] in found:
                found[row["season"]] = min(found[row["season"]], row["first_date"])
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _of_seasons(
    warehouse: Warehouse, known: Sequence[tuple[date, str]], seasons: Sequence[str]
) -> Schedule:
    present = sorted({season for _, season in known})
    unknown = [season for season in seasons if season not in present]
    if unknown:
        raise BackcourtError(
            f"no games of season {unknown[0]} in {table_names.GAMES}",
            [f"It has {', '.join(present)}.", LOAD_HINT],
            ExitCode.ENVIRONMENT,
        )
    dates = tuple(day for day, season in known if season in seasons)
    firsts = _first_dates(warehouse, known)
    # Every date belongs to one season, so that rows on any date are of a season.
    lasts = [*(first - timedelta(days=1) for first in [*firsts.values()][1:]), date.max]
    spans = tuple(
        (date.min if season == present[0] else first, last)
        for (season, first), last in zip(firsts.items(), lasts, strict=True)
        if season in seasons
    )
    ends = [
        dates[0],
        dates[-1],
        *(day for span in spans for day in _stored_ends(warehouse, *span)),
    ]
    within = [day for day, _ in known if min(ends) <= day <= max(ends)]
    return Schedule(min(ends), max(ends), dates, len(within) == len(dates), spans)
