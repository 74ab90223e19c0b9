"""Keeps pyarrow and DuckDB from importing pandas, which costs every command up to half a second.

Where pandas is installed, both import it only to test whether a value is a pandas object; here all
data is Arrow.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa


@contextmanager
def pandas_kept_out() -> Iterator[None]:
    """Block imports of pandas inside the block; an earlier import stays valid."""
    sys.meta_path.insert(0, _NoPandas)
    try:
        yield
    finally:
        sys.meta_path.remove(_NoPandas)


def keep_pandas_out_of_pyarrow() -> None:
    """Make pyarrow's first look for pandas fail; pyarrow remembers the result."""
    with pandas_kept_out():
        pa.array(())


class _NoPandas:
    """An import finder that refuses pandas and leaves all other modules to the next finder."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)
