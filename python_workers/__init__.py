"""Backcourt: backfills NBA feature tables and proves that nothing is missing.

The package root imports nothing, so that a pool worker starts with numpy and pyarrow alone.
"""

__version__ = "0.1.0"
