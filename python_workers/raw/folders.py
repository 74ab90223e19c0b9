"""Finds the files of a raw table in its folder, and reads column values from folder names."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote

from python_workers.errors import BackcourtError, ExitCode
from python_workers.wording import some

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
SUFFIXES = (".parquet", ".csv", ".csv.gz", *JSON_SUFFIXES)
# Notes beside the data, and checksum files that writers leave.
_NOT_DATA = (".md", ".txt", ".crc")
# What tools leave beside data: unfinished parts, logs, copies, notes of a Mac, locks of an editor.
_LEFT_BY_TOOLS = (
    *("_temporary", "_delta_log", "_spark_metadata", ".ipynb_checkpoints", ".git", ".#*"),
    *("__MACOSX", "._*", ".Trash*", ".Spotlight-V100", ".fseventsd"),
)
# What is said of hidden files.
HIDDEN = "a name or folder begins with _ or ."
_NOTHING_LOADED = "Nothing was loaded."
_HIVE_MISSING = "__HIVE_DEFAULT_PARTITION__"


def find_files(directory: Path, table: str) -> list[Path]:
    """Return the data files of a table's folder, sorted by name; follow symbolic links.

    Raises
    ------
    BackcourtError
        If the folder is missing, has no data file, a hidden one or one of an unknown format, or if
        a file or folder in it cannot be read.
    """
    folder = directory / table
    if not folder.is_dir():
        raise _no_folder(directory, table)
    files = files_below(folder, directory, _NOT_DATA, SUFFIXES)
    found = files.visible
    if files.hidden:
        raise BackcourtError(
            f"{some([label_of(path, directory) for path in files.hidden])}: {HIDDEN}",
            [
                "Such files may be unfinished or copies; a load neither reads nor skips them.",
                f"Rename them, or move them out of the folder. {_NOTHING_LOADED}",
            ],
        )
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


@dataclass(frozen=True)
class Found:
    """The files in a folder and its subfolders, sorted by name.

    Parameters
    ----------
    visible
        Files to read.
    hidden
        Data files whose name, or a folder's name on the way to them, begins with ``_`` or ``.``.
    """

    visible: list[Path]
    hidden: list[Path]


def is_hidden(name: str) -> bool:
    """Tell whether a file's or folder's name begins with ``_`` or ``.``."""
    return name.startswith(("_", "."))


def is_left_by_tool(name: str) -> bool:
    """Tell whether a file or folder is one that tools are known to leave beside data."""
    return any(fnmatchcase(name, pattern) for pattern in _LEFT_BY_TOOLS)


def files_below(
    folder: Path,
    directory: Path,
    not_data: Collection[str],
    data: Sequence[str],
    nothing: str = _NOTHING_LOADED,
) -> Found:
    """Find the files in a folder and its subfolders; follow symbolic links.

    Parameters
    ----------
    folder
        The folder.
    directory
        The folder from which the names in messages start.
    not_data
        Endings of files to skip.
    data
        Endings of data files; other hidden files are skipped.
    nothing
        The last sentence of a message.

    Raises
    ------
    BackcourtError
        If a folder cannot be read, or a link leads nowhere or back.
    """
    walk = _Walk(directory, tuple(not_data), tuple(data), nothing)
    found = sorted(walk.files(folder))
    return Found(
        [path for path, hidden in found if not hidden], [path for path, hidden in found if hidden]
    )


@dataclass(frozen=True)
class _Walk:
    """A walk through a folder; its fields are parameters of `files_below`."""

    directory: Path
    not_data: tuple[str, ...]
    data: tuple[str, ...]
    nothing: str

    def files(
        self,
        folder: Path,
        *,
        hidden: bool = False,
        above: frozenset[tuple[int, int]] = frozenset(),
    ) -> Iterator[tuple[Path, bool]]:
        """Yield each file, and whether it is hidden."""
        label = label_of(folder, self.directory)
        try:
            state = folder.stat()
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries)
        except OSError as error:
            raise BackcourtError(
                f"the folder {label} cannot be read: {error.strerror}",
                f"Make it readable for this user, or move it away. {self.nothing}",
                ExitCode.ENVIRONMENT,
            ) from error
        this = (state.st_dev, state.st_ino)
        if this in above:
            raise BackcourtError(
                f"the link {label} leads back to one of its parent folders",
                f"Remove the link. {self.nothing}",
            )
        for name in names:
            path = folder / name
            if is_left_by_tool(name) or path.suffix.lower() in self.not_data:
                continue
            is_hidden_here = hidden or is_hidden(name)
            if path.is_dir():
                yield from self.files(path, hidden=is_hidden_here, above=above | {this})
            elif is_hidden_here and not name.lower().endswith(self.data):
                continue
            elif path.is_file():
                yield path, is_hidden_here
            else:
                raise _not_a_file(path, self.directory, self.nothing)


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
