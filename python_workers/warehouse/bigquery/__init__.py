"""The production warehouse: client, jobs, staging tables, retries.

Code that only BigQuery needs belongs here, including its errors.
"""
