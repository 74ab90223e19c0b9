"""The dates to read, and their seasons."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from python_workers.accounting.schedule import Schedule

# Up to this number of days, charts show single game dates; beyond it, weeks.
DAYS_DRAWN_SINGLY = 92


@dataclass(frozen=True)
class Scope:
    """A command's game dates with the season of every date on the schedule.

    Parameters
    ----------
    schedule
        The requested dates.
    known
        Every game date with its season, ascending.
    """

    schedule: Schedule
    known: Sequence[tuple[date, str]]

    def condition(self, column: str = "analysis_date") -> str:
        """Return the SQL condition that keeps a date column within the range.

        Examples
        --------
        >>> whole = Schedule(date(2021, 10, 19), date(2021, 10, 20), ())
        >>> Scope(whole, ()).condition("game_date")
        'game_date between @start and @end'
        """
        between = f"{column} between @start and @end"
        if self.schedule.only_dates is None:
            return between
        return f"{between} and {column} in unnest(@dates)"

    def parameters(self, **others: object) -> dict[str, object]:
        """Return the parameters of `condition`, and others beside them."""
        named: dict[str, object] = {"start": self.schedule.start, "end": self.schedule.end}
        if self.schedule.only_dates is not None:
            named["dates"] = list(self.schedule.only_dates)
        return named | others

    def season(self, day: date) -> str:
        """Return the season of a date; a date off the schedule belongs to the season before it."""
        at = bisect_right(self._days, day)
        return self.known[max(at - 1, 0)][1]

    def seasons(self, days: Iterable[date]) -> dict[str, list[date]]:
        """Return dates by season, both ascending."""
        found: dict[str, list[date]] = {}
        for day in sorted(days):
            found.setdefault(self.season(day), []).append(day)
        return found

    @cached_property
    def _days(self) -> list[date]:
        return [day for day, _ in self.known]

    @cached_property
    def period_days(self) -> int:
        """Days that a bar of a chart over time stands for: 1 or 7."""
        spans = self.seasons(self.schedule.dates).values()
        total = sum((days[-1] - days[0]).days + 1 for days in spans)
        return 1 if total <= DAYS_DRAWN_SINGLY else 7

    def period(self, day: date) -> date:
        """Return the first day of the date's bar: itself, or the Monday of its week."""
        return day if self.period_days == 1 else day - timedelta(days=day.weekday())
