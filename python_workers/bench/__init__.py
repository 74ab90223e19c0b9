"""The benchmarks: their measurements and the page of results.

No code that other commands need belongs here.
"""
