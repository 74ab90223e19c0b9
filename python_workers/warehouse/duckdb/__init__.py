"""The embedded warehouse: one file, one process at a time.

Everything that only DuckDB needs belongs here, its errors and its lock included.
"""
