"""``backcourt convert`` and ``backcourt feeds``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from python_workers.cli.console import out
from python_workers.feeds.convert import Conversion, convert
from python_workers.feeds.feed import TABLES, Feed, find_feed, shipped_feeds


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("convert")(convert_files)
    app.command("feeds")(list_feeds)


def convert_files(
    feed: Annotated[
        str, typer.Argument(metavar="FEED", help="A feed's name, or a folder with a feed.")
    ],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with the feed's files.")],
    raw: Annotated[Path, typer.Option("--out", metavar="RAW", help="Where to write.")],
) -> None:
    """Convert the files of a public source into raw files."""
    began = time.perf_counter()
    conversion = convert(find_feed(feed), directory, raw)
    print_conversion(conversion, time.perf_counter() - began)
    out.print(f"Load them with: backcourt load {raw}")


def list_feeds() -> None:
    """List the feeds, what each reads and which raw tables it can fill."""
    for feed in shipped_feeds():
        out.print(f"{feed.name:<17}{feed.title}")
        out.print(f"{'':<17}fills {', '.join(_filled(feed))}")
    out.print("Convert with: backcourt convert FEED DIR --out RAW")


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
