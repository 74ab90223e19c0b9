"""Fetches and loads the results that a morning needs, before it is computed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from python_workers import table_names
from python_workers.errors import BackcourtError, ExitCode
from python_workers.feeds.convert import convert
from python_workers.feeds.feed import find_feed
from python_workers.feeds.fetch import Fetched, fetch_season
from python_workers.feeds.site import Site
from python_workers.feeds.usable import FEED
from python_workers.raw.load import LoadReport, load_directory
from python_workers.runtime.scratch import scratch_folder
from python_workers.warehouse.base import Warehouse

# A box score may come days late: ask for what is missing of so many days.
LATE_DAYS = 7

_SEASON = f"""
select season from {table_names.SEASONS} where @day between first_date and last_date
"""  # noqa: S608 our own name


@dataclass(frozen=True)
class Delivery:
    """What was fetched and loaded.

    Parameters
    ----------
    fetched, load
        The results of both; files of the last days are loaded again, which changes nothing.
    """

    fetched: Fetched
    load: LoadReport


def deliver(warehouse: Warehouse, site: Site, directory: Path, day: dt.date) -> Delivery:
    """Fetch the missing answers of the days before a date, and load them.

    Parameters
    ----------
    warehouse
        The warehouse with the seasons.
    site
        The site.
    directory
        Where the answers are kept.
    day
        The date to be computed; its own games are loaded as the schedule has them.

    Raises
    ------
    BackcourtError
        If the date is in no season, the site gives no answer, or the answers are not usable.
    """
    seasons = warehouse.query(_SEASON, {"day": day}).column("season").to_pylist()
    if not seasons:
        raise BackcourtError(
            f"{day} is in no season that Backcourt knows",
            "See seeds/seasons.csv, or the file in BACKCOURT_SEASONS.",
            ExitCode.USAGE,
        )
    since = day - dt.timedelta(days=LATE_DAYS)
    fetched = fetch_season(site, seasons[0], directory, since=since)
    season = directory / seasons[0]
    recent = {
        path
        for path in season.glob("*/*.json")
        if since.isoformat() <= path.parent.name <= day.isoformat()
    }
    with scratch_folder() as scratch:
        conversion = convert(
            find_feed(FEED),
            directory,
            scratch,
            {*recent, season / "schedule.json", season / "players.json"},
        )
        names = [table.table for table in conversion.tables]
        return Delivery(fetched, load_directory(warehouse, scratch, tables=names))
