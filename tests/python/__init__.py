"""Tests that pytest runs; the dbt project runs those of tests/dbt."""
