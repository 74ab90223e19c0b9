"""Record hashes, for verifying stored rows: the readable definition and the fields it hashes.

The hash of a stored row is ``data_hash(row, HASH_FIELDS["psza"])``.
"""

from __future__ import annotations

from python_workers.columnar.record_hash import data_hash
from python_workers.processors.base import PoolWork
from python_workers.processors.catalogue import PROCESSORS

__all__ = ["HASH_FIELDS", "data_hash"]

HASH_FIELDS: dict[str, tuple[str, ...]] = {
    processor.key: processor.work.output.hash_fields
    for processor in PROCESSORS
    if isinstance(processor.work, PoolWork)
}
"""Fields of each pool processor's hash, by its key."""
