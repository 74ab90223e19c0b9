"""Tests of python_workers/simulation."""
