"""Raw files: finding them, and reading each as Arrow columns of whatever type it has."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from python_workers.errors import BackcourtError, ExitCode

_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
SUFFIXES = (".parquet", ".csv", *_JSON_SUFFIXES)
# Notes beside the data, and what writers leave to mark a finished folder.
_NOT_DATA = (".md", ".txt", ".crc")
_CSV_BLOCK_BYTES = 1 << 24
_SCRATCH_MEMORY = "500MB"


def find_files(directory: Path, table: str) -> list[Path]:
    """Return the data files of a table's folder, sorted by name.

    Raises
    ------
    BackcourtError
        If the folder is missing or has no data file, or one of an unknown kind.
    """
    folder = directory / table
    if not folder.is_dir():
        raise BackcourtError(
            f"no folder {table} in {directory}",
            [
                "Raw data has one folder per table, with Parquet, CSV or JSON-lines files:",
                "games, players, player_box_scores, shots.",
                "To load only some of the tables: backcourt load DIR --tables games",
            ],
            ExitCode.ENVIRONMENT,
        )
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
        and path.suffix.lower() not in _NOT_DATA
    )
    for path in found:
        if path.suffix.lower() not in SUFFIXES:
            raise BackcourtError(
                f"{path.relative_to(directory)} is not a Parquet, CSV or JSON-lines file",
                f"Convert it, or move it out of the folder. Known: {', '.join(SUFFIXES)}.",
            )
    if not found:
        raise BackcourtError(
            f"no data files in {folder}",
            f"Expected files ending in {', '.join(SUFFIXES)}.",
            ExitCode.ENVIRONMENT,
        )
    return found


def read_columns(path: Path, label: str, names: Sequence[str]) -> pa.Table:
    """Read those of the named columns that the file has, as they are.

    Parameters
    ----------
    path, label
        The file, and what messages call it.
    names
        Columns wanted; others are kept out.

    Raises
    ------
    BackcourtError
        If the file is empty, or cannot be read as what its name says.
    """
    if path.stat().st_size == 0:
        raise BackcourtError(f"{label} is empty (0 bytes)", _DELIVER_AGAIN)
    try:
        if path.suffix.lower() == ".parquet":
            table = _read_parquet(path, names)
        elif path.suffix.lower() == ".csv":
            table = _read_csv(path, names)
        else:
            table = _read_json(path, label, names)
    except (pa.ArrowException, duckdb.Error, UnicodeDecodeError, OSError) as error:
        kind = {".parquet": "Parquet", ".csv": "CSV"}.get(path.suffix.lower(), "JSON lines")
        raise BackcourtError(
            f"{label} cannot be read as {kind}; it may be truncated",
            [str(error).strip().splitlines()[0][:300].replace(str(path), label), _DELIVER_AGAIN],
        ) from error
    if table.num_rows == 0:
        raise BackcourtError(f"{label} has no rows", _DELIVER_AGAIN)
    return table


@contextlib.contextmanager
def scratch_database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB of bounded memory beside the warehouse, for work on Arrow tables."""
    with (
        tempfile.TemporaryDirectory(prefix="backcourt-") as folder,
        duckdb.connect(
            config={"memory_limit": _SCRATCH_MEMORY, "temp_directory": folder}
        ) as connection,
    ):
        yield connection


_DELIVER_AGAIN = "Deliver the file again, or move it out of the folder. Nothing was loaded."


def _read_parquet(path: Path, names: Sequence[str]) -> pa.Table:
    with pq.ParquetFile(path) as file:
        present = _without_duplicates(file.schema_arrow.names, names)
        return file.read(columns=[name for name in names if name in present])


def _read_csv(path: Path, names: Sequence[str]) -> pa.Table:
    # All columns as text: the same parsers then judge every format, and 0022100001 keeps its zeros.
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    read = pyarrow.csv.ReadOptions(block_size=_CSV_BLOCK_BYTES)
    with pyarrow.csv.open_csv(path, read_options=read, parse_options=parse) as file:
        present = _without_duplicates(file.schema.names, names)
    wanted = [name for name in names if name in present]
    convert = pyarrow.csv.ConvertOptions(
        include_columns=wanted,
        column_types=dict.fromkeys(wanted, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
    )
    table = pyarrow.csv.read_csv(
        path, read_options=read, parse_options=parse, convert_options=convert
    )
    # No column wanted: the reader takes an empty list for all of them.
    return table.select(wanted)


def _read_json(path: Path, label: str, names: Sequence[str]) -> pa.Table:
    with scratch_database() as connection:
        connection.execute(
            "create temp table objects as select json from "
            "read_json_objects($path, format = 'newline_delimited')",
            {"path": _literal_glob(path)},
        )
        other = connection.execute(
            "select 1 + rowid from objects where json_type(json) is distinct from 'OBJECT' limit 1"
        ).fetchone()
        if other is not None:
            raise BackcourtError(
                f"{label} line {other[0]} is not a JSON object",
                'JSON lines hold one object like {"game_id": "0022100001", ...} on each line.',
            )
        keys = {
            row[0]
            for row in connection.execute(
                "select distinct unnest(json_keys(json)) from objects"
            ).fetchall()
        }
        wanted = [name for name in names if name in keys]
        if not wanted:
            return pa.table({"nothing": pa.nulls(1)}).select([])
        # One extraction of all paths reads each object once.
        paths = ", ".join(f"'$.{name}'" for name in wanted)
        values = ", ".join(f'found[{place}] as "{name}"' for place, name in enumerate(wanted, 1))
        return connection.execute(
            f"select {values} "  # noqa: S608 names of the raw schema
            f"from (select rowid, json_extract_string(json, [{paths}]) as found from objects) "
            "order by rowid"
        ).to_arrow_table()


def _without_duplicates(present: Sequence[str], names: Sequence[str]) -> set[str]:
    """Return the names as a set, refusing a wanted one that stands there twice."""
    for name in names:
        if present.count(name) > 1:
            raise pa.ArrowInvalid(f"column {name} appears {present.count(name)} times")
    return set(present)


def _literal_glob(path: Path) -> str:
    """Return the path so that DuckDB takes none of its characters for a wildcard."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in str(path))
