"""Maps values and dates to positions in a chart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from python_workers.report.svg import group, line, text

SEASON_GAP = 14.0
# Widths, in pixels, that the name of a season (2021-22) and its first year need.
SEASON_ROOM = 50.0
YEAR_ROOM = 30.0
# Smallest width of a month, in pixels, that has room for its name.
MONTH_ROOM = 26.0
DAY_ROOM = 34.0


@dataclass(frozen=True)
class Linear:
    """A straight scale.

    Parameters
    ----------
    low, high
        Values.
    start, end
        Positions of the two values.

    Examples
    --------
    >>> Linear(0, 10, 100, 0)(2.5)
    75.0
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the position of a value."""
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.0
        return self.start + share * (self.end - self.start)


def ticks(high: float, count: int = 4) -> list[float]:
    """Return about `count` round values from 0, the last one at `high` or above.

    Examples
    --------
    >>> ticks(730)
    [0.0, 200.0, 400.0, 600.0, 800.0]
    >>> ticks(0)
    [0.0, 1.0]
    """
    if high <= 0:
        return [0.0, 1.0]
    rough = high / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= rough * (1 - 1e-9))
    return [step * index for index in range(math.ceil(high / step - 1e-9) + 1)]


@dataclass(frozen=True)
class Span:
    """A season's part of an axis: its first and last day, and its left and right end."""

    name: str
    first: date
    last: date
    left: float
    right: float


class SeasonAxis:
    """An axis of dates that omits the summers.

    Parameters
    ----------
    seasons
        Dates by season, ascending.
    left, right
        Ends of the axis.
    """

    def __init__(self, seasons: Mapping[str, Sequence[date]], left: float, right: float) -> None:
        self.right = right
        days = sum((dates[-1] - dates[0]).days + 1 for dates in seasons.values())
        room = right - left - SEASON_GAP * max(len(seasons) - 1, 0)
        self.day_width = room / max(days, 1)
        self.spans: list[Span] = []
        at = left
        for name, dates in seasons.items():
            end = at + self.day_width * ((dates[-1] - dates[0]).days + 1)
            self.spans.append(Span(name, dates[0], dates[-1], at, end))
            at = end + SEASON_GAP

    def edges(self, day: date, days: int = 1) -> tuple[float, float]:
        """Return the left and right edge of a day or a week, cut to its season."""
        last = day + timedelta(days=days - 1)
        span = next((span for span in self.spans if span.last >= day), self.spans[-1])
        first, last = max(day, span.first), min(last, span.last)
        left = span.left + self.day_width * (first - span.first).days
        return left, left + self.day_width * ((last - first).days + 1)

    def frame(self, top: float, bottom: float, *, named: bool = True) -> Markup:
        """Return the base lines and the marks and names of months (or days) and seasons.

        Parameters
        ----------
        top, bottom
            Edges of the chart's area; names are below it.
        named
            Whether to write names; False for a chart above another one with the same axis.
        """
        parts = []
        names = self._names()
        for span in self.spans:
            parts.append(line(span.left, bottom, span.right, bottom, "axis"))
            for day, name in self._marks(span):
                x = span.left + self.day_width * (day - span.first).days
                parts.append(line(x, top, x, bottom + 4, "grid"))
                if named:
                    parts.append(text(name, x + 2, bottom + 12, "tick"))
            if named and (len(self.spans) > 1 or self.day_width < DAY_ROOM):
                middle = (span.left + span.right) / 2
                parts.append(text(names[span.name], middle, bottom + 26, "season", "middle"))
        return group(*parts)

    def _names(self) -> dict[str, str]:
        """Return what to write below each season: its name, the start of it, or nothing."""
        narrowest = min((span.right - span.left for span in self.spans), default=0.0) + SEASON_GAP
        if narrowest >= SEASON_ROOM:
            return {span.name: span.name for span in self.spans}
        every = max(1, math.ceil(YEAR_ROOM / narrowest))
        return {
            span.name: span.name[:4] if index % every == 0 else ""
            for index, span in enumerate(self.spans)
        }

    def _marks(self, span: Span) -> list[tuple[date, str]]:
        if self.day_width >= DAY_ROOM or (span.last - span.first).days < 10:
            every = max(1, math.ceil(DAY_ROOM / self.day_width))
            count = (span.last - span.first).days + 1
            days = [span.first + timedelta(days=index) for index in range(0, count, every)]
            return [(day, f"{day.day} {day:%b}") for day in days]
        every = max(1, math.ceil(MONTH_ROOM / (self.day_width * 30)))
        months = month_starts(span.first, span.last)
        shown = [day for index, day in enumerate(months) if index % every == 0]
        # Omit a name that would reach into the next season.
        room = [
            day
            for day in shown
            if self.day_width * ((span.last - day).days + 1) + SEASON_GAP >= MONTH_ROOM
        ]
        return [(day, f"{day:%b}") for day in room]


def month_starts(first: date, last: date) -> list[date]:
    """Return the firsts of months between two dates, both included."""
    day = first if first.day == 1 else _next_month(first)
    found = []
    while day <= last:
        found.append(day)
        day = _next_month(day)
    return found


def _next_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def value_axis(
    scale: Linear, values: Sequence[float], left: float, right: float, unit: str = ""
) -> Markup:
    """Return horizontal grid lines with their values to the left."""
    return group(
        *(line(left, scale(value), right, scale(value), "grid") for value in values),
        *(
            text(f"{value:,.10g}{unit}", left - 6, scale(value) + 3.5, "tick", "end")
            for value in values
        ),
    )
