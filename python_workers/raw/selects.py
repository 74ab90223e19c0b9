"""Reads the SELECTs of a folder, a file per raw table."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from python_workers.errors import BackcourtError, ExitCode
from python_workers.raw.folders import is_left_by_tool
from python_workers.raw.schema import RAW_TABLES, RawTable

# Text, quoted names and comments first, so that a semicolon in them ends nothing.
_TOKENS = re.compile(
    r"""
      '(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*`
    | (?P<comment>--[^\n]* | /\*.*?\*/)
    | (?P<end>;)
    | (?P<blank>\s+)
    | [\w=<>(),.]+ | .
    """,
    re.VERBOSE | re.DOTALL,
)


def read_selects(directory: Path, *, may_have_none: bool = False) -> dict[str, str]:
    """Return the SELECT of each raw table that a folder has a ``<table>.sql`` for.

    Raises
    ------
    BackcourtError
        If the folder is missing, has no SELECT or a file of another name; if a file is no UTF-8
        text, is empty or has several statements.
    """
    if not directory.is_dir():
        raise BackcourtError(
            f"{directory} is {'not a folder' if directory.exists() else 'missing'}",
            f"Name the folder with {_names()}.",
            ExitCode.ENVIRONMENT,
        )
    known = {f"{schema.name}.sql": schema.name for schema in RAW_TABLES}
    files = {path.name: path for path in sorted(directory.glob("*.sql")) if path.is_file()}
    other = [name for name in files if name not in known and not is_left_by_tool(name)]
    if other:
        raise BackcourtError(
            f"{directory / other[0]} is named after no raw table",
            f"Known names: {_names()}.",
            ExitCode.USAGE,
        )
    selects = {table: _read(files[name]) for name, table in known.items() if name in files}
    if not selects and not may_have_none:
        raise BackcourtError(
            f"{directory} has no SELECT for a raw table",
            f"It needs some of {_names()}.",
            ExitCode.ENVIRONMENT,
        )
    return selects


def check_columns(schema: RawTable, present: Collection[str], file: str | None = None) -> None:
    """Refuse a SELECT without a column that every file of the raw table must have.

    Raises
    ------
    BackcourtError
        If one is missing; it names the columns that are there.
    """
    missing = [
        column.name
        for column in schema.columns
        if column.is_required and column.name not in present
    ]
    if missing:
        raise BackcourtError(
            f"{file or f'{schema.name}.sql'} gives no column {', '.join(missing)}",
            [
                f"It gives: {', '.join(sorted(present))}.",
                "Where a value is never known, select null under the column's name.",
            ],
        )


def _names() -> str:
    return ", ".join(f"{schema.name}.sql" for schema in RAW_TABLES)


def _read(path: Path) -> str:
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise BackcourtError(
            f"{path} cannot be read: {error.strerror or error}",
            "Make it readable for this user.",
            ExitCode.ENVIRONMENT,
        ) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise BackcourtError(
            f"{path} is not UTF-8 text: byte 0x{error.object[error.start]:02x} in line {line}",
            "Save it as UTF-8.",
        ) from error
    return _one_statement(text, path)


def _one_statement(text: str, path: Path) -> str:
    """Return a statement without the semicolon that ends it and what is behind that."""
    end = len(text)
    is_empty = True
    for token in _TOKENS.finditer(text):
        if token["comment"] or token["blank"]:
            continue
        if end < len(text) and not token["end"]:
            raise BackcourtError(
                f"{path} has several statements", "Write one SELECT, without a semicolon in it."
            )
        if token["end"]:
            end = min(end, token.start())
        else:
            is_empty = False
    if is_empty:
        raise BackcourtError(
            f"{path} is empty", "Write a SELECT in it, or delete it: its table then stays empty."
        )
    return text[:end].strip()
