"""Reads CSV files; checks the quotes of every line before it takes any value."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from python_workers.raw.text_files import (
    BLOCK_BYTES,
    UnreadableError,
    is_compressed,
    read_blocks,
)


class Quoting(IntEnum):
    """How a file writes quotes inside its values, from the strictest to the loosest."""

    DOUBLED = 0
    """As in RFC 4180: ``"He said ""no\"""``."""
    ESCAPED = 1
    """With a backslash: ``"He said \\"no\\""``."""
    PLAIN = 2
    """As an ordinary character, in values without surrounding quotes: ``6'10"``."""


# Possessive quantifiers reject text that does not match at once. No field holds a line break.
_FIELDS = {
    Quoting.DOUBLED: rb'(?:"(?:[^"\r\n]|"")*+"|[^",\r\n]*+)',
    Quoting.ESCAPED: rb'(?:"(?:[^"\\\r\n]|\\[^\r\n]|"")*+"|(?:[^",\\\r\n]|\\[^\r\n])*+)',
    Quoting.PLAIN: rb'(?:"(?:[^"\r\n]|"")*+"|(?:[^",\r\n][^,\r\n]*+)?)',
}
_LINE = {quoting: rb"%b(?:,%b)*+" % (field, field) for quoting, field in _FIELDS.items()}
_ONE_LINE = {quoting: re.compile(line) for quoting, line in _LINE.items()}
_MANY_LINES = {
    quoting: re.compile(rb"(?:%b(?:\r\n?|\n))*+(?:%b)?+" % (line, line))
    for quoting, line in _LINE.items()
}


@dataclass(frozen=True)
class CsvLayout:
    """The facts about a CSV file that its parser needs.

    Parameters
    ----------
    header, quoting
        The names of the columns, and how the file writes quotes.
    content
        The decompressed bytes of a small file, which need not be read again; None of a large file.
    """

    header: tuple[str, ...]
    quoting: Quoting
    content: bytes | None


def read_csv(path: Path, names: Sequence[str]) -> Iterator[tuple[Sequence[str], pa.RecordBatch]]:
    """Yield the header and, block by block, the requested columns that the file has, as text.

    Raises
    ------
    UnreadableError
        If quotes or encoding are wrong; it names the line.
    pyarrow.ArrowException
        If a line has too few or too many values.
    """
    layout = _layout(path)
    if layout is None:
        return
    wanted = [name for name in names if name in layout.header]
    if not wanted:
        yield layout.header, pa.record_batch({"": pa.nulls(1)}).select([])
        return
    # Read all columns as text: then all formats share the same parsers, and 0022100001 keeps its
    # zeros.
    if layout.content is not None:
        source = pa.BufferReader(layout.content)
        block_bytes = len(layout.content) + 1
    else:
        source = pa.input_stream(str(path), compression="gzip" if is_compressed(path) else None)
        block_bytes = BLOCK_BYTES
    with pyarrow.csv.open_csv(
        source,
        pyarrow.csv.ReadOptions(use_threads=False, block_size=block_bytes),
        pyarrow.csv.ParseOptions(
            escape_char="\\" if layout.quoting is Quoting.ESCAPED else False,
        ),
        pyarrow.csv.ConvertOptions(
            include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string())
        ),
    ) as batches:
        for batch in batches:
            yield layout.header, batch


def _layout(path: Path) -> CsvLayout | None:
    """Read the whole file once to find its header and quoting; None if it has no line."""
    header_line = None
    has_quotes = False
    blocks: list[bytes] = []
    size = 0
    for block in read_blocks(path):
        size += len(block.data)
        if size <= BLOCK_BYTES:
            blocks.append(block.data)
        else:
            blocks.clear()
        text = block.decode()
        has_quotes |= '"' in text
        if header_line is None:
            header_line = next((line for line in text.splitlines() if line), None)
    if header_line is None:
        return None
    quoting = _quoting(path) if has_quotes else Quoting.DOUBLED
    escape = "\\" if quoting is Quoting.ESCAPED else None
    header = tuple(next(csv.reader([header_line], escapechar=escape)))
    return CsvLayout(header, quoting, b"".join(blocks) if size <= BLOCK_BYTES else None)


def _quoting(path: Path) -> Quoting:
    """Return the strictest quoting that every line of the file follows."""
    furthest = 0
    for quoting in Quoting:
        line = _first_contradiction(path, quoting)
        if line is None:
            return quoting
        furthest = max(furthest, line)
    # All lines before it follow one of the quotings.
    raise UnreadableError(
        f"the quotes of line {furthest} do not pair up, and would swallow the lines after it",
        "Close every quote on its own line: values hold no line breaks. "
        'Write a quote inside a value as "".',
    )


def _first_contradiction(path: Path, quoting: Quoting) -> int | None:
    for block in read_blocks(path):
        if b'"' in block.data and not _MANY_LINES[quoting].fullmatch(block.data):
            for number, line in enumerate(block.data.splitlines(), block.first_line):
                if not _ONE_LINE[quoting].fullmatch(line):
                    return number
    return None
