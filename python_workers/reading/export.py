"""Exports tables as files, with a manifest that says what they are."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from python_workers import __version__
from python_workers.accounting.coverage import Coverage
from python_workers.errors import BackcourtError, ExitCode
from python_workers.processors.catalogue import PROCESSORS
from python_workers.reading.dictionary import ColumnEntry, data_dictionary
from python_workers.reading.outputs import Output, read_output
from python_workers.reading.scope import Scope
from python_workers.runtime.writing import check_folder
from python_workers.warehouse.base import Warehouse

MANIFEST = "manifest.json"
FORMAT_VERSION = 1


class FileFormat(StrEnum):
    """Formats of an export."""

    PARQUET = "parquet"
    CSV = "csv"


def check_export_folder(folder: Path, *, replace: bool) -> None:
    """Refuse a folder that the export must not write, before anything is read.

    Raises
    ------
    BackcourtError
        With exit code 2, for a file, and for a folder with contents: without `replace`, or if its
        contents are no export.
    """
    check_folder(folder)
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not (folder / MANIFEST).is_file():
        raise BackcourtError(
            f"{folder} has contents that are no export of this command",
            "Name an empty or a new folder.",
            ExitCode.USAGE,
        )
    if not replace:
        raise BackcourtError(
            f"{folder} has an export already",
            "Name another folder, or add --replace.",
            ExitCode.USAGE,
        )


def export(
    warehouse: Warehouse,
    scope: Scope,
    outputs: Sequence[Output],
    folder: Path,
    file_format: FileFormat,
    coverage: Coverage,
    models: Path | None = None,
    project_state: str = "",
) -> dict[str, Any]:
    """Write tables to a folder, a file a season, and return the manifest.

    The folder appears whole, when everything is written; until then its contents stay.

    Parameters
    ----------
    warehouse, scope, outputs
        What to read: the tables and the dates.
    folder
        Where to write; `check_export_folder` has admitted it.
    file_format
        Parquet (zstd) or CSV (UTF-8, a header, empty fields for NULL).
    coverage
        Of the dates and of the processors of the tables, for the manifest.
    models
        Folder of the dbt models, which describe the columns.
    project_state
        Digest of the dbt project, for the manifest.

    Raises
    ------
    BackcourtError
        With exit code 3 if a table does not exist, or the disk refuses the files.
    """
    columns = {output.table: warehouse.columns(output.table) for output in outputs}
    entries = {entry.table: entry for entry in data_dictionary(columns, models)}
    schedule = scope.schedule
    with _replaced_folder(folder) as unfinished:
        tables = [
            {
                "name": output.name,
                "table": output.table,
                "description": entries[output.table].description,
                **_write_table(
                    warehouse, scope, output, unfinished, file_format, entries[output.table].columns
                ),
                "columns": [_described(column) for column in entries[output.table].columns],
            }
            for output in outputs
        ]
        manifest = {
            "format_version": FORMAT_VERSION,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "backcourt_version": __version__,
            "project_state": project_state,
            "calculation_versions": {each.key: each.calculation_version for each in PROCESSORS},
            "engine": warehouse.kind,
            "range": {
                "start_date": schedule.start.isoformat(),
                "end_date": schedule.end.isoformat(),
                "game_dates": len(schedule.dates),
                "seasons": list(scope.seasons(schedule.dates)),
            },
            "coverage": {
                "is_clean": not coverage.needs_attention,
                "needs_attention": coverage.needs_attention,
            },
            "tables": tables,
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        (unfinished / MANIFEST).write_text(f"{text}\n", encoding="utf-8")
    return manifest


def _described(column: ColumnEntry) -> dict[str, str]:
    return {name: value for name, value in column._asdict().items() if value or name != "role"}


def _write_table(
    warehouse: Warehouse,
    scope: Scope,
    output: Output,
    folder: Path,
    file_format: FileFormat,
    columns: Sequence[ColumnEntry],
) -> dict[str, Any]:
    """Write the files of a table; one season is in memory at a time."""
    (folder / output.name).mkdir()
    files, versions = [], set()
    for season, days in scope.seasons(scope.schedule.dates).items():
        rows = read_output(
            warehouse,
            output,
            scope,
            where=[f"{output.date_column} between @first_day and @last_day"],
            first_day=days[0],
            last_day=days[-1],
        )
        path = folder / output.name / f"{season}.{file_format}"
        _write_file(rows, path, file_format, {column.name: column for column in columns})
        dates = rows[output.date_column].unique().to_pylist()
        if output.versions_column is not None:
            versions |= set(rows[output.versions_column].unique().to_pylist())
        files.append(
            {
                "path": path.relative_to(folder).as_posix(),
                "season": season,
                "rows": rows.num_rows,
                "first_date": _iso(min(dates, default=None)),
                "last_date": _iso(max(dates, default=None)),
                "bytes": path.stat().st_size,
                "sha256": _sha256(path),
            }
        )
    return {
        "rows": sum(file["rows"] for file in files),
        "versions": sorted(versions),
        "files": files,
    }


def _write_file(
    rows: pa.Table, path: Path, file_format: FileFormat, columns: Mapping[str, ColumnEntry]
) -> None:
    if file_format is FileFormat.CSV:
        pa_csv.write_csv(rows, path)
        return
    fields = [
        each.with_metadata({"description": columns[each.name].description}) for each in rows.schema
    ]
    pq.write_table(rows.cast(pa.schema(fields)), path, compression="zstd")


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _replaced_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder beside `folder`, which takes its place at the end.

    A folder that is replaced stays whole until then, and comes back if the exchange fails.
    """
    place = folder.resolve()
    unfinished, former = (
        place.with_name(f"{place.name}.{os.getpid()}.{suffix}") for suffix in ("tmp", "old")
    )
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        if place.exists():
            place.replace(former)
        try:
            unfinished.replace(place)
        except OSError:
            if former.exists():
                former.replace(place)
            raise
    except OSError as error:
        raise BackcourtError(
            f"cannot write {folder}: {error.strerror or error}",
            "Free some space there, or name another place.",
            ExitCode.ENVIRONMENT,
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.rmtree(former, ignore_errors=True)
