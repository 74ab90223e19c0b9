"""Tests of python_workers/daily."""
