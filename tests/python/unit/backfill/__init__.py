"""Tests of python_workers/backfill."""
