"""Reads the files of a feed into one DuckDB table per source, whatever the files are called.

The content of a file says what it is: the sets and paths of a JSON answer, or the columns of a CSV
or Parquet file. Read JSON files in parts, so that memory does not depend on their number.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from python_workers.errors import BackcourtError, ExitCode
from python_workers.feeds.answers import OtherFormError, create_table, read_answers
from python_workers.feeds.feed import Feed, Source
from python_workers.raw.files import Batch, read_batches
from python_workers.raw.folders import Found, files_below, label_of
from python_workers.raw.reading import what_is_seen
from python_workers.raw.text_files import is_compressed
from python_workers.raw.values import MISSING_TEXTS

_JSON = (".json", ".json.gz")
_CSV = (".csv", ".csv.gz")
_DATA = (*_JSON, *_CSV, ".parquet")
# Notes, SELECTs and settings beside the data.
_NOT_DATA = (".md", ".crc", ".sql", ".toml")
NOTHING_CONVERTED = "Nothing was converted."
_PART_BYTES = 16 << 20


@dataclass
class Files:
    """The files of a folder.

    Parameters
    ----------
    labels
        The name of each file; its place plus one is its ``file_number``.
    paths
        The files.
    known
        The numbers of those that a source of the feed reads.
    without_rows
        Labels of files that a source of the feed reads, and that give it no row.
    unread
        Labels of other files, whose names do not end like data.
    hidden
        Labels of data files that are not read, since a name begins with ``_`` or ``.``.
    """

    labels: list[str] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    known: set[int] = field(default_factory=set)
    without_rows: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)

    @property
    def unknown(self) -> list[Path]:
        """The files that no source of the feed reads."""
        return [path for n, path in enumerate(self.paths, 1) if n not in self.known]


def read_sources(
    connection: duckdb.DuckDBPyConnection,
    feed: Feed,
    directory: Path,
    only: Collection[Path] | None = None,
) -> Files:
    """Create a table per source and fill it from the files below a folder.

    Parameters
    ----------
    connection
        A scratch database.
    feed
        The feed.
    directory
        The folder; subfolders are read, too. Files count in the order of their names.
    only
        Read no other files of the folder.

    Raises
    ------
    BackcourtError
        If a file is damaged; `OtherFormError` if it lacks a column.
    """
    for source in feed.sources:
        create_table(connection, source)
    found = _files_of(directory)
    data = [path for path in found.visible if _has(path, _DATA)]
    paths = [path for path in data if only is None or path in only]
    labels = [label_of(path, directory) for path in paths]
    files = Files(
        labels,
        paths,
        unread=[label_of(path, directory) for path in found.visible if not _has(path, _DATA)],
        hidden=[label_of(path, directory) for path in found.hidden],
    )
    numbered = list(enumerate(paths, 1))
    for part in _parts([item for item in numbered if _has(item[1], _JSON)]):
        files.known |= _read_json(connection, feed, part, files)
    for number, path in numbered:
        if not _has(path, _JSON) and _read_table(connection, feed, number, path, files):
            files.known.add(number)
    filled = " union ".join(
        f'select file_number from "{source.name}"'  # noqa: S608 a feed's own names
        for source in feed.read_sources
    )
    numbers = {number for (number,) in connection.execute(filled).fetchall()} if filled else set()
    files.without_rows = [labels[number - 1] for number in sorted(files.known - numbers)]
    return files


def _files_of(directory: Path) -> Found:
    """Return the files of a folder but for notes."""
    if not directory.is_dir():
        raise BackcourtError(
            f"{directory} is {'not a folder' if directory.exists() else 'missing'}",
            "Name the folder that holds the feed's files.",
            ExitCode.ENVIRONMENT,
        )
    return files_below(directory, directory, _NOT_DATA, _DATA, NOTHING_CONVERTED)


def _has(path: Path, suffixes: Sequence[str]) -> bool:
    return path.name.lower().endswith(tuple(suffixes))


def _parts(numbered: Sequence[tuple[int, Path]]) -> Iterator[list[tuple[int, Path]]]:
    part: list[tuple[int, Path]] = []
    size = 0
    for number, path in numbered:
        # Text of JSON shrinks to about a tenth.
        size += path.stat().st_size * (10 if is_compressed(path) else 1)
        part.append((number, path))
        if size >= _PART_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _read_json(
    connection: duckdb.DuckDBPyConnection,
    feed: Feed,
    part: Sequence[tuple[int, Path]],
    files: Files,
) -> set[int]:
    """Insert the rows of some answers; return the numbers of those that a source has read."""
    labels = files.labels
    texts = {number: _text(path, labels[number - 1]) for number, path in part}
    try:
        return read_answers(connection, feed.read_sources, texts, labels)
    except OtherFormError as error:
        error.paths = files.paths
        raise
    except BackcourtError as error:
        error.hint = (*error.hint, NOTHING_CONVERTED)
        raise


def _text(path: Path, label: str) -> str:
    try:
        content = path.read_bytes()
        if not content:
            raise BackcourtError(
                f"{label} is empty (0 bytes)",
                ["Fetch this file again, or move it away.", NOTHING_CONVERTED],
            )
        if is_compressed(path):
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise BackcourtError(
            f"{label} cannot be read: {error}",
            ["Fetch this file again, or move it away.", NOTHING_CONVERTED],
            ExitCode.ENVIRONMENT,
        ) from error
    except UnicodeDecodeError as error:
        raise BackcourtError(
            f"{label} is not UTF-8 text", ["Save it as UTF-8.", NOTHING_CONVERTED]
        ) from error


def _read_table(
    connection: duckdb.DuckDBPyConnection, feed: Feed, number: int, path: Path, files: Files
) -> bool:
    """Insert the rows of a CSV or Parquet file; return whether a source reads it."""
    label = files.labels[number - 1]

    def batches(names: Sequence[str]) -> Iterator[Batch]:
        return read_batches(path, label, names, nothing=NOTHING_CONVERTED, may_be_empty=True)

    present = next((batch.present for batch in batches(())), ())
    source = _source_of(feed, present)
    if source is None:
        for other in feed.read_sources:
            if other.is_of_another_kind(present):
                continue
            missing = [name for name in other.needs if name not in present]
            seen = what_is_seen(present, missing)
            if seen:
                raise BackcourtError(
                    f"{label} has no column {', '.join(missing)}", [*seen, NOTHING_CONVERTED]
                )
        return False
    for batch in batches(source.columns):
        rows = pa.table(dict(batch.columns))
        cells = ", ".join(
            _cell(name, is_text=_has(path, _CSV)) if name in batch.columns else "null"
            for name in source.columns
        )
        connection.register("rows_of_file", rows)
        connection.execute(
            f'insert into "{source.name}" select {cells}, {number} from rows_of_file'  # noqa: S608 a feed's own names
        )
        connection.unregister("rows_of_file")
    return True


def _cell(name: str, *, is_text: bool) -> str:
    """Return a value as text; in a CSV file, texts such as NA are missing values, as in a load."""
    text = f'cast("{name}" as varchar)'
    if not is_text:
        return text
    missing = ", ".join(f"'{word}'" for word in sorted(MISSING_TEXTS))
    return f"case when lower(trim({text})) not in ({missing}) then {text} end"


def _source_of(feed: Feed, present: Sequence[str]) -> Source | None:
    """Return the source with the most columns of all whose needed columns a file has."""
    fitting = [
        source
        for source in feed.read_sources
        if set(source.needs) <= set(present) and not source.is_of_another_kind(present)
    ]
    return max(fitting, key=lambda source: len(source.needs), default=None)
