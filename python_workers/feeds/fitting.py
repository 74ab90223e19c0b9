"""Reads a folder with the feed that its files belong to, or names that feed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from python_workers.errors import BackcourtError, ExitCode
from python_workers.feeds.answers import OtherFormError
from python_workers.feeds.feed import SHIPPED, TABLES, Feed, shipped_feeds
from python_workers.feeds.sources import NOTHING_CONVERTED, Files, read_sources
from python_workers.raw.folders import HIDDEN
from python_workers.warehouse.duckdb.file import NO_DOWNLOADS
from python_workers.wording import some

# So many files of a folder tell which feed it is of.
_TRIED = 3
_RAW_FOLDER = "It looks like a raw folder: backcourt load DIR reads it without a feed."


@dataclass(frozen=True)
class Read:
    """The files of a feed, in its sources' tables.

    Parameters
    ----------
    labels
        The name of each file; its place plus one is its ``file_number``.
    warnings
        Sentences about files that were not read.
    """

    labels: Sequence[str]
    warnings: tuple[str, ...]


def read_fitting_sources(
    connection: duckdb.DuckDBPyConnection,
    feed: Feed,
    directory: Path,
    only: Collection[Path] | None = None,
) -> Read:
    """Read the files of a feed as `read_sources` does; refuse a folder of another feed.

    Raises
    ------
    BackcourtError
        As `read_sources`; if the feed reads no file of the folder, or another one that comes with
        Backcourt reads more of them.
    """
    try:
        files = read_sources(connection, feed, directory, only)
    except OtherFormError as error:
        fitting = _feeds_that_read(directory, [error.paths[error.number - 1]], feed)
        if len(fitting) > 1:
            fitting = _feeds_that_read(directory, error.paths[:_TRIED], feed, fitting) or fitting
        advice = (
            _advice(fitting)
            if fitting
            else "Its source has changed its form, or it belongs to no feed (backcourt feeds)."
        )
        raise BackcourtError(error.message, [*error.hint, advice, NOTHING_CONVERTED]) from error
    labels = dict(zip(files.paths, files.labels, strict=True))
    unknown = files.unknown
    names = [labels[path] for path in unknown]
    fitting = _feeds_that_read(directory, unknown[:_TRIED], feed)
    known = [path for n, path in enumerate(files.paths, 1) if n in files.known]
    if not known:
        reads = ", ".join(source.path or source.name for source in feed.read_sources)
        raise BackcourtError(
            f"{directory} has no file that the feed {feed.name} reads",
            [
                f"It reads: {reads}.",
                *([f"Of another kind: {some(names)}."] if names else []),
                *_not_read(files),
                *([_advice(fitting)] if fitting else []),
                *([_RAW_FOLDER] if _is_raw(directory) else []),
                NOTHING_CONVERTED,
            ],
            ExitCode.ENVIRONMENT,
        )
    better = [] if feed.is_own else _feeds_that_read(directory, known[:_TRIED], feed, fitting)
    if better:
        raise BackcourtError(
            f"{feed.name} does not read {some(names)}", [_advice(better), NOTHING_CONVERTED]
        )
    warnings = []
    if names:
        also = f" ({' and '.join(fitting)} would)" if fitting else ""
        warnings.append(f"of no kind that {feed.name} reads{also}: {some(names)}")
    if files.without_rows:
        warnings.append(f"without any row: {some(files.without_rows)}")
    warnings += _not_read(files)
    return Read(files.labels, tuple(warnings))


def _feeds_that_read(
    directory: Path, paths: Sequence[Path], but: Feed, among: Collection[str] | None = None
) -> list[str]:
    """Return the names of the other feeds that read each of some files."""
    if not paths:
        return []
    return [
        feed.name
        for feed in shipped_feeds()
        if feed.folder != but.folder
        and (among is None or feed.name in among)
        and all(_reads(feed, directory, path) for path in paths)
    ]


def _reads(feed: Feed, directory: Path, path: Path) -> bool:
    with duckdb.connect(config={**NO_DOWNLOADS}) as connection:
        connection.execute((SHIPPED / "league.sql").read_text("utf-8"))
        try:
            return bool(read_sources(connection, feed, directory, [path]).known)
        except BackcourtError:
            return False


def _is_raw(directory: Path) -> bool:
    return any((directory / table).is_dir() for table in TABLES)


def _advice(feeds: Sequence[str]) -> str:
    if len(feeds) == 1:
        return f"The feed {feeds[0]} reads such files."
    return f"One of the feeds {', '.join(feeds)} may read such files."


def _not_read(files: Files) -> list[str]:
    """Say which files a conversion does not open."""
    return [
        f"not read, since {reason}: {some(labels)}"
        for reason, labels in (
            ("a name ends in .json, .csv or .parquet", files.unread),
            (HIDDEN, files.hidden),
        )
        if labels
    ]
