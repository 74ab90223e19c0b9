"""Reads text files in blocks of whole UTF-8 lines; errors name the damaged line."""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

BLOCK_BYTES = 1 << 23
COMPRESSED = ".gz"
# In UTF-16, every other byte of Western text is NUL.
_HEAD_BYTES, _MANY_NULS = 200, 0.25
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


class UnreadableError(ValueError):
    """The reason why a file cannot be read; `advice` says how to fix it."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(problem)
        self.advice = advice


@dataclass(frozen=True)
class Block:
    """Whole lines of a text file, and the number of the first of them."""

    first_line: int
    data: bytes

    def decode(self) -> str:
        """Return the text.

        Raises
        ------
        UnreadableError
            If a line is not UTF-8 or holds a NUL; it names the line.
        """
        place = self.data.find(b"\0")
        if place >= 0:
            raise UnreadableError(
                f"line {self._line_of(place)} holds a NUL byte",
                "The file is damaged. Deliver it again.",
            )
        try:
            return self.data.decode()
        except UnicodeDecodeError as error:
            found = self.data[error.start : error.start + 1].hex()
            raise UnreadableError(
                f"line {self._line_of(error.start)} is not UTF-8 text (byte 0x{found})",
                "Save it as UTF-8, for example with: iconv -f WINDOWS-1252 -t UTF-8",
            ) from None

    def _line_of(self, place: int) -> int:
        return self.first_line + len(self.data[: place + 1].splitlines()) - 1


def is_compressed(path: Path) -> bool:
    """Tell whether a file is gzip by its name."""
    return path.suffix.lower() == COMPRESSED


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading; decompress it if its name ends in ``.gz``."""
    opened = gzip.open(path, "rb") if is_compressed(path) else path.open("rb")  # noqa: SIM115 the caller closes it
    return cast("IO[bytes]", opened)


def read_blocks(path: Path) -> Iterator[Block]:
    """Yield a file's lines in blocks of some megabytes, without the byte order mark.

    Raises
    ------
    UnreadableError
        If the file is UTF-16 or UTF-32.
    OSError
        If the file cannot be read.
    """
    first_line, rest = 1, b""
    with open_bytes(path) as file:
        is_first = True
        while data := file.read(BLOCK_BYTES):
            if is_first:
                _refuse_wide(data)
                data = data.removeprefix(codecs.BOM_UTF8)
                is_first = False
            lines, newline, tail = data.rpartition(b"\n")
            if not newline:
                rest += tail
                continue
            block = Block(first_line, rest + lines + newline)
            rest = tail
            yield block
            first_line += len(block.data.splitlines())
    if rest:
        yield Block(first_line, rest)


def _refuse_wide(data: bytes) -> None:
    head = data[:_HEAD_BYTES]
    encoding = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    if encoding is None and head.count(b"\0") > _MANY_NULS * len(head):
        encoding = "UTF-16"
    if encoding:
        raise UnreadableError(
            f"it is {encoding} text",
            f"Save it as UTF-8, for example with: iconv -f {encoding} -t UTF-8",
        )
