"""Record hashes: 16 hex digits of SHA-256 over a record's identifying and business fields.

`data_hash` is the readable definition, for one record. `data_hashes` gives the same hashes for a
whole table. It sorts the fields once, by ``name + ":"``, instead of ``name:text`` per record. The
order is the same: no name contains a colon, so two of these strings differ before a value begins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import pyarrow as pa

from python_workers.columnar.columns import InputTableError
from python_workers.columnar.rounding import IntArray
from python_workers.columnar.value_texts import Texts, encode, hash_text, joined

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


@dataclass(frozen=True)
class SharedValues:
    """Columns whose values several rows share.

    Parameters
    ----------
    columns
        One value per group of rows.
    of_row
        The group of each row.
    """

    columns: Mapping[str, pa.Array]
    of_row: IntArray


def data_hashes(
    table: pa.Table, fields: Sequence[str], shared: SharedValues | None = None
) -> pa.Array:
    """Hash every row of a table as `data_hash` does.

    Parameters
    ----------
    table
        The rows, with the columns `fields` except those in `shared`.
    fields
        The names that enter the hash, in any order.
    shared
        Columns whose values several rows share. Their texts are joined once per group of rows, and
        so are those of other columns that prove to be the same in all rows of each group.

    Returns
    -------
    pyarrow.StringArray
        One hash per row.
    """
    groups = shared.columns if shared else {}
    missing = [name for name in fields if name not in table.column_names and name not in groups]
    if missing:
        raise InputTableError(f"the table lacks the hash field(s) {', '.join(missing)}")
    parts = []
    for field in sorted(fields, key=lambda name: f"{name}:"):
        encoded = encode(groups[field] if field in groups else table.column(field))
        parts.append((field in groups, encoded.texts(hash_text, f"{field}:")))
    texts = _joined_by_group(parts, shared.of_row) if shared and groups else [t for _, t in parts]
    digests: list[bytes] = []
    for first in range(0, table.num_rows, _BLOCK_ROWS):
        rows = min(_BLOCK_ROWS, table.num_rows - first)
        digests.extend(_digests(joined(texts, "|", first, rows)))
    return _fixed_width_strings(b"".join(digests).hex().encode(), len(digests))


def _joined_by_group(parts: Sequence[tuple[bool, Texts]], of_row: IntArray) -> list[Texts]:
    """Join neighbouring texts that are the same in all rows of a group, once per group.

    Parameters
    ----------
    parts
        Whether a column has one text per group; else it has one per row.
    of_row
        The group of each row.
    """
    groups = next(len(texts.indices) for is_shared, texts in parts if is_shared)
    row_of_group = np.zeros(groups, dtype=np.int64)
    row_of_group[of_row[::-1]] = np.arange(len(of_row) - 1, -1, -1)
    spread = pa.array(of_row.astype(np.int32))
    found: list[Texts] = []
    for is_shared, run in groupby(
        (part if part[0] else _by_group_if_same(part[1], of_row, row_of_group) for part in parts),
        key=lambda part: part[0],
    ):
        texts = [texts for _, texts in run]
        found += [Texts(spread, joined(texts, "|", 0, groups))] if is_shared else texts
    return found


def _by_group_if_same(texts: Texts, of_row: IntArray, row_of_group: IntArray) -> tuple[bool, Texts]:
    indices = texts.indices.to_numpy()
    if not len(indices):
        return False, texts
    of_group = indices[row_of_group]
    if not (of_group[of_row] == indices).all():
        return False, texts
    return True, Texts(pa.array(of_group), texts.distinct)


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
