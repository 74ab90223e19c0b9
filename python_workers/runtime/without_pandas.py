"""Spares a process the import of pandas, which others would take for it.

pyarrow and DuckDB import pandas, where it is installed, to see whether a value is one of its own:
a quarter of a second to half a second of every command, for data that is Arrow throughout.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa


@contextmanager
def pandas_kept_out() -> Iterator[None]:
    """Let nobody import pandas for a while; where it is imported already it stays."""
    sys.meta_path.insert(0, _NoPandas)
    try:
        yield
    finally:
        sys.meta_path.remove(_NoPandas)


def keep_pandas_out_of_pyarrow() -> None:
    """Have pyarrow look for pandas once, in vain: it remembers."""
    with pandas_kept_out():
        pa.array(())


class _NoPandas:
    """A finder that finds everything but pandas elsewhere."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)
