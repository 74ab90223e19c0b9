"""Tests of python_workers/bench."""
