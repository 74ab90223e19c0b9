"""A made-up but realistic league in the raw format, for demos, tests and benchmarks.

It writes files and reads nothing; real data takes the same way in from there on.
"""
