"""The interface to DuckDB and BigQuery: queries, commits, opening, labels.

Other rooms write SQL once for both engines; the differences between the engines stay in here.
"""
