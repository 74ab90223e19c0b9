"""Raw files into ``nba_raw``: reading, typing, checking, and the upsert.

Nothing here knows a processor; what the models make of the raw tables is dbt's.
"""
