"""Tests of the package, of the dbt project and of both together."""
