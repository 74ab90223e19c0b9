"""The raw folder that a conversion writes: its own files alone, a file per table."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import duckdb

from python_workers.errors import BackcourtError, ExitCode
from python_workers.feeds.feed import TABLES
from python_workers.raw.schema import RawTable
from python_workers.runtime.writing import check_folder, replaced
from python_workers.warehouse.duckdb.dialect import SQL_TYPES


def check_output(out: Path, feed_name: str, directory: Path) -> None:
    """Refuse a raw folder that a conversion must not write, before it reads any file.

    A load reads every file of a raw folder: beside those of another source, the same game would
    be there twice.

    Raises
    ------
    BackcourtError
        With exit code 2, for a file, for a folder that the feed's files are in or that is among
        them, and for a folder with anything but an earlier conversion of the same feed.
    """
    check_folder(out)
    place, given = out.resolve(), directory.resolve()
    if place.is_relative_to(given) or given.is_relative_to(place):
        raise BackcourtError(
            f"{out} and {directory} are one folder, or one is in the other",
            "Name another folder for the raw files.",
            ExitCode.USAGE,
        )
    own = set(_own_files(out, feed_name))
    others = sorted(path for path in out.rglob("*") if path.is_file() and path not in own)
    if others:
        raise BackcourtError(
            f"{out} has other files than a conversion of {feed_name}: "
            f"{others[0].relative_to(out).as_posix()}",
            "Name a new folder: a load reads all files of a raw folder.",
            ExitCode.USAGE,
        )


def write_table(
    connection: duckdb.DuckDBPyConnection,
    schema: RawTable,
    empty_columns: Collection[str],
    feed_name: str,
    out: Path,
) -> None:
    """Write a table of a raw table's name, in the order of its key."""
    # Without a value DuckDB does not know a column's type.
    columns = ", ".join(
        f'cast("{column.name}" as {SQL_TYPES[column.type]}) as "{column.name}"'
        if column.name in empty_columns
        else f'"{column.name}"'
        for column in schema.columns
    )
    with replaced(_file(out, schema.name, feed_name)) as path:
        connection.execute(
            f"copy (select {columns} from {schema.name} order by {', '.join(schema.key)}) "  # noqa: S608 our own names
            "to $path (format parquet, compression zstd)",
            {"path": str(path)},
        )


def drop_former(out: Path, feed_name: str, written: Collection[str]) -> None:
    """Delete what earlier conversions left of tables that this one has not written."""
    kept = {_file(out, table, feed_name) for table in written}
    for path in _own_files(out, feed_name):
        if path not in kept:
            path.unlink()


def _own_files(out: Path, feed_name: str) -> Iterator[Path]:
    """Yield the files of a feed's conversions, and unfinished ones of a conversion that died."""
    for table in TABLES:
        file = _file(out, table, feed_name)
        yield from (
            path for path in (file, *file.parent.glob(f"{file.name}.*.tmp")) if path.exists()
        )


def _file(out: Path, table: str, feed_name: str) -> Path:
    # A load refuses files whose names begin like those of hidden files.
    return out / table / f"{feed_name.lstrip('._') or 'feed'}.parquet"
