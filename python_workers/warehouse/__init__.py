"""The border to DuckDB and BigQuery: queries, commits, opening, labels.

SQL beyond it is written once; what the engines do differently stays inside.
"""
