"""Runs chunks of work in worker processes, threads or a Dask cluster, and survives their failures.

No basketball belongs here: a chunk is tables and plain values, a task is a function.
"""
