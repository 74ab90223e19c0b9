"""Renders the page: one HTML file that contains its styles, script and charts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from python_workers import __version__
from python_workers.accounting.coverage import ATTENTION_STATUSES, INVESTIGATE
from python_workers.processors.catalogue import BY_KEY, BY_NAME
from python_workers.processors.failures import CATEGORIES, CIRCUIT_BREAKER_ACTIVE, UNKNOWN_CATEGORY
from python_workers.raw.findings import MEANINGS, over_seasons
from python_workers.reading.dictionary import data_dictionary
from python_workers.reading.scope import Scope
from python_workers.report import zone_charts
from python_workers.report.causes import SHOWN_CAUSES, Cause
from python_workers.report.coverage_charts import (
    STATUSES,
    calendars,
    records_by_date,
)
from python_workers.report.entities import as_json, team_of
from python_workers.report.failure_charts import failures_over_time
from python_workers.report.queries import ReportData
from python_workers.report.rows import Row
from python_workers.report.run_charts import processor_times, timeline
from python_workers.report.shooters import SHOWN_PLAYERS, most_attempts
from python_workers.report.svg import bar, element
from python_workers.report.totals import counts_in_words, total, total_by_processor, verdict
from python_workers.wording import report_fragment

PAGE_BEGINS = '<!doctype html>\n<html lang="en">\n'

ENGINES = {"duckdb": "DuckDB", "bigquery": "BigQuery"}
SHOWN_RUNS = 12
SHOWN_DATES = 300
# Players of a game that the list of what to do names.
SHOWN_BLOCKED = 6
SHARE_WIDTH = 80.0
# Seasons whose calendars are open; the page folds the earlier ones.
NEWEST_SEASONS = 4
# Seasons that the charts with a column or a bar of each can hold.
DRAWN_SEASONS = 8
SCRIPTS = ("page.js", "tables.js", "entities.js")
UNFINISHED = (*ATTENTION_STATUSES, "investigate")

# Categories to show only if there are failures of them.
_RARE_CATEGORIES = (CIRCUIT_BREAKER_ACTIVE.column, UNKNOWN_CATEGORY)


def render(data: ReportData, made_at: datetime, models: Path | None = None) -> str:
    """Return the page.

    Parameters
    ----------
    data
        The contents of the page.
    made_at
        The time of its creation, which the page states.
    models
        Folder of the dbt models; their files describe the columns.
    """
    schedule = data.scope.schedule
    totals = total(data.coverage)
    by_processor = total_by_processor(data.coverage)
    last_day = max(data.players, default=None)
    raw_seasons, raw_findings = over_seasons(data.raw_findings)
    style = asset("style.css") + category_colours()
    script = Markup("").join(asset(name) for name in SCRIPTS)
    drawn = list(data.scope.seasons(schedule.dates))[-DRAWN_SEASONS:]
    unfinished = [
        row for row in reversed(data.coverage.by_date) if row["coverage_status"] in UNFINISHED
    ]
    pages = environment()
    pages.filters.update(
        anchor=_anchor,
        pages=lambda cause: _pages(data.entities, cause),
        seasons_of=lambda row: _seasons_of(data.scope, row),
        team=lambda row: _team(data.entities, row),
    )
    return pages.get_template("page.html.jinja").render(
        by_processor=by_processor,
        calendars=calendars(data.coverage, data.scope),
        categories=CATEGORIES,
        causes=data.causes[:SHOWN_CAUSES],
        causes_count=len(data.causes),
        changes=data.changes,
        defence=zone_charts.team_defence(data) if data.teams else None,
        dictionary=data_dictionary(data.columns, models),
        end=schedule.end,
        entities=as_json(data.entities),
        entry_categories=sorted({row["failure_category"] for row in data.investigations}),
        entry_processors=[
            processor.key
            for processor in BY_NAME.values()
            if any(row["processor_name"] == processor.name for row in data.investigations)
        ],
        entry_teams=sorted({_team(data.entities, row) for row in data.investigations} - {""}),
        newest=NEWEST_SEASONS,
        unfinished=unfinished[:SHOWN_DATES],
        unfinished_count=len(unfinished),
        engine=ENGINES.get(data.engine, data.engine),
        failures=failures_over_time(data.coverage, data.scope),
        game_dates=len(schedule.dates),
        investigate=INVESTIGATE,
        investigation_entries=data.investigation_entries,
        investigations=data.investigations,
        is_simulated=data.is_simulated,
        largest_run=data.largest_run,
        last_run=data.runs[0] if data.runs else None,
        made_at=made_at,
        players_day=last_day,
        primary=zone_charts.primary_zones(_newest(data), data.scope) if last_day else None,
        primary_zone_names=zone_charts.PRIMARY_ZONES,
        raw_findings=raw_findings,
        raw_lines=data.raw_lines,
        raw_meanings=MEANINGS,
        raw_seasons=raw_seasons,
        recent_runs=data.runs[:SHOWN_RUNS],
        records=records_by_date(data.coverage, data.scope),
        runs_count=len(data.runs),
        scatter=most_attempts(data.players[last_day]) if last_day else None,
        scattered=min(SHOWN_PLAYERS, len(data.players[last_day]) if last_day else 0),
        script=script,
        script_hash=content_hash(script),
        seasons=list(data.scope.seasons(schedule.dates)),
        shown_blocked=SHOWN_BLOCKED,
        shares=zone_charts.shares_by_month(
            [row for row in data.zone_attempts if data.scope.season(row["game_date"]) in drawn],
            data.scope,
        )
        if data.zone_attempts
        else None,
        keys={name: processor.key for name, processor in BY_NAME.items()},
        shown_categories=[
            name
            for name, count in totals.by_category.items()
            if count or name not in _RARE_CATEGORIES
        ],
        stale_lines=[*data.coverage.repair_lines, *data.coverage.unmatched_lines],
        start=schedule.start,
        statuses=STATUSES,
        style=style,
        style_hash=content_hash(style),
        teams_day=data.teams_day,
        timeline=timeline(data.largest_run, data.commits) if data.largest_run else None,
        times=processor_times(data),
        titles={key: processor.title for key, processor in BY_KEY.items()},
        totals=totals,
        verdict=verdict(totals, schedule.start, schedule.end),
        version=__version__,
        wall_seconds=(data.largest_run.finished_at - data.largest_run.started_at).total_seconds()
        if data.largest_run
        else None,
        zones=zone_charts.ZONES,
    )


def _newest(data: ReportData) -> dict[date, Sequence[Row]]:
    """Return the players on the last dates of the newest seasons."""
    return dict(list(data.players.items())[-DRAWN_SEASONS:])


def _anchor(row: Row) -> str:
    """Return the fragment that opens the page of a row's player or team."""
    processor = BY_NAME.get(row["processor_name"])
    is_team = processor is not None and processor.entity == "team_abbr"
    return report_fragment(row["entity_id"] or "", is_team=is_team)


