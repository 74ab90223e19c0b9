"""Backcourt: backfills NBA feature tables and proves that nothing is missing.

The package root imports nothing, so that a pool worker loads only numpy and pyarrow.
"""

__version__ = "0.1.0"
