"""Tests of python_workers/pool."""