def _pages(entities: Mapping[str, Any], cause: Cause) -> list[tuple[str, str]]:
    """Return the name of each player or team that a cause blocks, and the fragment of his page."""
    found = [
        (name, entities["players"].get(name, {}).get("name") or name, is_team)
        for name, is_team in cause.entities
    ]
    return [
        (shown, report_fragment(name, is_team=is_team))
        for name, shown, is_team in sorted(found, key=lambda each: each[1])
    ]


def _team(entities: Mapping[str, Any], row: Row) -> str:
    """Return the team of a row: itself, or that of the player's latest row."""
    name = row["entity_id"]
    if name in entities["teams"]:
        return str(name)
    return team_of(entities["players"].get(name, {}))


def _seasons_of(scope: Scope, row: Row) -> list[str]:
    first, last = scope.season(row["first_date"]), scope.season(row["last_date"])
    return [season for season in scope.seasons(scope.schedule.dates) if first <= season <= last]


def category_colours() -> str:
    """Return the style of the failure categories, which follows from their declarations."""
    return "".join(
        f".c-{category.column} {{ --c: var(--{category.colour}); }}\n"
        for category in CATEGORIES.values()
    )


def environment() -> Environment:
    """Return the environment of the templates, with the filters that they share."""
    pages = Environment(
        loader=PackageLoader("python_workers.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(
        counts_in_words=counts_in_words,
        decimals=_decimals,
        instant=_instant,
        share=_share,
        share_bar=_share_bar,
        thousands=_thousands,
    )
    return pages


def asset(name: str) -> Markup:
    """Return an asset of this package unescaped: it contains no data."""
    path = resources.files("python_workers.report") / "assets" / name
    return Markup(path.read_text(encoding="utf-8"))  # noqa: S704


def content_hash(text: str) -> str:
    """Return the hash by which the page's content policy admits only its own script and styles."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _thousands(value: float) -> str:
    return f"{value:,.0f}"


def _decimals(value: float) -> str:
    """Format a time with about three significant digits.

    Examples
    --------
    >>> [_decimals(value) for value in (0.0421, 3.14159, 42.21, 1234.5)]
    ['0.04', '3.14', '42.2', '1,234']
    """
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f}"


def _share(part: int, whole: int) -> str:
    percent = 100 * part / whole if whole else 0.0
    return "under 0.01 %" if 0 < percent < 0.01 else f"{percent:.2f} %"


def _share_bar(share: float, engine: str) -> Markup:
    return element(
        "svg",
        bar(0, 3, max(SHARE_WIDTH * share, 1.0), 10, f"mark e-{engine}", f"{100 * share:.0f} %"),
        width=SHARE_WIDTH,
        height=16.0,
        class_="chart-bar",
        role="img",
        aria_label=f"{100 * share:.0f} percent of the computing time",
    )


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
