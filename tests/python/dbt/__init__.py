"""The dbt project: its models, macros, switches and data tests, run by dbt itself."""
