"""Tests that pytest runs; dbt runs those of tests/dbt."""
