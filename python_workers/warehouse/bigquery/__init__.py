"""The production warehouse: client, jobs, staging tables, retries.

Everything that only BigQuery needs belongs here, its errors included.
"""
