"""Tests of python_workers/warehouse."""
