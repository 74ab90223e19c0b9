"""Finds the files of a raw table in its folder, and reads column values from folder names."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from python_workers.errors import BackcourtError, ExitCode

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
SUFFIXES = (".parquet", ".csv", ".csv.gz", *JSON_SUFFIXES)
# Notes beside the data, and checksum files that writers leave.
_NOT_DATA = (".md", ".txt", ".crc")
_HIVE_MISSING = "__HIVE_DEFAULT_PARTITION__"


def find_files(directory: Path, table: str) -> list[Path]:
    """Return the data files of a table's folder, sorted by name; follow symbolic links.

    Raises
    ------
    BackcourtError
        If the folder is missing, has no data file or one of an unknown format, or if a file or
        folder in it cannot be read.
    """
    folder = directory / table
    if not folder.is_dir():
        raise _no_folder(directory, table)
    found = sorted(files_below(folder, directory, _NOT_DATA))
    for path in found:
        if suffix_of(path) not in SUFFIXES:
            raise BackcourtError(
                f"{label_of(path, directory)} is not a Parquet, CSV or JSON-lines file",
                f"Convert it, or move it out of the folder. Known: {', '.join(SUFFIXES)}.",
            )
    if not found:
        raise BackcourtError(
            f"no data files in {folder}",
            f"Expected files ending in {', '.join(SUFFIXES)}.",
            ExitCode.ENVIRONMENT,
        )
    return found


def suffix_of(path: Path) -> str:
    """Return the ending of a file's name that says its format, such as ``.csv.gz``."""
    name = path.name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), path.suffix.lower())


def present_tables(directory: Path, tables: Sequence[str]) -> list[str]:
    """Return those of the tables that have a folder, in their order.

    Raises
    ------
    BackcourtError
        If none of them has.
    """
    found = [table for table in tables if (directory / table).is_dir()]
    if not found:
        raise _no_folder(directory, ", ".join(tables))
    return found


def _no_folder(directory: Path, tables: str) -> BackcourtError:
    return BackcourtError(
        f"no folder {tables} in {directory}",
        [
            "Raw data has one folder per table, with Parquet, CSV or JSON-lines files:",
            "games, players, player_box_scores, shots.",
            "To load only some of the tables: backcourt load DIR --tables games",
            "Files of a public source: backcourt load DIR --feed FEED; see backcourt feeds.",
        ],
        ExitCode.ENVIRONMENT,
    )


def label_of(path: Path, directory: Path) -> str:
    """Return a file's name for messages: its path below the raw folder, in printable characters."""
    text = path.relative_to(directory).as_posix()
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def partition_values(path: Path, folder: Path) -> dict[str, str]:
    """Return the column values in a Hive-style path such as ``season=2021-22/a.parquet``."""
    parts = [part.partition("=") for part in path.relative_to(folder).parent.parts]
    return {
        name: "" if value == _HIVE_MISSING else unquote(value)
        for name, equals, value in parts
        if name and equals
    }


def files_below(
    folder: Path,
    directory: Path,
    not_data: Collection[str],
    nothing: str = "Nothing was loaded.",
    above: frozenset[tuple[int, int]] = frozenset(),
) -> Iterator[Path]:
    """Yield the files in a folder and its subfolders, but for hidden ones; follow symbolic links.

    Parameters
    ----------
    folder
        The folder.
    directory
        The folder from which the names in messages start.
    not_data
        Endings of files to skip.
    nothing
        The last sentence of a message.
    above
        The parent folders.

    Raises
    ------
    BackcourtError
        If a folder cannot be read, or a link leads nowhere or back.
    """
    label = label_of(folder, directory)
    try:
        state = folder.stat()
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError as error:
        raise BackcourtError(
            f"the folder {label} cannot be read: {error.strerror}",
            f"Make it readable for this user, or move it away. {nothing}",
            ExitCode.ENVIRONMENT,
        ) from error
    this = (state.st_dev, state.st_ino)
    if this in above:
        raise BackcourtError(
            f"the link {label} leads back to one of its parent folders",
            f"Remove the link. {nothing}",
        )
    for name in names:
        path = folder / name
        if name.startswith((".", "_")) or path.suffix.lower() in not_data:
            continue
        if path.is_dir():
            yield from files_below(path, directory, not_data, nothing, above | {this})
        elif path.is_file():
            yield path
        else:
            raise _not_a_file(path, directory, nothing)


def _not_a_file(path: Path, directory: Path, nothing: str) -> BackcourtError:
    label = label_of(path, directory)
    if path.is_symlink() and not path.exists():
        return BackcourtError(
            f"the link {label} leads nowhere",
            f"It names {path.readlink()}. Restore that, or remove the link. {nothing}",
        )
    return BackcourtError(
        f"{label} is neither a file nor a folder",
        f"Move it out of the folder. {nothing}",
    )
