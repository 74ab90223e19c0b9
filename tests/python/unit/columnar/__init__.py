"""Tests of python_workers/columnar."""
