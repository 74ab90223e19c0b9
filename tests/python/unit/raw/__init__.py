"""Tests of python_workers/raw."""
