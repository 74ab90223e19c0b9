"""The embedded warehouse: one file, one process at a time.

Code that only DuckDB needs belongs here, including its errors and its lock.
"""
