"""Reads JSON lines: one object on each line, with JSON's types."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from python_workers.raw.text_files import UnreadableError, read_blocks

_BATCH_ROWS = 1 << 15
_ONE_OBJECT = 'JSON lines hold one object like {"game_id": "0022100001", ...} on each line.'


class TwoValuesError(ValueError):
    """An object gives a key two values; the text is the key."""


def decode_json(text: str) -> object:
    """Return the value of a JSON text.

    Raises
    ------
    ValueError
        If it is no JSON; `TwoValuesError` if an object in it has a key twice.
    RecursionError
        If it is nested too deeply.
    """
    return _DECODE(text)


def read_json_lines(
    path: Path, names: Sequence[str]
) -> Iterator[tuple[Sequence[str], dict[str, list[object]], int]]:
    """Yield batches of lines: all keys, the values of the requested keys, the number of lines.

    Raises
    ------
    UnreadableError
        If a line is no JSON object or gives a key two values; it names the line.
    """
    rows: list[dict[str, object]] = []
    for block in read_blocks(path):
        for number, line in enumerate(block.decode().split("\n"), block.first_line):
            if not line or line.isspace():
                continue
            rows.append(_parsed(line, number))
            if len(rows) == _BATCH_ROWS:
                yield _columns(rows, names)
                rows = []
    if rows:
        yield _columns(rows, names)


def _parsed(line: str, number: int) -> dict[str, object]:
    try:
        value = decode_json(line)
    except TwoValuesError as error:
        raise UnreadableError(
            f"line {number} gives {error} two values",
            "Two lines may have been torn and joined. Deliver the file again.",
        ) from None
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UnreadableError(f"line {number} is not JSON: {reason}", _ONE_OBJECT) from None
    if not isinstance(value, dict):
        raise UnreadableError(f"line {number} is not a JSON object", _ONE_OBJECT)
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise TwoValuesError(counts.most_common(1)[0][0])
    return found


_DECODE = json.JSONDecoder(object_pairs_hook=_object).decode


def _columns(
    rows: list[dict[str, object]], names: Sequence[str]
) -> tuple[Sequence[str], dict[str, list[object]], int]:
    keys = dict.fromkeys(key for row in rows for key in row)
    values = {name: [row.get(name) for row in rows] for name in names if name in keys}
    return list(keys), values, len(rows)
