"""Draws the coverage calendar and the charts of rows by date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from python_workers.accounting.coverage import Coverage
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import PROCESSORS
from python_workers.reading.scope import Scope
from python_workers.report.rows import Row
from python_workers.report.scales import Linear, SeasonAxis, month_starts, ticks, value_axis
from python_workers.report.svg import bar, element, group, image, text
from python_workers.report.totals import counts_in_words

PITCH = 9.0
CELL = 7.6
CALENDAR_LEFT = 12.0
CALENDAR_TOP = 12.0
# Smallest width of a season's calendar, in weeks, so that short seasons keep their scale.
FEWEST_WEEKS = 27

STATUSES = {
    "complete": "everyone expected has a row",
    "complete_with_expected_gaps": "rows, and gaps that the data explain",
    "investigate": "everyone is accounted for, but some failures need attention",
    "stale": "its inputs, or the raw data behind them, have changed since",
    "incomplete": "someone is unaccounted for, or there is no record of the run",
    "not_run": "not computed yet",
}

WIDTH = 1180.0
PANEL_LEFT = 44.0
PANEL_TOP = 8.0
PANEL_HEIGHT = 62.0
NAMES_HEIGHT = 30.0


@dataclass(frozen=True)
class Calendar:
    """A processor's calendar of a season, with the number of dates of each status."""

    processor: Processor
    chart: Markup
    statuses: dict[str, int]


def calendars(coverage: Coverage, scope: Scope) -> dict[str, list[Calendar]]:
    """Return the calendars by season, with the processors in order."""
    of_processor: dict[str, dict[date, Row]] = {}
    for row in coverage.by_date:
        of_processor.setdefault(row["processor_name"], {})[row["analysis_date"]] = row
    seasons = scope.seasons({row["analysis_date"] for row in coverage.by_date})
    return {
        season: [
            _calendar(processor, season, days, of_processor[processor.name])
            for processor in PROCESSORS
            if processor.name in of_processor
        ]
        for season, days in seasons.items()
    }


def _calendar(
    processor: Processor, season: str, days: Sequence[date], rows: dict[date, Row]
) -> Calendar:
    monday = days[0] - timedelta(days=days[0].weekday())
    weeks = max((days[-1] - monday).days // 7 + 1, FEWEST_WEEKS)

    def x(day: date) -> float:
        return CALENDAR_LEFT + PITCH * ((day - monday).days // 7)

    cells = []
    counted = dict.fromkeys(STATUSES, 0)
    for day in days:
        row = rows.get(day)
        if row is None:
            continue
        status = row["coverage_status"]
        counted[status] += 1
        y = CALENDAR_TOP + PITCH * day.weekday()
        tip = f"{day:%a} {day}: {status.replace('_', ' ')}\n{counts_in_words(row)}"
        cells.append(bar(x(day), y, CELL, CELL, f"cell s-{status}", tip))
    months = [text(f"{day:%b}", x(day), 8, "tick") for day in month_starts(monday, days[-1])]
    weekdays = [
        text(name, 0, CALENDAR_TOP + PITCH * weekday + 6.6, "tick")
        for weekday, name in ((0, "M"), (2, "W"), (4, "F"), (6, "S"))
    ]
    return Calendar(
        processor,
        image(
            CALENDAR_LEFT + PITCH * weeks,
            CALENDAR_TOP + PITCH * 7,
            f"{processor.title}, {season}: coverage by date",
            *months,
            *weekdays,
            *cells,
            class_="calendar",
        ),
        {status: count for status, count in counted.items() if count},
    )


@dataclass(frozen=True)
class Panel:
    """A strip over time with its name and a remark."""

    key: str
    title: str
    remark: str
    chart: Markup


def records_by_date(coverage: Coverage, scope: Scope) -> list[Panel]:
    """Return a strip for each processor: numbers of rows and of expected rows by date."""
    found = {
        processor: [row for row in coverage.by_date if row["processor_name"] == processor.name]
        for processor in PROCESSORS
    }
    shown = [processor for processor, rows in found.items() if rows]
    return [
        Panel(
            processor.key,
            processor.title,
            f"{sum(row['records'] for row in found[processor]):,} rows",
            _records_panel(processor, found[processor], scope, is_last=processor is shown[-1]),
        )
        for processor in shown
    ]


def _records_panel(
    processor: Processor, rows: Sequence[Row], scope: Scope, *, is_last: bool
) -> Markup:
    by_day = {row["analysis_date"]: row for row in rows}
    seasons = scope.seasons(by_day)
    axis = SeasonAxis(seasons, PANEL_LEFT, WIDTH)
    values = ticks(max(max(row["expected"], row["records"]) for row in rows), 3)
    bottom = PANEL_TOP + PANEL_HEIGHT
    scale = Linear(0, values[-1], bottom, PANEL_TOP)
    shapes = []
    for days in seasons.values():
        for name, class_ in (("expected", "expected-area"), ("records", "records-area")):
            points = [(axis.edges(day), scale(by_day[day][name])) for day in days]
            shapes.append(_steps(points, bottom, class_))
    return image(
        WIDTH,
        bottom + (NAMES_HEIGHT if is_last else 6.0),
        f"{processor.title}: rows by date",
        value_axis(scale, values, PANEL_LEFT, WIDTH),
        axis.frame(PANEL_TOP, bottom, named=is_last),
        *shapes,
        group(*_period_tips(axis, rows, scope, bottom)),
        class_="wide",
    )


def _steps(
    points: Sequence[tuple[tuple[float, float], float]], bottom: float, class_: str
) -> Markup:
    """Return an area that stays level from each game date to the next one."""
    (left, _), _ = points[0]
    path = [f"M{left:.1f} {bottom:.1f}"]
    for (x, _), y in points:
        path.append(f"H{x:.1f}V{y:.1f}")
    (_, right), _ = points[-1]
    path.append(f"H{right:.1f}V{bottom:.1f}Z")
    return element("path", d="".join(path), class_=class_)


def _period_tips(
    axis: SeasonAxis, rows: Sequence[Row], scope: Scope, bottom: float
) -> list[Markup]:
    periods: dict[tuple[str, date], list[Row]] = {}
    for row in rows:
        day = row["analysis_date"]
        periods.setdefault((scope.season(day), scope.period(day)), []).append(row)
    shapes = []
    for (_, first), of_period in periods.items():
        left, right = axis.edges(first, scope.period_days)
        expected = sum(row["expected"] for row in of_period)
        records = sum(row["records"] for row in of_period)
        tip = f"{records:,} rows of {expected:,} expected"
        if scope.period_days > 1:
            tip = f"week of {first}, {len(of_period)} game dates\n{tip}"
        else:
            tip = f"{first}\n{tip}"
        shapes.append(bar(left, PANEL_TOP, right - left, bottom - PANEL_TOP, "hover", tip))
    return shapes
