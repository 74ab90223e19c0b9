"""Writes output files whole or not at all, and only regular files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from python_workers.errors import BackcourtError, ExitCode


def check_writable(path: Path, begins: str = "", suffixes: Sequence[str] = ()) -> None:
    """Refuse a path that cannot become a file, before the command reads or computes.

    An existing file may be replaced only if the command has written it before. A mistyped path
    names the warehouse or a raw file.

    Parameters
    ----------
    path
        Where the command will write.
    begins
        The first characters of every file that the command writes. Empty allows every file.
    suffixes
        The endings that its files may have. Empty allows every ending. An empty file, or one that
        is yet to come, may belong to the warehouse or the project: only its name shows it.

    Raises
    ------
    BackcourtError
        With exit code 2, for a folder, a device, a pipe, a socket, a path below a file, a file
        that begins with something else, or another ending.
    """
    if path.is_dir():
        raise BackcourtError(
            f"{path} is a folder",
            f"Name a file in it, for example {path / 'report.html'}",
            ExitCode.USAGE,
        )
    if path.exists() and not path.is_file():
        raise BackcourtError(
            f"{path} is a device, a pipe or a socket, not a file",
            "Name a file.",
            ExitCode.USAGE,
        )
    if suffixes and not {path.suffix.lower(), path.resolve().suffix.lower()} <= {*suffixes}:
        raise BackcourtError(
            f"{path} does not end in {' or '.join(suffixes)}",
            f"Name the file, for example, {path.with_suffix(suffixes[0])}",
            ExitCode.USAGE,
        )
    if path.is_file() and _beginning(path, len(begins.encode())) not in (b"", begins.encode()):
        raise BackcourtError(
            f"{path} exists, and this command has not written it",
            "Name another file, or move that one away.",
            ExitCode.USAGE,
        )
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir():
        raise BackcourtError(
            f"cannot write {path}: {above} is a file", "Name another place.", ExitCode.USAGE
        )


def check_folder(folder: Path) -> None:
    """Refuse a path that cannot become a folder, before the command reads or computes.

    Raises
    ------
    BackcourtError
        With exit code 2, for a file, and for a path below one.
    """
    above = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not above.is_dir():
        raise BackcourtError(f"{above} is a file, not a folder", "Name a folder.", ExitCode.USAGE)


def _beginning(path: Path, length: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(length)
    except OSError as error:
        raise BackcourtError(
            f"cannot read {path}, which exists: {error.strerror or error}",
            "Name another file, or move that one away.",
            ExitCode.USAGE,
        ) from error


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield the name of a temporary file beside `path`, and rename it to `path` at the end.

    So no reader sees half a file, and an existing file stays unchanged when writing fails. For a
    symbolic link, replace the file that it points to.

    Raises
    ------
    BackcourtError
        As `check_writable`, and with exit code 3 if the disk or the folder refuses the file.
    """
    check_writable(path)
    place = path.resolve()
    unfinished = place.with_name(f"{place.name}.{os.getpid()}.tmp")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        unfinished.replace(place)
    except OSError as error:
        raise BackcourtError(
            f"cannot write {path}: {error.strerror or error}",
            "Free some space there, or name another place.",
            ExitCode.ENVIRONMENT,
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, as `replaced` does."""
    with replaced(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
