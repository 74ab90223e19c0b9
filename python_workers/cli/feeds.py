"""``backcourt convert``, ``backcourt feeds`` and ``backcourt fetch``."""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from python_workers.accounting.seasons import read_seasons, seasons_file
from python_workers.cli import options
from python_workers.cli.console import err, out
from python_workers.errors import BackcourtError, ExitCode
from python_workers.feeds.convert import Conversion, convert
from python_workers.feeds.feed import TABLES, Feed, find_feed, shipped_feeds
from python_workers.feeds.fetch import fetch_birth_dates, fetch_season
from python_workers.feeds.site import PACE_SECONDS, Site, nba_api_ask
from python_workers.feeds.usable import FEED
from python_workers.settings import load_settings, resolve_project_dir
from python_workers.wording import shell

# Another address than the site's, with {endpoint} in it: a replay of recorded answers.
ADDRESS = "BACKCOURT_STATS_ADDRESS"
_PROGRESS_EVERY = 100


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("convert")(convert_files)
    app.command("feeds")(list_feeds)
    app.command("fetch")(fetch)


def convert_files(
    feed: Annotated[
        str, typer.Argument(metavar="FEED", help="A feed's name, or a folder with a feed.")
    ],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with the feed's files.")],
    raw: Annotated[
        Path,
        typer.Option(
            "--out", metavar="RAW", help="A new folder, or that of the feed's last conversion."
        ),
    ],
) -> None:
    """Convert the files of a public source into raw files."""
    began = time.perf_counter()
    conversion = convert(find_feed(feed), directory, raw)
    print_conversion(conversion, time.perf_counter() - began)
    out.print(f"Load them with: {shell('backcourt', 'load', raw)}")


def list_feeds() -> None:
    """List the feeds, what each reads and which raw tables it can fill."""
    for feed in shipped_feeds():
        out.print(f"{feed.name:<17}{feed.title}")
        out.print(f"{'':<17}fills {', '.join(_filled(feed))}")
    out.print("Convert with: backcourt convert FEED DIR --out RAW")


def fetch(
    season: Annotated[str, typer.Option(metavar="YYYY-YY", help="The season.")],
    directory: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to keep answers.")],
    since: Annotated[
        dt.date | None,
        typer.Option(metavar="YYYY-MM-DD", parser=options.parse_date, help="Only later games."),
    ] = None,
    birth_dates: Annotated[
        bool,
        typer.Option(
            "--birth-dates/--no-birth-dates", help="Ask for each player, too: a request a player."
        ),
    ] = True,
    pace: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.0, help="Least time between two requests.")
    ] = PACE_SECONDS,
) -> int:
    """Fetch a season's answers from stats.nba.com: only what is missing, paced, resumable."""
    _check_season(season, since)
    site = open_site(pace)
    fetched = fetch_season(site, season, directory, since=since, on_progress=_say_progress)
    if birth_dates:
        found = fetch_birth_dates(site, fetched.players, directory, on_progress=_say_progress)
        fetched.files += found.files
        fetched.missing |= found.missing
    out.print(
        f"final games: {fetched.final_games}; answers written: {len(fetched.files)}; "
        f"requests: {site.requests}"
    )
    for path, reason in fetched.missing.items():
        out.print(f"missing: {path.relative_to(directory)} ({reason})")
    if fetched.missing:
        out.print(f"missing in all: {len(fetched.missing)}; the same command asks for them again")
    out.print(f"Load them with: {shell('backcourt', 'load', directory, '--feed', FEED)}")
    return ExitCode.ATTENTION if fetched.missing else ExitCode.OK


def _check_season(name: str, since: dt.date | None) -> None:
    """Refuse a season that the seasons' file does not have, and a date behind its end.

    Raises
    ------
    BackcourtError
        With exit code 2.
    """
    seasons = read_seasons(seasons_file(load_settings(), resolve_project_dir()))
    season = next((season for season in seasons if season.season == name), None)
    if season is None:
        first, last = (edge(each.season for each in seasons) for edge in (min, max))
        raise BackcourtError(
            f"{name!r} is not a known season",
            f"Known: {first} to {last}, from seeds/seasons.csv or BACKCOURT_SEASONS.",
            ExitCode.USAGE,
        )
    if since is not None and since > season.last_date:
        raise BackcourtError(
            f"--since {since} is after the season {name}, which ends on {season.last_date}",
            "Name an earlier date, or a later season.",
            ExitCode.USAGE,
        )


def open_site(pace_seconds: float = PACE_SECONDS) -> Site:
    """Return the site, or the replay of recorded answers that a test names."""
    return Site(nba_api_ask(base_url=os.environ.get(ADDRESS) or None), pace_seconds=pace_seconds)


def _say_progress(done: int, of: int) -> None:
    if done % _PROGRESS_EVERY == 0 or done == of:
        err.print(f"{done} of {of} answers")


def print_conversion(conversion: Conversion, seconds: float, console: Console = out) -> None:
    """Print what a conversion wrote, left empty and left out."""
    console.print(f"{conversion.files} files read in {seconds:.1f} s")
    for table in conversion.tables:
        empty = f", no {', '.join(table.empty_columns)}" if table.empty_columns else ""
        console.print(f"{table.table:<18}{table.rows:>9,} rows{empty}")
    missing = [name for name in TABLES if name not in {table.table for table in conversion.tables}]
    if missing:
        console.print(f"no rows of {', '.join(missing)} in these files")
    if conversion.excluded:
        kinds = ", ".join(f"{count} {kind}" for kind, count in conversion.excluded.items())
        console.print(f"left out, since they count for no season: {kinds}")
    for warning in conversion.warnings:
        console.print(f"warning: {warning}")


def _filled(feed: Feed) -> list[str]:
    return [name for name in TABLES if name in feed.selects]
