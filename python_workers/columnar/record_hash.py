"""Record hashes: 16 hex digits of SHA-256 over a record's identifying and business fields.

`data_hash` is the readable definition, for one record. `data_hashes` gives the same hashes for a
whole table. It sorts the fields once, by ``name + ":"``, instead of ``name:text`` per record. The
order is the same: no name contains a colon, so two of these strings differ before a value begins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa

from python_workers.columnar.columns import InputTableError
from python_workers.columnar.value_texts import (
    Encoded,
    encode,
    hash_text,
    joined,
)

HASH_DIGITS = 16
# Rows to join and hash at a time: the text of a block fits into the processor's cache.
_BLOCK_ROWS = 8192


def data_hash(record: Mapping[str, object], fields: Sequence[str]) -> str:
    """Hash one record.

    Parameters
    ----------
    record
        Values by column name, as stored.
    fields
        The names that enter the hash, in any order.

    Returns
    -------
    str
        The first 16 hex digits of the SHA-256 of ``name:text`` of each field, sorted, joined by
        ``|``.

    Raises
    ------
    KeyError
        If the record lacks a field; a missing field is not NULL.
    TypeError
        If a value has no text (see `value_texts.hash_text`).

    Examples
    --------
    >>> data_hash({"player_id": 2544, "paint_rate_last_10": 47.01}, ["player_id"])
    '8cd36902d0a2e78f'
    """
    missing = [field for field in fields if field not in record]
    if missing:
        raise KeyError(f"the record lacks the hash field(s) {', '.join(missing)}")
    pairs = sorted(f"{field}:{hash_text(record[field])}" for field in fields)
    return hashlib.sha256("|".join(pairs).encode()).hexdigest()[:HASH_DIGITS]


def data_hashes(table: pa.Table, fields: Sequence[str]) -> pa.Array:
    """Hash every row of a table as `data_hash` does.

    Parameters
    ----------
    table
        The rows, with at least the columns `fields`.
    fields
        The names that enter the hash, in any order.

    Returns
    -------
    pyarrow.StringArray
        One hash per row.
    """
    missing = [field for field in fields if field not in table.column_names]
    if missing:
        raise InputTableError(f"the table lacks the hash field(s) {', '.join(missing)}")
    columns: list[tuple[Encoded, pa.Array]] = []
    for field in sorted(fields, key=lambda name: f"{name}:"):
        encoded = encode(table.column(field))
        columns.append((encoded, encoded.texts(hash_text, f"{field}:")))
    digests: list[bytes] = []
    for first in range(0, table.num_rows, _BLOCK_ROWS):
        rows = min(_BLOCK_ROWS, table.num_rows - first)
        digests.extend(_digests(joined(columns, "|", first, rows)))
    return _fixed_width_strings(b"".join(digests).hex().encode(), len(digests))


def with_data_hash(table: pa.Table, fields: Sequence[str]) -> pa.Table:
    """Append the ``data_hash`` column to a table of output rows."""
    return table.append_column("data_hash", data_hashes(table, fields))


def _digests(texts: pa.Array) -> list[bytes]:
    sha256 = hashlib.sha256
    _, offsets_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[: len(texts) + 1].tolist()
    data = memoryview(data_buffer)
    half = HASH_DIGITS // 2
    return [sha256(data[start:end]).digest()[:half] for start, end in pairwise(offsets)]


def _fixed_width_strings(characters: bytes, count: int) -> pa.Array:
    offsets = np.arange(count + 1, dtype=np.int32) * HASH_DIGITS
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(characters))
