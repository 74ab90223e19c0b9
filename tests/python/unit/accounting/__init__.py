"""Tests of python_workers/accounting."""
