"""Draws failures by category over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from python_workers.accounting.coverage import Coverage
from python_workers.processors.catalogue import BY_NAME
from python_workers.processors.failures import CATEGORIES, UNKNOWN_CATEGORY
from python_workers.reading.scope import Scope
from python_workers.report.coverage_charts import (
    NAMES_HEIGHT,
    PANEL_HEIGHT,
    PANEL_LEFT,
    PANEL_TOP,
    WIDTH,
    Panel,
)
from python_workers.report.rows import Row
from python_workers.report.scales import Linear, SeasonAxis, ticks, value_axis
from python_workers.report.svg import bar, image

MEANINGS = {
    **{category.column: category.meaning for category in CATEGORIES.values()},
    UNKNOWN_CATEGORY: "a category that Backcourt does not know",
    "unaccounted": "neither row nor failure, on a date that has run",
}


def failures_over_time(coverage: Coverage, scope: Scope) -> list[Panel]:
    """Return a strip for each category that occurs, by week (by day in a short range)."""
    rows = [row for row in coverage.by_date if row["coverage_status"] != "not_run"]
    counts = {name: sum(row[name] for row in rows) for name in MEANINGS}
    shown = [name for name, count in counts.items() if count]
    return [_panel(name, counts[name], rows, scope, is_last=name == shown[-1]) for name in shown]


def _panel(name: str, count: int, rows: Sequence[Row], scope: Scope, *, is_last: bool) -> Panel:
    seasons = scope.seasons({row["analysis_date"] for row in rows})
    axis = SeasonAxis(seasons, PANEL_LEFT, WIDTH)
    sums: dict[tuple[str, date], dict[str, int]] = {}
    for row in rows:
        if row[name]:
            day = row["analysis_date"]
            of_period = sums.setdefault((scope.season(day), scope.period(day)), {})
            key = BY_NAME[row["processor_name"]].key
            of_period[key] = of_period.get(key, 0) + row[name]
    values = ticks(max(sum(of_period.values()) for of_period in sums.values()), 3)
    bottom = PANEL_TOP + PANEL_HEIGHT
    scale = Linear(0, values[-1], bottom, PANEL_TOP)
    bars = []
    for (_, first), by_processor in sums.items():
        left, right = axis.edges(first, scope.period_days)
        together = sum(by_processor.values())
        when = f"week of {first}" if scope.period_days > 1 else f"{first}"
        of = ", ".join(f"{key} {number:,}" for key, number in sorted(by_processor.items()))
        top = scale(together)
        inset = 0.5 if right - left > 3 else 0.0
        bars.append(
            bar(
                left + inset,
                top,
                right - left - 2 * inset,
                bottom - top,
                f"mark c-{name}",
                f"{when}: {together:,} {name.replace('_', ' ')}\n{of}",
            )
        )
    label = name.upper()
    return Panel(
        name,
        label,
        f"{count:,}: {MEANINGS[name]}",
        image(
            WIDTH,
            bottom + (NAMES_HEIGHT if is_last else 6.0),
            f"{label} over time",
            value_axis(scale, values, PANEL_LEFT, WIDTH),
            axis.frame(PANEL_TOP, bottom, named=is_last),
            *bars,
            class_="wide",
        ),
    )
