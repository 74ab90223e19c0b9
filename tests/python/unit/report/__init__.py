"""Tests of python_workers/report."""
