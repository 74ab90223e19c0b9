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
from python_workers.feeds.feed import Feed, Source
from python_workers.raw.files import Batch, read_batches
from python_workers.raw.folders import files_below, label_of
from python_workers.raw.reading import what_is_seen
from python_workers.raw.text_files import is_compressed
from python_workers.raw.values import MISSING_TEXTS

_JSON = (".json", ".json.gz")
_CSV = (".csv", ".csv.gz")
_PARQUET = (".parquet",)
# Notes, SELECTs and settings beside the data.
_NOT_DATA = (".md", ".crc", ".sql", ".toml")
NOTHING_CONVERTED = "Nothing was converted."
_PART_BYTES = 16 << 20
_RESULT_SETS = """
create or replace temp table sets as
select
    file_number,
    coalesce(content ->> '$.parameters.GameID', content ->> '$.parameters[0].GameID') as game_id,
    result.name as name,
    result.headers as headers,
    result."rowSet" as cells
from (
    select
        file_number,
        content,
        unnest(from_json(
            content -> 'resultSets',
            '[{"name":"VARCHAR","headers":["VARCHAR"],"rowSet":[["VARCHAR"]]}]'
        )) as result
    from parts
)
"""


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
    unread
        Labels of other files, whose names do not end like data.
    """

    labels: list[str] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    known: set[int] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)

    @property
    def unknown(self) -> list[Path]:
        """The files that no source of the feed reads."""
        return [path for n, path in enumerate(self.paths, 1) if n not in self.known]


class OtherFormError(BackcourtError):
    """A file lacks a column that its source needs: `path`, of the `paths` of the folder."""

    path: Path
    paths: Sequence[Path]


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
        columns = ", ".join(f'"{name}" varchar' for name in source.columns)
        connection.execute(f'create table "{source.name}" ({columns}, file_number integer)')
    paths, unread = _files_of(directory)
    paths = [path for path in paths if only is None or path in only]
    labels = [label_of(path, directory) for path in paths]
    files = Files(labels, paths, unread=[label_of(path, directory) for path in unread])
    numbered = list(enumerate(paths, 1))
    for part in _parts([item for item in numbered if _has(item[1], _JSON)]):
        files.known |= _read_json(connection, feed, part, files)
    for number, path in numbered:
        if not _has(path, _JSON) and _read_table(connection, feed, number, path, files):
            files.known.add(number)
    return files


def _files_of(directory: Path) -> tuple[list[Path], list[Path]]:
    """Return the files of a folder that may be data, and others; notes count as neither."""
    if not directory.is_dir():
        raise BackcourtError(
            f"{directory} is {'not a folder' if directory.exists() else 'missing'}",
            "Name the folder that holds the feed's files.",
            ExitCode.ENVIRONMENT,
        )
    files = sorted(files_below(directory, directory, _NOT_DATA, NOTHING_CONVERTED))
    suffixes = (*_JSON, *_CSV, *_PARQUET)
    return (
        [path for path in files if _has(path, suffixes)],
        [path for path in files if not _has(path, suffixes)],
    )


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
    texts = pa.table(
        {
            "file_number": pa.array([number for number, _ in part], pa.int32()),
            "text": [_text(path, files.labels[number - 1]) for number, path in part],
        }
    )
    connection.register("texts", texts)
    broken = connection.execute(
        "select file_number, ltrim(text) like '<%' from texts where not json_valid(text) limit 1"
    ).fetchone()
    if broken:
        label = files.labels[broken[0] - 1]
        raise BackcourtError(
            f"{label} is {'HTML' if broken[1] else 'no JSON'}",
            [
                "The site answered with a page instead of data: fetch this file again."
                if broken[1]
                else "It may have been cut off: fetch this file again, or move it away.",
                NOTHING_CONVERTED,
            ],
        )
    connection.execute(
        "create or replace temp table parts as select file_number, text::json as content from texts"
    )
    connection.unregister("texts")
    connection.execute(_RESULT_SETS)
    known: set[int] = set()
    for source in feed.read_sources:
        if source.kind == "table":
            continue
        numbers = (
            _insert_result_set(connection, source, files)
            if source.kind == "result_set"
            else _insert_nested(connection, source, files)
        )
        known |= numbers
    return known


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


def _insert_result_set(
    connection: duckdb.DuckDBPyConnection, source: Source, files: Files
) -> set[int]:
    found = connection.execute(
        "select distinct file_number, headers from sets where name = ?", [source.path]
    ).fetchall()
    for number, headers in found:
        missing = [name for name in source.needs if name not in headers]
        if missing:
            raise _missing(files, number, source, missing, headers)
    cells = ", ".join(
        f"cell[list_position(headers, '{name}')]"
        if name != "GAME_ID" or name in source.needs
        else f"coalesce(cell[list_position(headers, '{name}')], game_id)"
        for name in source.columns
    )
    connection.execute(
        f'insert into "{source.name}" select {cells}, file_number from ('  # noqa: S608 a feed's own names
        "select headers, game_id, file_number, unnest(cells) as cell from sets where name = ?)",
        [source.path],
    )
    return {number for number, _ in found}


def _insert_nested(connection: duckdb.DuckDBPyConnection, source: Source, files: Files) -> set[int]:
    connection.execute(
        "create or replace temp table answers as select * from parts where json_exists(content, ?)",
        [f"$.{source.path}"],
    )
    found = connection.execute("select file_number from answers").fetchall()
    numbers = {number for (number,) in found}
    if not numbers:
        return numbers
    names = ", ".join(f'"{name}"' for name in source.columns)
    try:
        connection.execute(f"create or replace temp table nested as {source.select}")
    except duckdb.Error as error:
        raise BackcourtError(
            f"the select of source {source.name} fails: {str(error).splitlines()[0]}",
            [
                f"It reads answers with {source.path}, such as {files.labels[min(numbers) - 1]}.",
                NOTHING_CONVERTED,
            ],
        ) from error
    # A renamed key gives NULL everywhere.
    filled = ", ".join(f'count("{name}")' for name in source.needs)
    absent = connection.execute(
        f"select file_number, {filled} from nested group by all order by all"  # noqa: S608 as above
    ).fetchall()
    for number, *counts in absent:
        missing = [name for name, count in zip(source.needs, counts, strict=True) if not count]
        if missing:
            raise _missing(files, number, source, missing, ())
    connection.execute(f'insert into "{source.name}" select {names}, file_number from nested')  # noqa: S608 as above
    return numbers


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
    fitting = [source for source in feed.read_sources if set(source.needs) <= set(present)]
    return max(fitting, key=lambda source: len(source.needs), default=None)


def _missing(
    files: Files, number: int, source: Source, missing: Sequence[str], present: Sequence[str]
) -> OtherFormError:
    error = OtherFormError(
        f"{files.labels[number - 1]}: {source.path} has no {', '.join(missing)}",
        [f"It has: {', '.join(present)}."] if present else [],
    )
    error.path, error.paths = files.paths[number - 1], files.paths
    return error
