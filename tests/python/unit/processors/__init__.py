"""Tests of python_workers/processors."""
