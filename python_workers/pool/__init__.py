"""Chunks of work through worker processes, threads or a Dask cluster, whatever happens to them.

No basketball belongs here: a chunk is tables and plain values, a task is a function.
"""
