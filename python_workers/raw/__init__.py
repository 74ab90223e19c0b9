"""Raw files into ``nba_raw``: reading, typing, checking, and the upsert.

No code here knows a processor; dbt's models transform the raw tables.
"""
