"""Tests of python_workers/cli."""
