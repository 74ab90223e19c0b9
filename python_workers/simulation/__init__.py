"""A made-up but realistic league in the raw format, for demos, tests and benchmarks.

It writes raw files, which ``backcourt load`` reads like real data; it reads nothing.
"""
